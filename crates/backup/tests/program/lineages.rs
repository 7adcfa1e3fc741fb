//! Several databases in one repository: a new empty one never takes the place of the lost one.

use std::fs;

use backup::lineage::Lineage;

use crate::stage::{Stage, create, ids, insert, up_to};

/// A database with rows was lost and a new one is born at its place; both have restore points.
fn disaster() -> (Stage, Lineage, Lineage) {
    let (stage, connection) = Stage::with_rows(9);
    let old = stage.take().lineage.unwrap();
    drop(connection);
    stage.lose_database();
    drop(create(&stage.database));
    let new = stage.take_suspect().lineage.unwrap();
    stage.take();
    stage.lose_database();
    (stage, old, new)
}

#[test]
fn with_several_lineages_a_restore_asks_which() {
    let (stage, old, new) = disaster();
    let refused = stage.run(&["restore"]).expect(5).says("2 lineages");
    refused.says(&format!("{old} (1 restore points")).says(&format!("{new} (2 restore points"));
    stage.run(&["restore", "--lineage", ""]).expect(5).says("2 lineages");
    stage.run(&["restore", "--lineage", "x"]).expect(5).says(old.as_str());
    stage.run(&["restore", "--lineage", "none"]).expect(5);
    assert!(!stage.database.exists());
}

#[test]
fn a_new_empty_lineage_is_never_restored_in_place_of_the_old() {
    let (stage, old, _) = disaster();
    let restored = stage.restore(&["--lineage", old.as_str().get(..12).unwrap()]);
    assert_eq!(restored.restore_point.lineage, Some(old));
    assert_eq!(ids(&stage.database), up_to(9));
}

#[test]
fn a_name_needs_no_lineage_but_must_not_contradict_it() {
    let (stage, old, new) = disaster();
    let name = stage.repository.newest(Some(&old)).unwrap().unwrap().name;
    stage.run(&["restore", name.as_str(), "--lineage", new.as_str()]).expect(5).says(old.as_str());
    stage.restore(&[name.as_str()]);
    assert_eq!(ids(&stage.database), up_to(9));
}

#[test]
fn a_prune_counts_each_lineage_on_its_own() {
    let (stage, old, new) = disaster();
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [1, 3]);
    assert_eq!(stage.repository.newest(Some(&old)).unwrap().unwrap().sequence, 1);
    assert_eq!(stage.repository.newest(Some(&new)).unwrap().unwrap().sequence, 3);
}

#[test]
fn a_verify_looks_at_the_newest_of_each_lineage() {
    let (stage, old, new) = disaster();
    let verified: serde_json::Value = stage.json(&["verify"]);
    assert_eq!(verified.as_array().unwrap().len(), 2, "{verified}");
    for lineage in [old, new] {
        let newest = stage.repository.newest(Some(&lineage)).unwrap().unwrap();
        assert!(verified.to_string().contains(newest.name.as_str()), "{verified}");
    }
}

#[test]
fn a_database_without_a_lineage_can_be_asked_for() {
    let (stage, _, _) = disaster();
    let plain = rusqlite::Connection::open(&stage.database).unwrap();
    crate::stage::create_table(&plain);
    insert(&plain, 2);
    drop(plain);
    stage.take_suspect();
    stage.lose_database();
    stage.restore(&["--lineage", "none"]);
    assert_eq!(ids(&stage.database), up_to(2));
}

/// Moves the cursor and colours what follows, on a terminal.
const ESCAPE: &str = "\u{1b}[2J\u{1b}[31m\nall is well";

#[test]
fn a_lineage_is_32_hexadecimal_digits_or_its_manifest_is_malformed() {
    let (stage, _connection) = Stage::with_rows(5);
    let taken = stage.take();
    let path = stage.repository.manifest(&taken.name);
    let manifest = fs::read_to_string(&path).unwrap();
    let lineage = taken.lineage.unwrap().to_string();
    for other in ["", "abc", ESCAPE, &lineage[1..], &format!("{lineage}0"), &"A".repeat(32), &"é".repeat(16)] {
        let quoted = serde_json::to_string(other).unwrap();
        fs::write(&path, manifest.replace(&format!("\"{lineage}\""), &quoted)).unwrap();
        for (arguments, code) in [(&["list"][..], 0), (&["verify"], 3), (&["restore", "--force"], 3)] {
            let ended = stage.run(arguments).expect(code);
            let said = ended.stdout + &ended.stderr;
            assert!(said.contains("invalid lineage"), "{said}");
            assert!(!said.contains("\nall is well") && !said.contains("\u{1b}"), "{said:?}");
        }
    }
}

#[test]
fn a_database_with_something_else_for_a_lineage_counts_as_one_without() {
    let (stage, connection) = Stage::with_rows(5);
    for other in [rusqlite::types::Value::from(ESCAPE.to_owned()), vec![0xff].into(), "A".repeat(32).into()] {
        connection.execute("UPDATE pra_lineage SET id = ?1", [other]).unwrap();
        assert_eq!(stage.take().lineage, None);
        stage.run(&["verify", "--all"]).expect(0);
    }
}
