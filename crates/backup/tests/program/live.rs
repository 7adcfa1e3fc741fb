//! `backup restore --into-live`: a database that others use goes back, in one transaction, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use backup::restore::Proof;
use rusqlite::Connection;

use crate::stage::{Stage, beside, create, create_table, ids, insert, up_to};

const INTO_LIVE: [&str; 2] = ["restore", "--into-live"];

/// The files beside the database, without those that SQLite makes.
fn leftovers(stage: &Stage) -> Vec<String> {
    let files = fs::read_dir(stage.directory.path()).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !["app.db", "repository"].contains(&name.as_str()));
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

#[test]
fn what_was_deleted_is_back_for_connections_that_stay_open() {
    let (stage, connection) = Stage::with_rows(500);
    let point = stage.take();
    insert(&connection, 3);
    stage.take();
    let reader = Connection::open(&stage.database).unwrap();
    let count = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM message", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    connection.execute("DELETE FROM message WHERE id <> 250", []).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 1);

    let restored = stage.restore(&["--into-live", "--at", &point.created_at.to_string()]);
    assert_eq!(restored.restore_point, point);
    assert_eq!(count(&reader), 1, "a reader stays in its transaction");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!((count(&reader), count(&connection)), (500, 500));
    let live = restored.live.unwrap();
    assert_eq!(live.proof, Proof::Equal);
    assert_eq!(live.kept_high_water.into_iter().collect::<Vec<_>>(), [("message".to_owned(), 503)]);

    let safety_copy = restored.safety_copy.unwrap();
    assert_eq!(ids(&safety_copy), [250]);
    assert_eq!(leftovers(&stage), [safety_copy.file_name().unwrap().to_str().unwrap()]);
    insert(&connection, 1);
    assert_eq!(connection.last_insert_rowid(), 504, "an id that was given out means one row for ever");
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    drop((reader, connection));
    assert_eq!(ids(&stage.database), [up_to(500), vec![504]].concat());
}

#[test]
fn the_wal_does_not_stay_as_large_as_the_database() {
    let (stage, connection) = Stage::with_rows(3000);
    stage.take();
    connection.execute("DELETE FROM message", []).unwrap();
    stage.restore(&["--into-live"]);
    assert_eq!(fs::metadata(beside(&stage.database, "-wal")).unwrap().len(), 0);
    drop(connection);
    assert_eq!(ids(&stage.database), up_to(3000));
}

#[test]
fn a_database_that_nobody_uses_is_restored_into_too() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 5);
    drop(connection);
    let restored = stage.restore(&["--into-live"]);
    assert_eq!(ids(&stage.database), up_to(5));
    assert_eq!(ids(&restored.safety_copy.unwrap()), up_to(10));
}

#[test]
fn a_larger_and_a_smaller_content_take_each_others_place() {
    let (stage, connection) = Stage::with_rows(2000);
    let large = stage.take();
    connection.execute_batch("DELETE FROM message WHERE id > 2; VACUUM").unwrap();
    let small = stage.take_suspect();
    assert!(small.page_count * 10 < large.page_count);
    for (point, rows) in [(&large, 2000), (&small, 2), (&large, 2000)] {
        assert_eq!(stage.restore(&["--into-live", point.name.as_str()]).live.unwrap().proof, Proof::Equal);
        assert_eq!(ids(&stage.database), up_to(rows));
    }
    drop(connection);
    assert_eq!(ids(&stage.database), up_to(2000));
    assert_eq!(fs::metadata(&stage.database).unwrap().len(), large.size_bytes);
}

#[test]
fn tables_that_came_or_went_since_keep_no_marks_they_should_not_have() {
    let (stage, connection) = Stage::with_rows(0);
    connection
        .execute_batch("CREATE TABLE old (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO old VALUES (9)")
        .unwrap();
    stage.take();
    connection.execute_batch("DROP TABLE old; CREATE TABLE new (id INTEGER PRIMARY KEY AUTOINCREMENT)").unwrap();
    connection.execute_batch("INSERT INTO new VALUES (50)").unwrap();
    insert(&connection, 2);
    let live = stage.restore(&["--into-live"]).live.unwrap();
    assert_eq!(live.kept_high_water.into_iter().collect::<Vec<_>>(), [("message".to_owned(), 2)]);
    let mut marks = connection.prepare("SELECT name || seq FROM sqlite_sequence ORDER BY name").unwrap();
    let marks: Vec<String> = marks.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(marks, ["message2", "old9"]);
}

