//! Other processes on the same database: a second instance, a foreign writer, a foreign lock.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::task::JoinSet;

use crate::harness::{App, Place};

#[tokio::test]
async fn two_processes_share_a_database_without_losing_a_write() {
    let place = Place::new();
    let (one, two) = (place.start(), place.start());
    let mut requests = JoinSet::new();
    for app in [&one, &two] {
        for _ in 0..200 {
            requests.spawn(app.request(Method::GET, "/add?message=x"));
        }
    }
    let acknowledged: BTreeSet<_> = requests.join_all().await.into_iter().map(|answer| answer.unwrap().id()).collect();
    assert_eq!(acknowledged.len(), 400);
    assert_eq!((one.count().await, two.count().await), (400, 400));
    one.stop();
    assert_eq!(two.add("x").await.id(), 401);
    assert_eq!(two.ids().await.len(), 401);
}

#[tokio::test]
async fn checkpoints_and_vacuums_of_others_are_no_loss() {
    let place = Place::new();
    let (one, two) = (place.start(), place.start());
    let foreign = place.sqlite();
    foreign.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut requests = JoinSet::new();
    let message = "x".repeat(2000);
    for app in [&one, &two] {
        let requested: Vec<_> =
            (0..400).map(|_| app.request(Method::GET, &format!("/add?message={message}"))).collect();
        requests.spawn(async {
            for request in requested {
                request.await.unwrap().id();
            }
        });
    }
    let statements = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"].map(|mode| format!("PRAGMA wal_checkpoint({mode})"));
    let others = tokio::task::spawn_blocking(move || {
        for round in 0..100 {
            foreign.execute_batch(&statements[round % 4]).unwrap();
            if round % 10 == 0 {
                foreign.execute("DELETE FROM message WHERE id % 3 = 0", []).unwrap();
                foreign.execute_batch("VACUUM").unwrap();
            }
        }
    });
    others.await.unwrap();
    requests.join_all().await;
    for app in [one, two] {
        assert_eq!(app.get("/health").await.status, 200);
        app.stop();
    }
}

#[tokio::test]
async fn processes_that_start_at_once_agree_on_one_database() {
    let place = Place::new();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let command = place.command();
            tokio::task::spawn_blocking(|| App::start(command))
        })
        .collect();
    let mut lineages = BTreeSet::new();
    for start in starts {
        let app = start.await.unwrap();
        app.add("x").await.id();
        lineages.insert(app.get("/status").await.json()["lineage"].to_string());
    }
    assert_eq!(lineages.len(), 1, "{lineages:?}");
    assert_eq!(place.start().count().await, 6);
}

#[tokio::test]
async fn the_count_is_right_after_a_foreign_writer() {
    let place = Place::new();
    let app = place.start();
    for _ in 0..5 {
        app.add("x").await.id();
    }
    let foreign = place.sqlite();
    foreign.execute("DELETE FROM message WHERE id > 3", []).unwrap();
    assert_eq!(app.count().await, 3);
    // Not text, and not UTF-8 either: such a row is shown as well as it goes, and hides no other.
    foreign.execute("INSERT INTO message (timestamp, message) VALUES ('now', x'ff')", []).unwrap();
    assert_eq!(app.count().await, 4);
    assert_eq!(app.ids().await, [6, 3, 2, 1]);
    foreign.execute("DELETE FROM message", []).unwrap();
    assert_eq!(app.count().await, 0);
}

#[tokio::test]
async fn a_full_queue_is_refused_at_once_and_recovers() {
    let place = Place::new();
    let mut command = place.command();
    command.args(["--queue-depth", "4"]);
    let app = App::start(command);
    let foreign = place.sqlite();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();

    let mut requests = JoinSet::new();
    for _ in 0..32 {
        requests.spawn(app.request(Method::GET, "/add?message=x"));
    }
    // At most four wait in the queue, and at most five are in the writer's hands.
    for _ in 0..23 {
        let answer = requests.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.json()["outcome"], "refused");
    }
    foreign.execute_batch("ROLLBACK").unwrap();
    let answers = requests.join_all().await;
    let added = answers.into_iter().filter(|answer| answer.as_ref().unwrap().status == 200).count();
    assert!(added >= 4, "{added} were added of those that waited");
    assert_eq!(app.count().await, i64::try_from(added).unwrap());
    assert_eq!(app.add("x").await.status, 200);
}

#[tokio::test]
async fn a_long_foreign_lock_is_told_and_outlived() {
    let place = Place::new();
    let app = place.start();
    let foreign = place.sqlite();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    let (health, add) = tokio::join!(app.get("/health"), app.add("x"));
    assert!(asked.elapsed() < Duration::from_secs(9));
    assert_eq!(health.status, 503);
    assert_eq!(app.get("/live").await.status, 200, "a restart takes no lock away");
    assert_eq!((add.status.as_u16(), add.header("retry-after")), (503, "1"));
    assert_eq!(add.json()["outcome"], "refused");
    assert_eq!(app.count().await, 0, "reading goes on");
    foreign.execute_batch("ROLLBACK").unwrap();
    assert_eq!(app.add("x").await.id(), 1);
    assert_eq!(app.get("/health").await.status, 200);
}

#[tokio::test]
async fn checkpoints_are_left_to_another_program_if_it_is_asked_for() {
    for (pages, is_moved) in [("0", false), ("1", true)] {
        let place = Place::new();
        let mut command = place.command();
        command.args(["--wal-autocheckpoint", pages]);
        let app = App::start(command);
        let before = std::fs::read(place.database()).unwrap();
        for number in 0..3 {
            app.add(&format!("message {number}")).await;
        }
        assert_eq!(std::fs::read(place.database()).unwrap() != before, is_moved, "--wal-autocheckpoint {pages}");
        app.stop();
    }
}
