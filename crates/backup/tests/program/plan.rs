//! `backup restore --dry-run`: what would be done, and nothing of it done.

use std::fs;

use backup::restore::Plan;

use crate::stage::{Stage, ids, insert, up_to};

fn files(stage: &Stage) -> Vec<String> {
    let files = fs::read_dir(stage.directory.path()).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_dry_run_names_what_would_be_restored_and_changes_nothing() {
    let (stage, connection) = Stage::with_rows(5);
    let good = stage.take();
    insert(&connection, 1);
    let bad = stage.take();
    drop(connection);
    let path = stage.repository.stored_file(&bad);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4200] ^= 1;
    fs::write(path, bytes).unwrap();
    let before = files(&stage);
    let plan: Plan = stage.json(&["restore", "--force", "--dry-run"]);
    assert_eq!((&plan.restore_point, plan.replaces), (&good, true));
    assert_eq!(plan.rejected[0].name, bad.name);
    let said = stage.run(&["restore", "--force", "--dry-run"]).expect(0).stdout;
    assert!(said.contains("would skip") && said.contains("would restore") && said.contains("would replace"), "{said}");
    assert_eq!(files(&stage), before);
    assert_eq!(ids(&stage.database), up_to(6));
    assert_eq!(stage.restore(&["--force"]).restore_point, plan.restore_point);
}

#[test]
fn a_dry_run_ends_as_the_restore_would() {
    let (stage, connection) = Stage::with_rows(5);
    stage.run(&["restore", "--force", "--dry-run"]).expect(5);
    stage.take();
    stage.run(&["restore", "--dry-run"]).expect(4).says("is in use");
    let live: Plan = stage.json(&["restore", "--into-live", "--dry-run"]);
    assert!(live.replaces);
    drop(connection);
    stage.run(&["restore", "--dry-run"]).expect(6);
    stage.run(&["restore", "--at", "2001-01-01T00:00:00Z", "--dry-run"]).expect(5);
    stage.lose_database();
    let plan: Plan = stage.json(&["restore", "--dry-run"]);
    assert!(!plan.replaces && !stage.database.exists());
    stage.run(&["restore", "--into-live", "--dry-run"]).expect(1).says("does not exist");
}