#[test]
fn a_damaged_restore_point_is_passed_over() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 5);
    let newest = stage.repository.database(&stage.take().name);
    let mut bytes = fs::read(&newest).unwrap();
    bytes[5000] ^= 1;
    fs::write(newest, bytes).unwrap();
    let restored = stage.restore(&["--into-live"]);
    assert_eq!(restored.rejected.len(), 1);
    drop(connection);
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn what_cannot_be_restored_into_is_refused_and_left_as_it_is() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    drop(connection);
    let refused = |make: &dyn Fn(&Connection), says: &str, arguments: &[&str], code: i32| {
        let path = stage.path("other.db");
        let other = Connection::open(&path).unwrap();
        make(&other);
        other.close().unwrap();
        let before = fs::read(&path).unwrap();
        let arguments = [&INTO_LIVE[..], &["--database", path.to_str().unwrap()], arguments].concat();
        stage.run(&arguments).expect(code).says(says);
        assert!(fs::read(&path).unwrap() == before);
        assert_eq!(leftovers(&stage), ["other.db"], "{says}");
        fs::remove_file(path).unwrap();
    };
    let wal = |connection: &Connection| connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    refused(&|other| create_table(other), "its journal mode is delete", &["--force"], 1);
    refused(
        &|other| {
            other.execute_batch("PRAGMA page_size = 8192").unwrap();
            wal(other);
            create_table(other);
        },
        "its page size is 8192 bytes, but that of",
        &["--force"],
        1,
    );
    refused(
        &|other| {
            wal(other);
            create_table(other);
        },
        "is of lineage none, but the restore point is of",
        &[],
        6,
    );
    fs::write(stage.path("text"), "not a database at all").unwrap();
    let text = stage.path("text");
    stage.run(&[&INTO_LIVE[..], &["--database", text.to_str().unwrap()]].concat()).expect(1).says("not a database");
    let nowhere = stage.path("nowhere.db");
    let missing = stage.run(&[&INTO_LIVE[..], &["--database", nowhere.to_str().unwrap()]].concat()).expect(1);
    missing.says("it does not exist; restore it without --into-live");
    assert!(!nowhere.exists());
}

#[test]
fn another_lineage_is_put_in_place_only_with_force() {
    let (stage, connection) = Stage::with_rows(5);
    let old = stage.take().lineage;
    drop(connection);
    stage.lose_database();
    let connection = create(&stage.database);
    insert(&connection, 2);
    let new = backup::lineage::read(&connection).unwrap();
    stage.run(&INTO_LIVE).expect(6).says(old.as_ref().unwrap().as_str()).says(new.as_ref().unwrap().as_str());
    assert_eq!(ids(&stage.database), up_to(2));
    stage.restore(&["--into-live", "--force"]);
    assert_eq!(ids(&stage.database), up_to(5));
    assert_eq!(backup::lineage::read(&connection).unwrap(), old);
}

#[test]
fn others_that_write_are_waited_for_and_no_longer_than_asked() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    stage.run(&[&INTO_LIVE[..], &["--wait", "200ms"]].concat()).expect(4).says("other processes kept writing");
    assert_eq!(leftovers(&stage), [""; 0]);
    let mut waiting = stage.std_command(&[&INTO_LIVE[..], &["--wait", "60s"]].concat());
    let mut waiting = waiting.stdout(Stdio::null()).spawn().unwrap();
    // It fills its temporary file before it asks for the lock.
    let begins =
        || beside(&stage.database, ".restoring").exists().then_some(()).ok_or("the restore does not begin".into());
    testing::until(Duration::from_secs(30), begins);
    assert!(waiting.try_wait().unwrap().is_none());
    connection.execute("INSERT INTO message (body) VALUES ('in the transaction it waits for')", []).unwrap();
    connection.execute_batch("COMMIT").unwrap();
    assert!(waiting.wait().unwrap().success());
    let safety_copy = &leftovers(&stage)[0];
    assert_eq!(ids(&stage.path(safety_copy)), up_to(7));
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn a_lock_that_is_held_too_long_is_given_up_and_nothing_is_changed() {
    let (stage, connection) = Stage::with_rows(10_000);
    stage.take();
    insert(&connection, 1);
    stage.run(&[&INTO_LIVE[..], &["--hold", "0s"]].concat()).expect(1).says("--hold");
    assert_eq!(leftovers(&stage), [""; 0]);
    assert_eq!(ids(&stage.database), up_to(10_001));
    insert(&connection, 1);
}

#[test]
fn every_row_that_was_committed_meanwhile_is_in_a_safety_copy_or_follows_the_restore() {
    let (stage, connection) = Stage::with_rows(300);
    stage.take();
    let stop = AtomicBool::new(false);
    let mut kept = BTreeSet::new();
    let committed: BTreeSet<i64> = thread::scope(|scope| {
        let write = || {
            let writer = Connection::open(&stage.database).unwrap();
            writer.busy_timeout(Duration::from_secs(30)).unwrap();
            let mut committed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                insert(&writer, 1);
                committed.push(writer.last_insert_rowid());
            }
            committed
        };
        let writers = [scope.spawn(write), scope.spawn(write)];
        for _ in 0..8 {
            let restored = stage.restore(&["--into-live", "--wait", "30s"]);
            kept.extend(ids(&restored.safety_copy.unwrap()));
        }
        stop.store(true, Ordering::Relaxed);
        let committed: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        let distinct: BTreeSet<_> = committed.iter().copied().collect();
        assert_eq!(distinct.len(), committed.len(), "no id is given out twice");
        distinct
    });
    drop(connection);
    kept.extend(ids(&stage.database));
    assert!(committed.len() > 8, "only {} were written, so this test proves nothing", committed.len());
    assert_eq!(committed.difference(&kept).count(), 0);
}

