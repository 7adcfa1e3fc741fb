//! Locks in a bucket: set with what is written, renewed, honoured.

use std::time::{Duration, Instant};

use backup::remote::prune::RemotePruned;
use jiff::{SignedDuration, Timestamp};

use super::proxy::{self, Fault, Request};
use super::round_trip::ROWS;
use super::store::Store;
use super::vault::{BLIND, Kind, Vault};
use crate::stage::{Stage, insert};

/// When the first lock ends, in minutes from now, rounded.
fn least_minutes(vault: &Vault) -> i64 {
    let ends = vault.versions().iter().map(|version| version.until.unwrap_or(Timestamp::UNIX_EPOCH)).min().unwrap();
    (ends.duration_since(Timestamp::now()) + SignedDuration::from_secs(30)).as_mins()
}

#[test]
fn all_that_a_push_writes_is_locked_and_comes_back() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    for mode in ["governance", "compliance"] {
        let (stage, _connection) = Stage::with_rows(5);
        stage.take();
        let push = ["push", "--lock-for", "2h", "--lock-mode", mode];
        vault.store.run(&stage, &push).expect(0);
        let ours = vault.versions();
        let ours: Vec<_> = ours.iter().filter(|version| version.mode == mode.to_uppercase()).collect();
        assert!(ours.len() >= 2, "{ours:?}");
        assert_eq!(least_minutes(&vault), 120);
        vault.store.run(&stage, &["list", "--remote"]).expect(0);
        let lineage = stage.repository.manifests().unwrap()[0].lineage.clone().unwrap();
        vault.store.run(&Stage::new(), &["pull", "--lineage", lineage.short()]).expect(0);
    }
}

#[test]
fn the_environment_asks_for_locks_as_well() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let with = |variables: &[(&str, &str)]| {
        let mut command = vault.store.command(&stage, &["push"]);
        command.env("AWS_SESSION_TOKEN", "a-token-of-a-test").envs(variables.iter().copied());
        crate::stage::ended(command)
    };
    with(&[("BACKUP_LOCK_FOR", "soon")]).expect(2).says("BACKUP_LOCK_FOR is \"soon\"");
    with(&[("BACKUP_LOCK_MODE", "compliance")]).expect(2).says("--lock-mode needs --lock-for");
    with(&[("BACKUP_LOCK_FOR", "0s")]).expect(2).says("locks nothing");
    assert!(vault.keys().is_empty());
    with(&[("BACKUP_LOCK_FOR", "1h"), ("BACKUP_LOCK_MODE", "compliance")]).expect(0);
    assert!(vault.versions().iter().all(|version| version.mode == "COMPLIANCE"));
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    stage.run(&["prune", "--keep-last", "1", "--lock-for", "1h"]).expect(2).says("add --remote");
}

#[test]
fn what_is_there_already_is_locked_longer_and_never_shorter() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    vault.store.run(&stage, &["push"]).expect(0);
    assert!(vault.versions().iter().all(|version| version.until.is_none()));
    for (span, minutes) in [("1h", 60), ("61m", 60), ("3h", 180), ("2h", 180)] {
        vault.store.run(&stage, &["push", "--lock-for", span]).expect(0);
        assert_eq!(least_minutes(&vault), minutes, "{span}");
    }
    vault.store.run(&stage, &["push", "--lock-for", "4h", "--lock-mode", "compliance"]).expect(0);
    vault.store.run(&stage, &["push", "--lock-for", "5h", "--lock-mode", "governance"]).expect(0);
    assert!(vault.versions().iter().all(|version| version.mode == "COMPLIANCE"), "it binds everybody for good");
    assert_eq!(least_minutes(&vault), 300);
}

#[test]
fn a_renewal_is_of_what_was_pushed_first_whatever_a_thief_wrote_over_it() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    vault.store.run(&stage, &["push", "--lock-for", "1h"]).expect(0);
    let piece = vault.keys().into_iter().find(|key| key.contains('/')).unwrap();
    let bytes: usize = piece.split('-').nth(2).unwrap().parse().unwrap();
    (0..2).for_each(|_| vault.write(&piece, &vec![0; bytes]));
    vault.store.run(&stage, &["push", "--lock-for", "3h"]).expect(0);
    let versions = vault.versions();
    let of_piece: Vec<_> = versions.iter().filter(|version| version.key == piece).collect();
    assert!(of_piece[2].until.unwrap() > Timestamp::now() + SignedDuration::from_mins(170), "{of_piece:?}");
    assert!(of_piece[1].until.is_none(), "a thief's versions do not make it slow: {of_piece:?}");
}

#[test]
fn what_was_deleted_and_pushed_again_stays_locked_too() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let push = |span| vault.store.run(&stage, &["push", "--lock-for", span]).expect(0);
    push("1h");
    vault.keys().iter().for_each(|key| vault.delete(key));
    push("1h");
    push("3h");
    let versions = vault.versions();
    assert_eq!(versions.iter().filter(|version| version.until.is_some()).count(), 4, "{versions:?}");
    let ends = versions.iter().filter_map(|version| version.until).min().unwrap();
    assert!(ends > Timestamp::now() + SignedDuration::from_mins(170), "{versions:?}");
}

#[test]
fn where_nothing_can_be_locked_nothing_is_published() {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let push = ["push", "--lock-for", "1h"];
    let directory = Store::directory();
    directory.run(&stage, &push).expect(2).says("needs an S3 bucket");
    assert!(directory.keys().is_empty());
    for kind in [Kind::Plain, Kind::Versions] {
        let Some(vault) = Vault::new(kind) else { return };
        vault.store.run(&stage, &push).expect(2).says("does not have; turn it on").says("nothing was sent");
        vault.run_as(BLIND, &stage, &push).expect(8).says("missing Object Lock Configuration");
        assert!(vault.keys().is_empty());
    }
}

