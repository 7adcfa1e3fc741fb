//! Damaged, inconsistent, cannot check: only damage keeps a copy from being taken, or makes a restore fall back to older
//! data.

use backup::Manifest;
use backup::take::Taken;
use backup::verify::{Check, Verdict};
use rusqlite::Connection;

use crate::stage::Stage;

/// A database that its owner's program made: it has a function and a collation that only that program knows.
fn owners(stage: &Stage) -> Connection {
    let connection = Connection::open(&stage.database).unwrap();
    let order = |one: &str, two: &str| two.cmp(one);
    connection.create_collation("theirs", order).unwrap();
    let flags = rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("theirs", 1, flags, |context| context.get::<String>(0)).unwrap();
    connection
}

const KINDS: [(&str, &str, Verdict); 9] = [
    ("sound", "CREATE TABLE t (v)", Verdict::Sound),
    ("collation", "CREATE TABLE t (v TEXT COLLATE theirs); CREATE INDEX i ON t (v)", Verdict::CannotCheck),
    ("key", "CREATE TABLE t (v TEXT COLLATE theirs PRIMARY KEY) WITHOUT ROWID", Verdict::CannotCheck),
    (
        "tokenizer",
        "CREATE TABLE t (v); CREATE VIRTUAL TABLE w USING fts5(a); INSERT INTO w VALUES ('some words');
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE w USING fts5(a, tokenize = theirs)' WHERE name = 'w'",
        Verdict::CannotCheck,
    ),
    (
        "module",
        "CREATE TABLE t (v); PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING theirs(e)')",
        Verdict::Sound,
    ),
    (
        "not null",
        "CREATE TABLE t (v, n); INSERT INTO t VALUES ('odd', NULL); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (v, n NOT NULL DEFAULT 1)' WHERE name = 't'",
        Verdict::Inconsistent,
    ),
    (
        "check",
        "CREATE TABLE t (v, n DEFAULT 1); INSERT INTO t VALUES ('odd', -1); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (v, n DEFAULT 1 CHECK (n > 0))' WHERE name = 't'",
        Verdict::Inconsistent,
    ),
    (
        "words",
        "CREATE TABLE t (v); CREATE VIRTUAL TABLE w USING fts4(a); INSERT INTO w VALUES ('one');
         DELETE FROM w_content; INSERT INTO w_content VALUES (9, 'nine')",
        Verdict::Inconsistent,
    ),
    (
        "typed",
        "CREATE TABLE t (v, n INT DEFAULT 1); INSERT INTO t VALUES ('odd', 'text'); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (v ANY, n INT DEFAULT 1) STRICT' WHERE name = 't'",
        Verdict::Inconsistent,
    ),
];

/// Taken with the defaults, and then with the full check: nothing that is broken and nothing that is missing keeps it from
/// being taken.
fn take(stage: &Stage) -> Manifest {
    stage.take();
    stage.json::<Taken>(&["take", "--copy-unchanged", "--check", "full"]).restore_point
}

fn has_row(stage: &Stage, value: &str) -> bool {
    let found = owners(stage).query_row("SELECT count(*) FROM t NOT INDEXED WHERE v = ?1", [value], |row| row.get(0));
    found.unwrap()
}

#[test]
fn all_but_damage_is_taken_told_and_restored_as_it_is() {
    for (kind, tables, verdict) in KINDS {
        let stage = Stage::new();
        owners(&stage).execute_batch(tables).unwrap();
        owners(&stage).execute("INSERT INTO t (v) VALUES ('old')", []).unwrap();
        take(&stage);
        owners(&stage).execute("INSERT INTO t (v) VALUES ('new')", []).unwrap();
        let taken = take(&stage);
        let checked = taken.checked.as_ref().unwrap();
        assert_eq!((checked.check, checked.verdict), (Check::Full, verdict), "{kind}: {:?}", checked.findings);

        let listed = stage.run(&["list"]).expect(0).stdout;
        let shown = match verdict {
            Verdict::Sound => "complete",
            Verdict::Inconsistent => "inconsistent",
            Verdict::CannotCheck => "unchecked",
        };
        assert!(listed.contains(&format!(" {shown}\n")), "{kind}: {listed}");
        for arguments in [&["verify"][..], &["verify", "--deep"]] {
            let verified = stage.run(arguments).expect(0).stdout;
            assert!(verified.contains(": good"), "{kind}: {verified}");
            assert_eq!(verified.contains(&verdict.to_string()), verdict != Verdict::Sound, "{kind}: {verified}");
        }
        for check in [&[][..], &["--check", "full"], &["--check", "quick"]] {
            stage.lose_database();
            let restored = stage.restore(check);
            assert_eq!((&restored.restore_point.name, restored.rejected.len()), (&taken.name, 0), "{kind}");
            assert!(has_row(&stage, "new") && has_row(&stage, "old"), "{kind}");
        }
    }
}

#[test]
fn what_takes_a_function_of_the_owner_is_not_called_damaged_by_the_full_check() {
    for tables in [
        "CREATE TABLE t (v TEXT); CREATE INDEX i ON t (theirs(v))",
        "CREATE TABLE t (v TEXT, g AS (theirs(v)))",
        "CREATE TABLE t (v TEXT, g AS (theirs(v)) STORED); CREATE INDEX i ON t (g, theirs(v))",
    ] {
        let stage = Stage::new();
        owners(&stage).execute_batch(tables).unwrap();
        owners(&stage).execute("INSERT INTO t (v) VALUES ('new')", []).unwrap();
        let taken: Taken = stage.json(&["take", "--check", "full"]);
        // What no index needs, SQLite does not compute.
        let expected = if tables.contains("INDEX") { Verdict::CannotCheck } else { Verdict::Sound };
        assert_eq!(taken.restore_point.checked.unwrap().verdict, expected, "{tables}");
        stage.run(&["verify", "--deep"]).expect(0);
        stage.lose_database();
        stage.restore(&[]);
        assert!(has_row(&stage, "new"), "{tables}");
    }
}

#[test]
fn a_broken_foreign_key_is_found_by_the_full_check_and_taken_all_the_same() {
    let stage = Stage::new();
    let tables =
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id)); INSERT INTO c VALUES (9)";
    let connection = Connection::open(&stage.database).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {tables}")).unwrap();
    assert_eq!(stage.take().checked.unwrap().verdict, Verdict::Sound);
    let taken: Taken = stage.json(&["take", "--check", "full"]);
    assert!(taken.confirmed);
    let checked = taken.restore_point.checked.unwrap();
    assert_eq!((checked.check, checked.verdict), (Check::Full, Verdict::Inconsistent));
    assert!(checked.findings[0].contains("\"c\""), "{:?}", checked.findings);
}

#[test]
fn what_was_taken_unchecked_on_advice_is_what_a_restore_gives() {
    let (stage, connection) = Stage::with_rows(50);
    stage.take();
    // Damage that SQLite finds in a file whose every byte is as it was written.
    let sql = "CREATE TABLE twice (a); PRAGMA writable_schema = ON;
               UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'message')
               WHERE name = 'twice'";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    stage.run(&["take"]).expect(1).says("damaged").says("--check none");
    let taken: Taken = stage.json(&["take", "--check", "none"]);
    let name = taken.restore_point.name;
    assert_eq!(taken.restore_point.checked.unwrap().verdict, Verdict::CannotCheck);
    stage.lose_database();
    assert_eq!(stage.restore(&[]).restore_point.name, name, "no older one");
    stage.run(&["verify", "--check", "full"]).expect(3);
}
