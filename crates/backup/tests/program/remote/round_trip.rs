//! There and back.

use std::fs;

use backup::Entry;
use backup::remote::pull::Pulled;

use super::store::{Store, server};
use crate::stage::{Stage, create, ids, insert, up_to};

/// Rows of three pieces.
pub const ROWS: u32 = 18_000;

#[test]
fn what_is_pushed_is_pulled_and_restored_where_nothing_else_is_left() {
    for store in Store::each() {
        for form in [&[][..], &["--compress"]] {
            let (stage, _connection) = Stage::with_rows(ROWS);
            stage.run(&[&["take"], form].concat()).expect(0);
            let pushed = store.push(&stage);
            assert_eq!(pushed.pushed.len(), 1);
            let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
            assert_eq!(listed.last(), stage.repository.entries().unwrap().last());

            let elsewhere = Stage::new();
            let lineage = stage.repository.manifests().unwrap()[0].lineage.clone().unwrap();
            let pulled: Pulled = store.json(&elsewhere, &["pull", "--lineage", lineage.short()]);
            assert_eq!(pulled.pulled.len(), 1);
            assert_eq!(elsewhere.repository.manifests().unwrap(), stage.repository.manifests().unwrap());
            elsewhere.run(&["verify", "--all"]).expect(0);
            elsewhere.restore(&[]);
            assert_eq!(ids(&elsewhere.database), up_to(ROWS.into()));
        }
    }
}

#[test]
fn what_is_there_or_here_is_not_transferred_again() {
    for store in Store::each() {
        let (stage, _connection) = Stage::with_rows(5);
        let point = stage.take();
        let keys = (store.push(&stage), store.keys()).1;
        assert_eq!(store.push(&stage).present.first(), Some(&point.name));
        assert_eq!(store.keys(), keys);
        let pulled = store.pull(&stage);
        assert_eq!((pulled.pulled, pulled.present), (vec![], vec![point.name]));
    }
}

#[test]
fn a_push_sends_the_newest_and_with_all_the_rest() {
    let (stage, _connection) = Stage::with_rows(5);
    let store = Store::directory();
    let names = [stage.take().name, stage.take().name, stage.take().name];
    assert_eq!(store.push(&stage).pushed[0].name, names[2]);
    store.run(&stage, &["push", names[0].as_str()]).expect(0);
    let rest = store.run(&stage, &["push", "--all"]).expect(0).stdout;
    assert!(rest.contains(&format!("pushed {} ", names[1])) && rest.matches("is already there").count() == 2, "{rest}");

    let elsewhere = Stage::new();
    store.run(&elsewhere, &["pull", names[0].as_str()]).expect(0);
    assert_eq!(elsewhere.sequences(), [1]);
    store.run(&elsewhere, &["pull", "--all"]).expect(0);
    assert_eq!(elsewhere.sequences(), [1, 2, 3]);
    let at = stage.repository.manifests().unwrap()[1].created_at.to_string();
    let early = Stage::new();
    store.run(&early, &["pull", "--at", &at]).expect(0);
    assert_eq!(early.sequences(), [2]);
}

#[test]
fn a_confirmation_is_handed_on() {
    for store in Store::each() {
        let (stage, _connection) = Stage::with_rows(5);
        stage.run(&["take"]).expect(0);
        store.push(&stage);
        stage.run(&["take"]).expect(0);
        let confirmed = stage.repository.manifests().unwrap();
        assert!(confirmed[0].confirmed_at.is_some());
        store.push(&stage);
        let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
        assert_eq!(listed[0].manifest(), confirmed.first());
    }
}

#[test]
fn of_several_lineages_none_is_guessed() {
    let store = Store::directory();
    let [(one, _first), (other, _second)] = [5, 7].map(Stage::with_rows);
    let lineage = one.take().lineage.unwrap();
    other.take();
    store.push(&one);
    store.push(&other);
    let elsewhere = Stage::new();
    store.run(&elsewhere, &["pull"]).expect(5).says("2 lineages").says(lineage.as_str());
    store.run(&elsewhere, &["pull", "--lineage", lineage.short()]).expect(0);
    elsewhere.restore(&[]);
    assert_eq!(ids(&elsewhere.database), up_to(5));
}

#[test]
fn before_a_service_starts_a_pull_brings_what_is_lost_and_nothing_else() {
    let store = Store::directory();
    let (stage, connection) = Stage::with_rows(5);
    let start = |stage: &Stage| {
        store.run(stage, &["pull", "--if-missing"]).expect(0);
        stage.run(&["restore", "--if-missing"]).expect(0);
    };
    let fresh = Stage::new();
    start(&fresh);
    assert!(!fresh.database.exists(), "first start");
    stage.take();
    store.push(&stage);
    insert(&connection, 2);
    start(&stage);
    assert_eq!(ids(&stage.database), up_to(7), "it is there");
    drop(connection);
    stage.lose_database();
    start(&stage);
    assert_eq!(stage.sequences(), [1], "what is here is enough");
    start(&fresh);
    assert_eq!(ids(&fresh.database), up_to(5), "all was lost");

    // What exists must not depend on a remote that cannot be reached.
    let gone = Store::at("file:///does/not/exist", "");
    gone.run(&fresh, &["pull", "--if-missing"]).expect(0);
    fresh.run(&["pull", "--if-missing"]).expect(0);
    Stage::new().run(&["pull", "--if-missing"]).expect(2).says("BACKUP_REMOTE");
    gone.run(&Stage::new(), &["pull", "--if-missing"]).expect(1).says("does not exist");
}

#[test]
fn the_remote_of_the_environment_diverts_no_list_and_no_prune() {
    let store = Store::directory();
    let (stage, _connection) = Stage::with_rows(5);
    (0..2).for_each(|_| drop(stage.take()));
    store.run(&stage, &["push", "--all"]).expect(0);
    store.run(&stage, &["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [2]);
    assert_eq!(store.run(&stage, &["list", "--remote"]).expect(0).stdout.matches("complete").count(), 2);
    assert_eq!(store.run(&stage, &["list"]).expect(0).stdout.matches("complete").count(), 1);
}

#[test]
fn with_tls_only_certificates_that_are_trusted_will_do() {
    let (Some(server), Some(bucket)) = (server(), Store::bucket()) else { return };
    let store = Store::at(&bucket.url, &server.https);
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let ca = server.certificate.to_str().unwrap();
    store.run(&stage, &["push", "--remote-ca", ca]).expect(0);
    store.run(&stage, &["push", "--remote-retries", "0"]).expect(8).says("certificate");
    let empty = stage.path("empty.pem");
    fs::write(&empty, "").unwrap();
    store.run(&stage, &["push", "--remote-ca", empty.to_str().unwrap()]).expect(1).says("expected PEM");
}

#[test]
fn a_database_without_lineage_or_rows_is_as_good() {
    let store = Store::directory();
    let stage = Stage::new();
    drop(create(&stage.database));
    stage.take();
    store.push(&stage);
    let elsewhere = Stage::new();
    store.pull(&elsewhere);
    elsewhere.restore(&[]);
    assert_eq!(ids(&elsewhere.database), up_to(0));
}
