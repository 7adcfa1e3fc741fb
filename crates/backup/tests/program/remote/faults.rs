//! A store that fails, is silent, cuts its answers or loses them, and a push that is killed.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::proxy::{Fault, Request};
use super::round_trip::ROWS;
use super::store::Store;
use crate::stage::{Stage, ids, up_to};

const HASTY: [&str; 4] = ["--remote-timeout", "2s", "--remote-retries", "1"];

fn hastily(store: &Store, stage: &Stage, command: &str) -> crate::stage::Ended {
    store.run(stage, &[&[command], &HASTY[..]].concat())
}

#[test]
fn a_store_that_fails_for_a_while_is_asked_again() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(ROWS);
    stage.take();
    let first = |fault| move |request: &Request| if request.earlier == 0 { fault } else { Fault::None };
    // A manifest that is created is no request to repeat blindly, see below.
    let but_manifests =
        |fault| move |request: &Request| if request.is_manifest("PUT") { Fault::None } else { first(fault)(request) };
    bucket.behind(first(Fault::Status(503))).push(&stage);
    for fault in [Fault::Status(500), Fault::Cut, Fault::Lose] {
        let elsewhere = Stage::new();
        let pulled = bucket.behind(but_manifests(fault)).pull(&elsewhere);
        assert_eq!(pulled.pulled.len(), 1, "{fault:?}");
        elsewhere.restore(&[]);
        assert_eq!(ids(&elsewhere.database), up_to(ROWS.into()), "{fault:?}");
    }
}

#[test]
fn a_store_that_never_answers_well_ends_a_push_in_time_and_leaves_no_half() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    for (fault, said) in [(Fault::Status(500), "500"), (Fault::Silence, "timed out"), (Fault::Lose, "error")] {
        let began = Instant::now();
        let broken = bucket.behind(move |request| if request.method == "PUT" { fault } else { Fault::None });
        hastily(&broken, &stage, "push").expect(8).says(&bucket.url).says(said).says("try again");
        assert!(began.elapsed() < Duration::from_secs(50), "{fault:?}");
        assert!(!bucket.keys().iter().any(|key| key.ends_with(".json")), "{fault:?}");
    }
    for fault in [Fault::Status(500), Fault::Silence] {
        let broken = bucket.behind(move |_| fault);
        hastily(&broken, &stage, "push").expect(8).says("cannot list s3://");
        hastily(&broken, &Stage::new(), "pull").expect(8);
    }
}

#[test]
fn a_store_that_cuts_every_answer_gives_nothing_that_is_published() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(ROWS);
    stage.take();
    bucket.push(&stage);
    let elsewhere = Stage::new();
    let broken = bucket.behind(|request| if request.is_piece("GET") { Fault::Cut } else { Fault::None });
    hastily(&broken, &elsewhere, "pull").expect(8);
    assert_eq!(elsewhere.files(), [""; 0]);
}

#[test]
fn an_interrupted_push_goes_on_where_it_was() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(ROWS);
    let point = stage.take();
    let third = |request: &Request| request.is_piece("PUT") && request.path.contains("/000002-");
    let there = Store::at(&bucket.url, &bucket.endpoint);
    let broken = bucket.behind(move |request| {
        if !third(request) {
            return Fault::None;
        }
        // Those before it are under way at the same time.
        testing::until(Duration::from_secs(60), || {
            let keys = there.keys();
            if keys.len() < 2 { Err(format!("{keys:?}")) } else { Ok(()) }
        });
        Fault::Status(500)
    });
    broken.run(&stage, &["push", "--remote-retries", "0"]).expect(8);
    assert_eq!(bucket.keys().len(), 2);
    bucket.run(&Stage::new(), &["pull"]).expect(5);
    let sent = bucket.push(&stage).pushed.remove(0);
    assert_eq!((sent.bytes, sent.sent_bytes), (point.size_bytes, point.size_bytes - 2 * 8 * 1024 * 1024));
    bucket.pull(&Stage::new());
}

#[test]
fn a_push_that_is_killed_leaves_nothing_that_counts() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(ROWS);
    stage.take();
    let (tell, told) = mpsc::sync_channel(0);
    let broken = bucket.behind(move |request| {
        if !request.is_manifest("PUT") {
            return Fault::None;
        }
        let _ = tell.send(());
        Fault::Silence
    });
    let mut push = broken.command(&stage, &["push"]).spawn().unwrap();
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    push.kill().unwrap();
    push.wait().unwrap();
    assert_eq!(bucket.keys().len(), 3, "all but the manifest");
    bucket.run(&Stage::new(), &["pull"]).expect(5);
    assert_eq!(bucket.push(&stage).pushed[0].sent_bytes, 0);
    bucket.pull(&Stage::new());
}

#[test]
fn if_the_answer_to_the_manifest_is_lost_the_next_push_finds_it_done() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(5);
    let point = stage.take();
    let broken = bucket.behind(|request| if request.is_manifest("PUT") { Fault::Lose } else { Fault::None });
    hastily(&broken, &stage, "push").expect(8).says("try again");
    assert_eq!(bucket.push(&stage).present, [point.name]);
    bucket.pull(&Stage::new());
}
