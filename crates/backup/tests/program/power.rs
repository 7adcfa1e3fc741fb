//! A power cut at any instant leaves the old state or the new one. What a disk may hold then is derived from the calls
//! of a whole run: what was written is there once its file was synced, what was created, renamed or removed once its
//! directory was, and before that any part of it may be.

mod disk;

use std::collections::BTreeSet;

use crate::cases::{self, Case};
use crate::faults::Faults;
use disk::Disk;

fn survives_a_power_cut(case: &Case) {
    let Some(faults) = Faults::ready() else { return };
    let begun = case.begin();
    let run = begun.stage.copy();
    let mut disk = Disk::of(run.directory.path());
    let calls = faults.run(&run, case.arguments, None).calls;
    let mut seen = BTreeSet::new();
    for (number, call) in (1..).zip(&calls) {
        disk.apply(call);
        // From the last call on, the program has said that it is done.
        let done = number == calls.len();
        for (how, files) in disk.after_a_power_cut() {
            if seen.insert((done, files.clone())) {
                println!("{}: power cut after call {number}, {} {}: {how}", case.name, call.what, call.path.display());
                let stage = begun.stage.with_files(&files);
                case.look(&begun, &stage, done);
                case.complete(&begun, &stage);
            }
        }
    }
    assert!(seen.len() > 3, "only {} states, so this test proves nothing", seen.len());
}

cases::each_case!(survives_a_power_cut);
