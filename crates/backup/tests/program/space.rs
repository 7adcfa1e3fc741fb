//! Space: what goes for lack of it, what does not, and who says so in time.

use std::fs;

use backup::prune::Pruned;

use crate::faults::Faults;
use crate::stage::Stage;

/// Restore points of some 60 kB each.
fn with_restore_points(count: u32) -> (Stage, u64) {
    let (stage, _connection) = Stage::with_rows(40);
    (0..count).for_each(|_| drop(stage.take()));
    let size = stage.repository.newest(None).unwrap().unwrap().size_bytes;
    (stage, size)
}

#[test]
fn the_oldest_go_for_the_room_of_the_next() {
    let (stage, size) = with_restore_points(6);
    // Room for five, of which two are for the next ones.
    let limit = (5 * size + size / 2).to_string();
    let rules = ["prune", "--keep-last", "9", "--max-space", &limit];
    let foretold: Pruned = stage.json(&[&rules[..], &["--dry-run"]].concat());
    assert_eq!((foretold.for_space.len(), foretold.missing_bytes), (3, 0));
    assert_eq!(foretold.for_space, foretold.removed);
    stage.run(&rules).expect(0).says("space is short: removed 3 restore points that a rule would keep");
    assert_eq!(stage.sequences(), [4, 5, 6]);
    let done: Pruned = stage.json(&rules);
    assert_eq!((done.removed.len(), done.for_space.len()), (0, 0));
}

#[test]
fn what_protects_stays_however_short_space_is() {
    let (stage, size) = with_restore_points(3);
    let pruned: Pruned = stage.json(&["prune", "--keep-last", "9", "--max-space", "1B"]);
    assert_eq!(stage.sequences(), [3]);
    assert_eq!(pruned.missing_bytes, size);
    let ended = stage.run(&["take", "--copy-unchanged", "--keep-last", "9", "--max-space", "1B"]).expect(0);
    ended.says("the next restore points need");
    assert_eq!(stage.sequences(), [4]);
}

#[test]
fn whatever_else_lies_there_takes_its_share() {
    let (stage, size) = with_restore_points(6);
    let limit = (8 * size + size / 2).to_string();
    let rules = ["prune", "--keep-last", "9", "--max-space", &limit];
    let alone: Pruned = stage.json(&[&rules[..], &["--dry-run"]].concat());
    assert_eq!(alone.removed.len(), 0);
    let foreign = stage.repository.path().join("holidays.mp4");
    fs::write(&foreign, vec![7; usize::try_from(3 * size).unwrap()]).unwrap();
    let beside: Pruned = stage.json(&rules);
    assert_eq!((beside.for_space.len(), beside.missing_bytes), (3, 0));
    assert!((3 * size..4 * size).contains(&beside.others_bytes), "{}", beside.others_bytes);
    // What is left of a restore point is nobody's, and takes space as well.
    let names: Vec<_> = stage.repository.manifests().unwrap().into_iter().map(|manifest| manifest.name).collect();
    fs::remove_file(stage.repository.manifest(&names[0])).unwrap();
    let beside: Pruned = stage.json(&rules);
    assert!((4 * size..5 * size).contains(&beside.others_bytes), "{}", beside.others_bytes);
    assert!(foreign.exists());

    let ended = stage.run(&["take", "--copy-unchanged", "--keep-last", "9", "--max-space", &(4 * size).to_string()]);
    ended.expect(0).says("neither restore points nor a journal (other files: ");
}

#[test]
fn a_take_without_room_says_how_much_is_free_and_how_much_it_takes() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, _connection) = Stage::with_rows(40);
    let calls = faults.run(&stage.copy(), &["take"], None).calls;
    for (at, _) in
        (1..).zip(&calls).filter(|(_, call)| call.is_write() && call.path.to_string_lossy().contains(".db.partial"))
    {
        let run = faults.run(&stage.copy(), &["take"], Some(("ENOSPC-ever", at)));
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        for said in ["No space left on device", " free, but a copy of the database needs ", "enlarge it"] {
            assert!(run.stderr.contains(said), "{said:?} is not in: {}", run.stderr);
        }
    }
}

#[test]
fn sizes_are_read_as_people_write_them() {
    let (stage, _) = with_restore_points(2);
    for good in ["200MiB", "1.5GB", "1 GiB", "4000000"] {
        stage.run(&["prune", "--keep-last", "9", "--max-space", good]).expect(0);
    }
    for bad in ["", "much", "-1MB"] {
        stage.run(&["prune", "--keep-last", "9", &format!("--max-space={bad}")]).expect(2);
    }
    assert_eq!(stage.sequences(), [1, 2]);
    stage.run(&["prune", "--max-space", "200MiB"]).expect(2);
}
