//! kill -9 at every call that writes leaves the old state or the new one, and nothing in the way of the next run.

use crate::cases::{self, Case};
use crate::faults::Faults;

/// Kills the program before each of its calls, in the middle of each that writes, and after the last.
fn survives_being_killed_anywhere(case: &Case) {
    let Some(faults) = Faults::ready() else { return };
    let begun = case.begin();
    let calls = case.run(faults, &begun.stage.copy(), None).calls;
    assert!(calls.len() > 3, "the program is not watched, so this test proves nothing: {calls:?}");
    for (at, call) in (1..).zip(&calls) {
        let torn = (call.is_write() || at == calls.len()).then_some("tear");
        for how in ["kill"].into_iter().chain(torn) {
            println!("{}: {how} at call {at} of {}: {} {}", case.name, calls.len(), call.what, call.path.display());
            let stage = begun.stage.copy();
            let run = case.run(faults, &stage, Some((how, at)));
            assert_eq!(run.code, None, "nobody was killed: {}", run.stderr);
            case.look(&begun, &stage, false);
            case.complete(&begun, &stage);
        }
    }
}

cases::each_case!(survives_being_killed_anywhere);
