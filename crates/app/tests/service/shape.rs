//! Databases in which an INSERT succeeds and what was sent is not there: none of it is ever acknowledged.

use std::fs;

use serde_json::Value;

use crate::harness::{App, Place, fails};

const GONE: &str = "CREATE TRIGGER gone AFTER INSERT ON message BEGIN DELETE FROM message WHERE id = NEW.id; END";
const IGNORED: &str = "CREATE TRIGGER ignored BEFORE INSERT ON message BEGIN SELECT RAISE(IGNORE); END";
const INDIRECT: &str = "CREATE TRIGGER indirect AFTER UPDATE ON message_count BEGIN DELETE FROM message; END";

/// A database of ours that another program changed while nobody served it.
fn changed(change: &str) -> Place {
    let place = Place::new();
    place.start().stop();
    place.sqlite().execute_batch(change).unwrap();
    place
}

#[test]
fn what_may_not_keep_a_message_is_refused_at_the_start_and_left_alone() {
    for (change, found) in [
        (GONE, "the trigger gone on the table message"),
        (IGNORED, "the trigger ignored on the table message"),
        (INDIRECT, "the trigger indirect on the table message_count"),
        (
            "ALTER TABLE message RENAME TO hidden; CREATE VIEW message AS SELECT * FROM hidden;
             CREATE TRIGGER into AFTER INSERT ON hidden BEGIN SELECT 1; END;
             CREATE TRIGGER instead INSTEAD OF INSERT ON message BEGIN SELECT 1; END",
            "the view message",
        ),
        ("ALTER TABLE message ADD COLUMN author TEXT CHECK (author <> '')", "the table message"),
        ("CREATE UNIQUE INDEX once ON message (message)", "the index once on the table message"),
        ("DROP TRIGGER message_inserted", "no trigger message_inserted"),
    ] {
        // `into` is a word of SQL.
        let place = changed(&change.replace("TRIGGER into", "TRIGGER into_hidden"));
        let before = fs::read(place.database()).unwrap();
        let (code, stderr) = fails(place.command());
        assert!(code == Some(1) && stderr.contains(found), "expected {found:?} in {stderr}");
        assert!(stderr.contains("undo that change, restore a backup"), "{stderr}");
        assert!(fs::read(place.database()).unwrap() == before, "{change}");
    }
}

#[test]
fn what_others_keep_beside_our_tables_is_theirs() {
    changed(
        "ALTER TABLE message ADD COLUMN author TEXT; CREATE INDEX by_time ON message (timestamp); CREATE VIEW v AS SELECT 1",
    )
    .start()
    .stop();
}

async fn refused(app: &App, reason: &str) {
    let answer = app.add("x").await;
    let outcome = answer.json()["outcome"].clone();
    assert_eq!((answer.status.as_u16(), outcome), (503, Value::from("refused")), "{}", answer.text);
    assert!(answer.text.contains(reason), "{}", answer.text);
    let health = app.get("/health").await;
    assert!(health.status == 503 && health.text.contains(reason), "{}", health.text);
    assert_eq!(app.get("/live").await.status, 200, "a restart would not mend it");
}

#[tokio::test]
async fn a_change_while_the_service_runs_is_noticed_before_anything_is_acknowledged() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    for (change, undo, reason) in [
        (GONE, "DROP TRIGGER gone", "the trigger gone"),
        (IGNORED, "DROP TRIGGER ignored", "the trigger ignored"),
        (INDIRECT, "DROP TRIGGER indirect", "the trigger indirect"),
        (
            "ALTER TABLE message ADD COLUMN author TEXT AS (upper(message))",
            "ALTER TABLE message DROP COLUMN author",
            "the table message",
        ),
    ] {
        let before = app.count().await;
        place.sqlite().execute_batch(change).unwrap();
        refused(&app, reason).await;
        assert_eq!(app.count().await, before, "{change}");
        place.sqlite().execute_batch(undo).unwrap();
        app.add("x").await.id();
        assert_eq!((app.count().await, app.get("/health").await.status.as_u16()), (before + 1, 200));
    }
    // What changes nothing of ours is no reason.
    place.sqlite().execute_batch("CREATE TABLE customer (name TEXT); VACUUM").unwrap();
    app.add("x").await.id();
}

#[tokio::test]
async fn a_trigger_that_pretends_to_be_on_another_table_makes_no_acknowledgement_a_lie() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    place
        .sqlite()
        .execute_batch(&format!(
            "CREATE TABLE other (id INTEGER); {GONE};
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET tbl_name = 'other' WHERE name = 'gone'"
        ))
        .unwrap();
    // SQLite itself finds that the two do not fit.
    let answer = app.add("x").await;
    let outcome = answer.json()["outcome"].clone();
    assert_eq!((answer.status.as_u16(), outcome), (503, Value::from("refused")), "{}", answer.text);
    assert_eq!(app.get("/health").await.status, 503);
}