/// A database of somebody else in WAL mode, whose tables have no AUTOINCREMENT.
fn foreign(stage: &Stage) -> Connection {
    let connection = Connection::open(&stage.database).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE \"a \"\"b\" (id INTEGER PRIMARY KEY, body TEXT, loud TEXT AS (upper(body)) STORED) STRICT;
             CREATE TABLE audit (what TEXT); CREATE TABLE named (name TEXT PRIMARY KEY) WITHOUT ROWID;
             CREATE TABLE child (parent INTEGER REFERENCES \"a \"\"b\" (id) ON DELETE CASCADE);
             CREATE VIRTUAL TABLE words USING fts5(word);
             CREATE VIEW v AS SELECT body FROM \"a \"\"b\";
             CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO \"a \"\"b\" (body) VALUES (NEW.body); END;
             CREATE TRIGGER audited AFTER INSERT ON \"a \"\"b\" BEGIN INSERT INTO audit VALUES ('added'); END;
             INSERT INTO v VALUES ('x'), ('y'); INSERT INTO child VALUES (1); INSERT INTO named VALUES ('n');
             INSERT INTO words VALUES ('found');",
        )
        .unwrap();
    connection
}

#[test]
fn keys_without_autoincrement_are_not_given_out_twice_unless_that_is_asked_for() {
    let stage = Stage::new();
    let connection = foreign(&stage);
    let taken = stage.take();
    connection.execute_batch("INSERT INTO v VALUES ('z'), ('told to a client')").unwrap();
    let before = connection.query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0)).unwrap();
    for arguments in [&["--into-live"][..], &["--into-live", "--dry-run"], &["--into-live", "--force"]] {
        let refused = stage.run(&[&["restore"], arguments].concat()).expect(6);
        refused.says("3 to 4 of \"a \\\"b\"").says("nothing was changed").says("--reuse-keys");
    }
    assert_eq!(leftovers(&stage), [""; 0], "no safety copy of what did not happen");
    assert_eq!(connection.query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0)).unwrap(), before);

    let restored = stage.restore(&["--into-live", "--reuse-keys"]);
    assert_eq!(restored.restore_point, taken);
    let live = restored.live.unwrap();
    assert_eq!((live.proof, live.reused_keys), (Proof::Equal, [("a \"b".to_owned(), 3..=4)].into()));
    let rows = "SELECT (SELECT group_concat(loud) FROM \"a \"\"b\") || (SELECT count(*) FROM audit)
                || (SELECT count(*) FROM child) || (SELECT count(*) FROM words('found'))";
    assert_eq!(connection.query_row(rows, [], |row| row.get::<_, String>(0)).unwrap(), "X,Y211");
}

#[test]
fn a_restore_that_gives_no_key_out_twice_needs_no_permission() {
    let stage = Stage::new();
    let connection = foreign(&stage);
    stage.take();
    // What SQLite would give out next is not less afterwards.
    connection.execute_batch("DELETE FROM \"a \"\"b\" WHERE id = 1; INSERT INTO named VALUES ('new')").unwrap();
    let live = stage.restore(&["--into-live"]).live.unwrap();
    assert_eq!((live.proof, live.reused_keys.len()), (Proof::Equal, 0));
    connection
        .execute_batch("DROP TABLE child; CREATE TABLE later (id INTEGER PRIMARY KEY); INSERT INTO later VALUES (9)")
        .unwrap();
    assert_eq!(stage.restore(&["--into-live"]).live.unwrap().reused_keys.len(), 0, "a table that is gone gives none");
}

/// The keys are looked at again once nobody can write any more.
#[test]
fn no_key_is_given_out_twice_beside_a_writer_without_autoincrement() {
    let stage = Stage::new();
    let connection = foreign(&stage);
    stage.take();
    let stop = AtomicBool::new(false);
    let given = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let writer = Connection::open(&stage.database).unwrap();
            writer.busy_timeout(Duration::from_secs(30)).unwrap();
            let mut given = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                writer.execute("INSERT INTO \"a \"\"b\" (body) VALUES ('z')", []).unwrap();
                given.push(writer.last_insert_rowid());
            }
            given
        });
        for _ in 0..6 {
            let code = stage.run(&["restore", "--into-live", "--wait", "30s"]).code;
            assert!(code == 6 || code == 0, "{code}");
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(given.len() > 1, "this test proves nothing");
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), given.len());
    drop(connection);
}
