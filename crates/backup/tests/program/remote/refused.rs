//! What is refused, and what is never shown.

use super::proxy::{self, Fault};
use super::store::{KEY_ID, SECRET, Store};
use crate::stage::{Stage, beside, edit};

#[test]
fn a_url_that_names_no_store_is_a_usage_error_that_repeats_no_password() {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    for (url, reason) in [
        ("ftp://host/x", "ftp:// is no store"),
        ("s3://key:password@bucket/x", "credentials in the environment"),
        ("nothing", "it is no URL"),
    ] {
        let ended = stage.run(&["push", "--remote", url]).expect(2).says(reason);
        assert!(!ended.stderr.contains("password@"), "{}", ended.stderr);
    }
    stage.run(&["list", "--remote"]).expect(2).says("BACKUP_REMOTE");
    stage.run(&["push", "--remote", "file:///does/not/exist"]).expect(1).says("create the directory");
    let nonsense = Store::at("s3://bucket", "no URL");
    nonsense.run(&stage, &["push"]).expect(2).says("expected http:// or https://");
}

#[test]
fn two_restore_points_of_one_name_never_replace_each_other() {
    for store in Store::each() {
        let [(one, _first), (other, _second)] = [5, 7].map(Stage::with_rows);
        let (point, foreign) = (one.take(), other.take());
        // As if both had begun in the same millisecond.
        for suffix in [".db", ".json"] {
            let path = |stage: &Stage, name: &str| beside(&stage.repository.path().join(name), suffix);
            let text = std::fs::read(path(&other, foreign.name.as_str())).unwrap();
            std::fs::write(path(&other, point.name.as_str()), text).unwrap();
        }
        edit(&other.repository, &point.name, foreign.name.as_str(), point.name.as_str());

        store.push(&one);
        let keys = store.keys();
        store.run(&other, &["push", point.name.as_str()]).expect(6).says("another restore point of that name");
        assert_eq!(store.keys(), keys);
        store.run(&other, &["pull"]).expect(6).says("pull into another directory");
    }
}

#[test]
fn with_nothing_to_push_or_pull_that_is_said() {
    for store in Store::each() {
        let stage = Stage::new();
        store.run(&stage, &["push"]).expect(5).says("take one first");
        store.run(&stage, &["pull"]).expect(5).says("the repository is empty");
        assert!(store.run(&stage, &["list", "--remote"]).expect(0).stdout.contains("no restore points"));
    }
}

#[test]
fn no_credential_is_shown_at_any_level_even_if_the_store_repeats_it() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let echo = proxy::before(&bucket, |_| Fault::Status(403));
    let refusing = Store::at(&bucket.url, &echo);
    let refused = refusing.run(&stage, &["push", "--log", "trace"]).expect(8).says("check the credentials");
    assert!(refused.stderr.contains("authorization"), "the store did not repeat it: {}", refused.stderr);
    let done = bucket.run(&stage, &["push", "--log", "trace"]).expect(0);
    for shown in [refused.stderr, refused.stdout, done.stderr, done.stdout] {
        assert!(!shown.contains(SECRET) && !shown.contains(KEY_ID), "{shown}");
    }
}
