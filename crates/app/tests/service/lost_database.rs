//! A database that is deleted or replaced under the running service: it must notice, and acknowledge nothing.

use std::collections::BTreeSet;
use std::fs;

use reqwest::Method;
use tokio::task::JoinSet;

use crate::harness::{App, Place, until};

async fn serves_nothing(app: &App, reason: &str) {
    let health = app.get("/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (503, &"unavailable".into()));
    assert!(health.json()["reason"].as_str().unwrap().contains(reason), "{}", health.text);
    let live = app.get("/live").await;
    assert_eq!((live.status.as_u16(), live.text), (503, health.text), "only a restart helps");
    for path in ["/add?message=x", "/count", "/consultation", "/status"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.json()["error"].as_str().unwrap().contains("restart this process"), "{path} {}", answer.text);
        assert_eq!(answer.header("retry-after"), "", "waiting does not help");
    }
    assert_eq!(app.add("x").await.json()["outcome"], "refused");
    assert_eq!(app.get("/").await.status, 200);
}

#[tokio::test]
async fn a_deleted_database_is_not_served() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    fs::remove_file(place.database()).unwrap();
    serves_nothing(&app, "app.db was deleted").await;
    assert!(!app.stop_lost().contains("saved"));
    assert!(!place.database().exists());
}

#[tokio::test]
async fn reads_notice_a_deleted_database_without_any_write() {
    let place = Place::new();
    let app = place.start();
    fs::remove_file(place.database()).unwrap();
    assert_eq!(app.get("/count").await.status, 503);
}

#[tokio::test]
async fn a_deleted_wal_is_noticed() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    fs::remove_file(place.wal()).unwrap();
    serves_nothing(&app, "app.db-wal was deleted").await;
}

#[tokio::test]
async fn what_was_acknowledged_before_the_wal_was_deleted_is_saved() {
    let place = Place::new();
    let apps = [place.start(), place.start()];
    let mut clients = JoinSet::new();
    for app in apps.iter().chain(&apps) {
        let requests: Vec<_> = (0..5000).map(|_| app.request(Method::GET, "/add?message=x")).collect();
        clients.spawn(async {
            let mut ids = BTreeSet::new();
            for request in requests {
                match request.await.unwrap() {
                    answer if answer.status == 200 => assert!(ids.insert(answer.id())),
                    _ => break,
                }
            }
            ids
        });
    }
    until(async || match apps[0].count().await {
        count if count > 100 => Ok(()),
        count => Err(format!("{count} messages")),
    })
    .await;
    fs::remove_file(place.wal()).unwrap();
    let acknowledged: BTreeSet<_> = clients.join_all().await.into_iter().flatten().collect();
    for app in apps {
        assert!(app.stop_lost().contains("saved its acknowledged writes into it"));
    }
    assert!(!place.wal().exists());

    let app = place.start();
    let found: BTreeSet<_> = app.ids().await.into_iter().collect();
    assert_eq!(acknowledged.difference(&found).count(), 0, "of {}", acknowledged.len());
    let intact: String = place.sqlite().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(intact, "ok");
}

#[tokio::test]
async fn a_wal_that_was_deleted_while_nothing_was_asked_is_saved_by_a_stop() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    fs::remove_file(place.wal()).unwrap();
    assert!(app.stop_lost().contains("saved its acknowledged writes into it"));
    assert_eq!(place.start().ids().await, [1]);
}

#[tokio::test]
async fn a_wal_in_the_place_of_the_deleted_one_is_left_alone() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    fs::remove_file(place.wal()).unwrap();
    fs::write(place.wal(), "").unwrap();
    let before = fs::read(place.database()).unwrap();
    serves_nothing(&app, "app.db-wal was replaced").await;
    assert!(!app.stop_lost().contains("saved"));
    assert_eq!(fs::read(place.wal()).unwrap(), b"");
    assert!(fs::read(place.database()).unwrap() == before);
}

