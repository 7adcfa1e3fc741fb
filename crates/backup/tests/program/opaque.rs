//! What a service keeps beside the restore points: a journal, say. It is never touched, but it is counted and read.

use std::fs;
use std::path::PathBuf;

use backup::prune::Pruned;

use crate::faults::Faults;
use crate::stage::{Stage, ended};

fn journal(stage: &Stage, bytes: usize) -> PathBuf {
    let directory = stage.repository.path().join("journal/a-lineage");
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("0000000001.journal");
    fs::write(&path, vec![7; bytes]).unwrap();
    path
}

#[test]
fn it_takes_its_share_of_the_space_and_stays() {
    let (stage, _connection) = Stage::with_rows(40);
    (0..6).for_each(|_| drop(stage.take()));
    let size = stage.repository.newest(None).unwrap().unwrap().size_bytes;
    let limit = (8 * size + size / 2).to_string();
    let rules = ["prune", "--keep-last", "9", "--max-space", &limit];
    let alone: Pruned = stage.json(&[&rules[..], &["--dry-run"]].concat());
    assert_eq!(alone.removed.len(), 0);
    let journal = journal(&stage, usize::try_from(3 * size).unwrap());
    let beside: Pruned = stage.json(&rules);
    assert_eq!((beside.for_space.len(), beside.missing_bytes), (3, 0));
    assert_eq!(fs::metadata(journal).unwrap().len(), 3 * size);
}

#[test]
fn verify_reads_it_and_says_what_it_cannot_tell() {
    let (stage, _connection) = Stage::with_rows(4);
    stage.take();
    journal(&stage, 123);
    // What only root may look at on many file systems.
    fs::create_dir(stage.repository.path().join("lost+found")).unwrap();
    let ended = stage.run(&["verify"]).expect(0);
    ended.says("other files in the repository are readable").says("bytes=123").says("files=1");
}

#[test]
fn what_cannot_be_read_of_it_is_damage() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, _connection) = Stage::with_rows(4);
    let name = stage.take().name;
    journal(&stage, 123);
    let verify = |arguments: &[&str]| ended(faults.unable_to_read(&stage, arguments, ".journal"));
    verify(&["verify", "--all"]).expect(3).says("0000000001.journal").says("cannot read this file");
    // Who asks for one restore point gets an answer on that one.
    verify(&["verify", name.as_str()]).expect(0);
}

/// A file may be longer than any disk: what is not there is not read.
#[test]
fn holes_are_not_read() {
    let (stage, _connection) = Stage::with_rows(1);
    stage.take();
    let directory = stage.repository.path().join("journal");
    fs::create_dir(&directory).unwrap();
    let file = fs::File::create(directory.join("long")).unwrap();
    file.set_len(1 << 43).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"data", 1 << 42).unwrap();
    stage.run(&["verify"]).expect(0).says("8796093022208");
}