#[test]
fn a_store_that_takes_a_lock_and_has_none_is_found_out() {
    let Some(vault) = Vault::new(Kind::ForgetsLocks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    vault.store.run(&stage, &["push", "--lock-for", "1h"]).expect(8).says("it does not support locks");
    assert!(vault.keys().iter().all(|key| key.contains('/')), "nothing is published");
}

#[test]
fn what_an_interrupted_push_left_is_locked_as_long_as_the_rest() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(ROWS);
    stage.take();
    vault.store.run(&stage, &["push", "--lock-for", "1h"]).expect(0);
    let (manifests, pieces): (Vec<_>, Vec<_>) = vault.keys().into_iter().partition(|key| !key.contains('/'));
    manifests.iter().chain(&pieces[..1]).for_each(|key| vault.delete(key));
    vault.store.run(&stage, &["push", "--lock-for", "3h"]).expect(0);
    for version in vault.versions().iter().filter(|version| pieces.contains(&version.key) && !version.is_marker) {
        assert!(version.until.unwrap() > Timestamp::now() + SignedDuration::from_mins(170), "{version:?}");
    }
}

#[test]
fn a_store_that_fails_for_a_while_is_asked_for_locks_again() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let first = |request: &Request| if request.earlier == 0 { Fault::Status(503) } else { Fault::None };
    let broken = Store::at(&vault.store.url, &proxy::before(&vault.store, first));
    for span in ["1h", "3h"] {
        broken.run(&stage, &["push", "--lock-for", span]).expect(0);
    }
    assert_eq!(least_minutes(&vault), 180);
    vault.keys().iter().for_each(|key| vault.delete(key));
    let ask = |request: &Request| if request.path.contains('?') { Fault::Status(500) } else { Fault::None };
    let broken = Store::at(&vault.store.url, &proxy::before(&vault.store, ask));
    broken.run(&stage, &["push", "--lock-for", "1h", "--remote-retries", "0"]).expect(8).says("500");
    assert!(vault.keys().is_empty());
}

#[test]
fn a_prune_leaves_what_is_locked_says_until_when_and_takes_it_afterwards() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    let names = [stage.take().name, stage.take().name, stage.take().name];
    let began = Instant::now();
    vault.store.run(&stage, &["push", names[0].as_str()]).expect(0);
    vault.store.run(&stage, &["push", names[1].as_str(), "--lock-for", "10s"]).expect(0);
    vault.store.run(&stage, &["push", names[2].as_str(), "--lock-for", "1h"]).expect(0);
    let prune = ["prune", "--remote", "--keep-last", "1"];
    if began.elapsed() < Duration::from_secs(5) {
        let foretold: RemotePruned = vault.store.json(&stage, &[&prune[..], &["--dry-run"]].concat());
        let pruned: RemotePruned = vault.store.json(&stage, &prune);
        assert_eq!(foretold, pruned);
        assert_eq!(pruned.pruned.removed, [names[0].clone()]);
        assert_eq!(pruned.locked.len(), 1);
        assert!(
            pruned.locked[0].name == names[1]
                && pruned.locked[0].until > Timestamp::now() - SignedDuration::from_mins(1)
        );
        let said = vault.store.run(&stage, &prune).expect(0).stdout;
        assert!(said.contains(&format!("kept {}: it is locked until 20", names[1])), "{said}");
    }
    testing::until(Duration::from_secs(120), || {
        let pruned: RemotePruned = vault.store.json(&stage, &prune);
        if !pruned.locked.is_empty() {
            return Err(format!("{pruned:?}"));
        }
        assert!(pruned.keeps_versions, "what went is hidden, and there for --as-of");
        Ok(())
    });
    let left = vault.keys();
    assert!(left.iter().all(|key| key.starts_with(names[2].as_str())), "{left:?}");
    assert!(vault.versions().iter().any(|version| version.key.starts_with(names[1].as_str())));
}

#[test]
fn a_prune_with_a_lock_renews_what_rules_keep_and_nothing_else() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, connection) = Stage::with_rows(5);
    let older = stage.take().name;
    insert(&connection, 1);
    let newer = stage.take().name;
    vault.store.run(&stage, &["push", "--all", "--lock-for", "1h"]).expect(0);
    vault.store.run(&stage, &["prune", "--remote", "--keep-last", "1", "--lock-for", "3h"]).expect(0);
    for version in vault.versions() {
        let expected = if version.key.starts_with(newer.as_str()) { 170 } else { 50 };
        let minutes = version.until.unwrap().duration_since(Timestamp::now()).as_mins();
        assert!((expected..expected + 11).contains(&minutes), "{version:?}, {older} goes");
    }
}

#[test]
fn who_may_not_ask_for_locks_prunes_as_before_and_is_told() {
    let Some(vault) = Vault::new(Kind::Locks) else { return };
    let (stage, _connection) = Stage::with_rows(5);
    (0..2).for_each(|_| drop(stage.take()));
    vault.store.run(&stage, &["push", "--all", "--lock-for", "1h"]).expect(0);
    vault.run_as(BLIND, &stage, &["prune", "--remote", "--keep-last", "1"]).expect(0).says("cannot read locks");
    assert_eq!(vault.versions().iter().filter(|version| version.until.is_some()).count(), 4, "the store keeps all");
}
