//! What is copied: every page, just as SQLite's online backup API copies it.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::stage::{Stage, beside, insert};

/// What the backup API changes in the header of a copy: change counter, schema cookie, and the version that wrote last.
const OF_THE_API: [Range<usize>; 3] = [24..28, 40..44, 92..100];

fn by_the_backup_api(source: &Path, target: &Path) -> Vec<u8> {
    // Not the one that wrote: what it has of free pages in memory need not be what it left in the file.
    let source = Connection::open(source).unwrap();
    let mut destination = Connection::open(target).unwrap();
    Backup::new(&source, &mut destination).unwrap().run_to_completion(1000, Duration::ZERO, None).unwrap();
    drop(destination);
    fs::read(target).unwrap()
}

/// Tables of every kind, overflow pages, an index and free pages.
fn fill(connection: &Connection) {
    connection
        .execute_batch(
            "CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT); CREATE INDEX i ON message (body);
             CREATE TABLE keyed (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID; CREATE VIRTUAL TABLE words USING fts5(word);
             INSERT INTO keyed VALUES ('long', randomblob(200000)), ('short', x'00');
             INSERT INTO words VALUES ('found'), ('lost');",
        )
        .unwrap();
    insert(connection, 600);
    connection.execute_batch("DELETE FROM message WHERE id % 3 = 0; DELETE FROM message WHERE id < 200").unwrap();
}

#[test]
fn a_copy_is_that_of_the_backup_api() {
    for (page_size, settings) in [
        (512, "PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL"),
        (1024, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = DELETE"),
        (4096, "PRAGMA auto_vacuum = NONE; PRAGMA journal_mode = WAL"),
        (4096, "PRAGMA encoding = 'UTF-16le'; PRAGMA journal_mode = TRUNCATE"),
        (65536, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"),
    ] {
        let stage = Stage::new();
        let connection = Connection::open(&stage.database).unwrap();
        connection.execute_batch(&format!("PRAGMA page_size = {page_size}; {settings}")).unwrap();
        fill(&connection);
        let mut found = fs::read(stage.repository.database(&stage.take().name)).unwrap();
        let mut expected = by_the_backup_api(&stage.database, &stage.path("expected.db"));
        for range in OF_THE_API {
            found[range.clone()].fill(0);
            expected[range].fill(0);
        }
        let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        assert_eq!((found.len(), differs), (expected.len(), None), "{page_size} {settings}");
    }
}

#[test]
fn a_copy_is_the_file_of_a_database_that_nobody_uses() {
    for (page_size, pages) in [(512, 511), (512, 512), (512, 513), (65536, 3), (65536, 4), (65536, 5)] {
        let stage = Stage::new();
        let connection = Connection::open(&stage.database).unwrap();
        connection.execute_batch(&format!("PRAGMA page_size = {page_size}; CREATE TABLE t (b)")).unwrap();
        let size = |pages: i64| pages * page_size - 1000;
        connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [size(pages - 2)]).unwrap();
        drop(connection);
        let taken = stage.take();
        assert!(fs::read(stage.repository.database(&taken.name)).unwrap() == fs::read(&stage.database).unwrap());
    }
}

#[test]
fn a_take_is_given_up_when_the_wal_has_grown_too_much() {
    let (stage, connection) = Stage::with_rows(20_000);
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0").unwrap();
    let stop = &AtomicBool::new(false);
    let _connection = thread::scope(|scope| {
        let writer = scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                insert(&connection, 10);
            }
            connection
        });
        let given_up = (0..100).map(|_| stage.run(&["take", "--wal-growth", "1B"])).find(|ended| ended.code == 1);
        stop.store(true, Ordering::Relaxed);
        given_up.expect("somebody writes all the time").says("its -wal file grew by").says("raise --wal-growth");
        writer.join().unwrap()
    });
    let partial: Vec<_> = stage.files().into_iter().filter(|name| name.contains("partial")).collect();
    assert_eq!(partial, [""; 0]);
    // What was in the WAL before, however large, is no reason.
    assert!(fs::metadata(beside(&stage.database, "-wal")).unwrap().len() > 1);
    stage.run(&["take", "--wal-growth", "1B"]).expect(0);
}
