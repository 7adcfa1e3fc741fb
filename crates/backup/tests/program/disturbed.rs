//! Sources in the middle of something: hard at work, or as a crash or another program left them.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::stage::{Stage, beside, create_table, ended, ids, insert, up_to};

#[test]
fn a_take_beside_writes_vacuums_and_checkpoints_without_end_has_no_holes() {
    let (stage, connection) = Stage::with_rows(300);
    let stop = &AtomicBool::new(false);
    let again_and_again = |sql: &'static str| {
        let path = &stage.database;
        move || {
            let connection = Connection::open(path).unwrap();
            connection.busy_timeout(Duration::from_millis(20)).unwrap();
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                // Often it is another one's turn.
                let result = connection.prepare(sql).and_then(|mut statement| statement.query([])?.next().map(drop));
                done += u32::from(result.is_ok());
            }
            done
        }
    };
    let done = thread::scope(|scope| {
        let disturbing = [
            "INSERT INTO message (body) SELECT hex(randomblob(500))",
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "PRAGMA wal_checkpoint(RESTART)",
        ]
        .map(|sql| scope.spawn(again_and_again(sql)));
        let takes: Vec<_> = (0..6).map(|_| ended(stage.std_command(&["take", "--check", "full"]))).collect();
        stop.store(true, Ordering::Relaxed);
        takes.into_iter().for_each(|take| drop(take.expect(0)));
        disturbing.map(|thread| thread.join().unwrap())
    });
    assert!(done.iter().all(|done| *done > 0), "{done:?}: somebody did nothing, so this test proves nothing");
    for manifest in stage.repository.manifests().unwrap() {
        let copy = stage.path(manifest.name.as_str());
        stage.restore(&[manifest.name.as_str(), "--database", copy.to_str().unwrap()]);
        assert_eq!(ids(&copy), up_to(manifest.high_water["message"]), "no holes");
    }
    drop(connection);
}

#[test]
fn a_transaction_that_a_crash_cut_off_is_not_taken() {
    let stage = Stage::new();
    let connection = Connection::open(&stage.database).unwrap();
    connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1").unwrap();
    create_table(&connection);
    insert(&connection, 100);
    connection.execute_batch("BEGIN; UPDATE message SET body = 'torn'").unwrap();
    insert(&connection, 100);
    let crashed = stage.copy();
    connection.execute_batch("ROLLBACK").unwrap();
    assert!(fs::metadata(beside(&crashed.database, "-journal")).unwrap().len() > 4096, "there is no hot journal");
    crashed.take();
    crashed.lose_database();
    crashed.restore(&[]);
    assert_eq!(ids(&crashed.database), up_to(100));
    let restored = Connection::open(&crashed.database).unwrap();
    let torn = restored.query_row("SELECT count(*) FROM message WHERE body = 'torn'", [], |row| row.get::<_, i64>(0));
    assert_eq!(torn, Ok(0));
}

#[test]
fn a_commit_that_is_torn_in_the_wal_is_not_taken() {
    let (stage, connection) = Stage::with_rows(5);
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    insert(&connection, 3);
    let crashed = stage.copy();
    let wal = fs::File::options().write(true).open(beside(&crashed.database, "-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 100).unwrap();
    assert_eq!(crashed.take().high_water["message"], 5);
}

/// SQLite plays it in, and nobody can undo that. What was taken before is not mistaken for what is taken then.
#[test]
fn the_wal_of_another_database_makes_a_restore_point_suspect() {
    let (stage, connection) = Stage::with_rows(5);
    drop(connection);
    let good = stage.take();
    let other = Stage::new();
    let connection = Connection::open(&other.database).unwrap();
    connection.execute_batch("PRAGMA page_size = 512; PRAGMA journal_mode = WAL").unwrap();
    create_table(&connection);
    fs::copy(beside(&other.database, "-wal"), beside(&stage.database, "-wal")).unwrap();
    stage.take_suspect();
    stage.lose_database();
    stage.run(&["restore"]).expect(5).says("2 lineages");
    stage.restore(&["--lineage", good.lineage.unwrap().as_str()]);
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn a_database_of_a_newer_sqlite_is_refused_or_taken_as_it_is() {
    let (stage, connection) = Stage::with_rows(5);
    connection.execute_batch("PRAGMA user_version = 2147483647; PRAGMA application_id = -7").unwrap();
    drop(connection);
    let whole = fs::read(&stage.database).unwrap();
    // Where the header has the versions for writing and reading, and the schema format.
    for (at, says) in [(19, "not a SQLite database"), (47, "unsupported file format")] {
        let mut newer = whole.clone();
        newer[at] = 9;
        fs::write(&stage.database, newer).unwrap();
        stage.run(&["take"]).expect(1).says(says).says(stage.database.to_str().unwrap());
        assert!(stage.files().is_empty(), "{says}");
    }
    fs::write(&stage.database, whole).unwrap();
    stage.take();
    stage.lose_database();
    stage.restore(&[]);
    let restored = Connection::open(&stage.database).unwrap();
    let pragma = |name| restored.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((pragma("user_version"), pragma("application_id")), (2_147_483_647, -7));
}
