//! A bucket as it was at a time.

use std::fs;

use backup::Entry;
use backup::remote::pull::Pulled;

use super::store::Store;
use super::vault::{Kind, Vault};
use crate::stage::{Stage, ids, insert, up_to};

#[test]
fn what_was_overwritten_deleted_or_added_since_is_not_seen() {
    let Some(vault) = Vault::new(Kind::Versions) else { return };
    let (stage, connection) = Stage::with_rows(5);
    let first = stage.take().name;
    vault.store.push(&stage);
    let early = vault.between();
    insert(&connection, 2);
    let newest = stage.take().name;
    vault.store.push(&stage);
    let good = vault.between();
    for (number, key) in vault.keys().into_iter().enumerate() {
        match number % 2 {
            0 => vault.delete(&key),
            _ => vault.write(&key, b"forged"),
        }
    }
    let forged = newest.manifest_file().replace(&newest.as_str()[4..8], "2999");
    vault.write(&forged, b"{}");

    let pull = ["pull", "--as-of", &good];
    vault.store.run(&Stage::new(), &["pull"]).expect(3).says("--as-of TIME");
    let listed: Vec<Entry> = vault.store.json(&stage, &["list", "--remote", "--as-of", &good]);
    assert_eq!(listed, stage.repository.entries().unwrap());
    let elsewhere = Stage::new();
    let pulled: Pulled = vault.store.json(&elsewhere, &pull);
    assert_eq!(pulled.pulled, [newest]);
    elsewhere.restore(&[]);
    assert_eq!(ids(&elsewhere.database), up_to(7));
    let elsewhere = Stage::new();
    let pulled: Pulled = vault.store.json(&elsewhere, &["pull", "--as-of", &early, "--all"]);
    assert_eq!(pulled.pulled, std::slice::from_ref(&first));
    // Who pushed remembers more than there was then, which is no rollback.
    let listed: Vec<Entry> = vault.store.json(&stage, &["list", "--remote", "--as-of", &early]);
    assert_eq!(listed.len(), 1);
    let pulled: Pulled = vault.store.json(&stage, &["pull", "--as-of", &early]);
    assert_eq!(pulled.present, [first]);
    vault.store.run(&stage, &["list", "--remote"]).expect(6);
    vault.store.run(&Stage::new(), &["pull", "--as-of", "2001-01-01T00:00:00Z"]).expect(5);
}

#[test]
fn what_was_deleted_before_is_not_there_and_what_came_back_is() {
    let Some(vault) = Vault::new(Kind::Versions) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    vault.store.push(&stage);
    let good = vault.between();
    vault.keys().iter().for_each(|key| vault.delete(key));
    let gone = vault.between();
    vault.store.push(&stage);
    let again = vault.between();
    for (time, entries) in [(&good, 1), (&gone, 0), (&again, 1)] {
        let listed: Vec<Entry> = vault.store.json(&stage, &["list", "--remote", "--as-of", time]);
        assert_eq!(listed.len(), entries, "{time}");
    }
    vault.store.run(&Stage::new(), &["pull", "--as-of", &gone]).expect(5);
    vault.store.run(&Stage::new(), &["pull", "--as-of", &again]).expect(0);
}

#[test]
fn without_versions_there_is_no_past() {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let (time, directory) = ("2026-11-22T18:09:35Z", Store::directory());
    directory.push(&stage);
    directory.run(&Stage::new(), &["pull", "--as-of", time]).expect(2).says("--as-of needs an S3 bucket");
    stage.run(&["list", "--as-of", time]).expect(2);
    let manifest = directory.keys().into_iter().find(|key| key.ends_with(".json")).unwrap();
    fs::remove_file(directory.file(&manifest)).unwrap();
    let ended = directory.run(&Stage::new(), &["pull"]).expect(5);
    assert!(!ended.stderr.contains("--as-of"), "{}", ended.stderr);
    let Some(vault) = Vault::new(Kind::Plain) else { return };
    vault.store.push(&stage);
    vault
        .store
        .run(&Stage::new(), &["pull", "--as-of", time])
        .expect(2)
        .says("a bucket with versioning")
        .says("does not have");
}