#[tokio::test]
async fn a_reader_in_the_way_of_saving_is_told_and_tried_again() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    let reader = place.sqlite();
    reader.execute_batch("BEGIN; SELECT count(*) FROM message").unwrap();
    app.add("x").await.id();
    fs::remove_file(place.wal()).unwrap();
    assert_eq!(app.add("x").await.status, 503);
    until(async || match app.stderr() {
        log if log.contains("not all acknowledged writes were saved") => Ok(()),
        log => Err(log),
    })
    .await;
    reader.execute_batch("COMMIT").unwrap();
    assert!(app.stop_lost().contains("saved its acknowledged writes into it"));
    drop(reader);
    assert_eq!(place.start().ids().await, [2, 1]);
}

#[tokio::test]
async fn a_deleted_shm_is_noticed() {
    let place = Place::new();
    let app = place.start();
    fs::remove_file(place.shm()).unwrap();
    serves_nothing(&app, "app.db-shm was deleted").await;
}

/// Writes into the file itself, as `cp` does.
fn overwrite(place: &Place, bytes: &[u8]) {
    fs::write(place.database(), bytes).unwrap();
}

#[tokio::test]
async fn a_database_that_is_overwritten_in_place_is_noticed() {
    let other = Place::new();
    let copy = other.path().join("copy.db");
    other.start().stop();
    other.sqlite().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    for bytes in [Vec::new(), fs::read(copy).unwrap()] {
        let place = Place::new();
        let app = place.start();
        app.add("x").await.id();
        overwrite(&place, &bytes);
        serves_nothing(&app, "app.db was overwritten").await;
        app.stop_lost();
        assert!(fs::read(place.database()).unwrap() == bytes, "nothing of the old database is mixed into it");
    }
}

/// Opening an empty database makes SQLite delete the -wal file: that one must not be saved into what is there now.
#[tokio::test]
async fn reading_an_emptied_database_writes_nothing_into_it() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    overwrite(&place, b"");
    assert_eq!(app.get("/count").await.status, 503);
    assert!(!app.stop_lost().contains("saved"));
    assert_eq!(fs::read(place.database()).unwrap(), b"");
}

#[tokio::test]
async fn a_copy_of_before_the_last_checkpoint_is_noticed() {
    let place = Place::new();
    let app = place.start();
    let copy = fs::read(place.database()).unwrap();
    for _ in 0..20 {
        app.add(&"x".repeat(4000)).await.id();
    }
    place.sqlite().execute_batch("PRAGMA wal_checkpoint").unwrap();
    app.add("x").await.id();
    overwrite(&place, &copy);
    serves_nothing(&app, "app.db was overwritten").await;
}

/// As `restore` does it: rename over the database, and remove what belonged to the old one.
fn replace(place: &Place) {
    let other = Place::new();
    other.start().stop();
    fs::rename(other.database(), place.database()).unwrap();
    fs::remove_file(place.wal()).unwrap();
    fs::remove_file(place.shm()).unwrap();
}

#[tokio::test]
async fn a_replaced_database_is_not_served_until_a_restart() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    replace(&place);
    serves_nothing(&app, "app.db was replaced").await;
    app.stop_lost();
    let app = place.start();
    assert_eq!(app.count().await, 0);
    assert_eq!(app.add("x").await.id(), 1);
}

#[tokio::test]
async fn a_process_that_lost_its_database_leaves_the_next_one_alone() {
    let place = Place::new();
    let old = place.start();
    old.add("old").await.id();
    replace(&place);
    let new = place.start();
    new.add("new").await.id();
    serves_nothing(&old, "app.db was replaced").await;
    // SQLite deletes a -wal file by its path when it closes: this one is the new process's.
    old.stop_lost();
    assert_eq!(new.add("newer").await.id(), 2);
    new.kill();
    assert_eq!(place.start().ids().await, [2, 1]);
}
