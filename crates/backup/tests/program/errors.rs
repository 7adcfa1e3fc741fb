//! A disk that is full or fails at any call that writes: the program says which file it was, and nothing is lost.

use crate::cases::{self, Begun, Case};
use crate::faults::{Call, Faults, Run};
use crate::stage::Stage;

/// Fails each of the program's calls once, then each with all that follow, as on a disk that is gone, then each that
/// takes space with all that follow and take space. Each alone tells errors that are swallowed; those that follow
/// would hide that.
fn says_what_failed(case: &Case) {
    let Some(faults) = Faults::ready() else { return };
    let begun = case.begin();
    let calls = case.run(faults, &begun.stage.copy(), None).calls;
    for (at, call) in (1..).zip(&calls) {
        let full = call.takes_space().then_some("ENOSPC-ever");
        for how in ["EIO", "EIO-ever"].into_iter().chain(full) {
            println!("{}: {how} at call {at} of {}: {} {}", case.name, calls.len(), call.what, call.path.display());
            fails(case, &begun, faults, (how, at));
        }
    }
    let stage = begun.stage.copy();
    let run = case.run(faults, &stage, Some(("short", 1)));
    assert_eq!(run.code, Some(0), "what is written in two parts is written: {}", run.stderr);
    case.look(&begun, &stage, true);
}

fn fails(case: &Case, begun: &Begun, faults: &Faults, fault: (&str, usize)) {
    let stage = begun.stage.copy();
    let run = case.run(faults, &stage, Some(fault));
    let failed = run.calls.iter().find(|call| call.failed).expect("nothing failed, so this test proves nothing");
    match run.code {
        Some(0) => assert!(is_no_loss(case, &stage, failed, &run), "{failed:?} was swallowed: {}", run.stderr),
        code => {
            assert_eq!(code, Some(1), "{}", run.stderr);
            assert!(is_named(&stage, failed, &run), "{failed:?} is not named: {}", run.stderr);
        }
    }
    case.look(begun, &stage, run.code == Some(0));
    case.complete(begun, &stage);
}

/// What failed after a restore was done: to say that its name is there to stay, to keep it on record and, into a live
/// database, to shrink the WAL and to remove the temporary file. SQLite itself ignores the failure to bring the name of a
/// new WAL to disk.
fn is_no_loss(case: &Case, stage: &Stage, failed: &Call, run: &Run) -> bool {
    if failed.what == "sync" && run.stderr.contains("is restored, but a power cut now may undo it") {
        return true;
    }
    if case.name.starts_with("restore") && run.stderr.contains("cannot record the restore") {
        return is_named(stage, failed, run);
    }
    let of_sqlite = failed.what == "sync" && failed.path == stage.directory.path();
    case.in_use
        && (of_sqlite || run.stderr.contains("cannot checkpoint the -wal file") || run.stderr.contains("cannot remove"))
}

/// The file itself; or, where SQLite speaks, the database it is beside, and where a scratch directory is removed, that.
fn is_named(stage: &Stage, failed: &Call, run: &Run) -> bool {
    let path = failed.path.to_str().unwrap();
    let database = ["-wal", "-shm", "-journal"].iter().find_map(|suffix| path.strip_suffix(suffix));
    let says = |name: &str| run.stderr.contains(name);
    let scratch = failed.path.parent().filter(|directory| {
        failed.what == "remove" && ![stage.directory.path(), stage.repository.path()].contains(directory)
    });
    says(path) || database.is_some_and(says) || scratch.is_some_and(|directory| says(directory.to_str().unwrap()))
}

cases::each_case!(says_what_failed);
