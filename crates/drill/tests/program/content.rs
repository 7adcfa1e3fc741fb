//! What `human-error` does to databases of which nothing is known: it deletes, and brings back what was written since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

const DRILL: &str = env!("CARGO_BIN_EXE_drill");

fn content(database: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(DRILL).arg("content").args(arguments).arg("--database").arg(database).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The rows of every table, without those that hold the content of a virtual one; of that, what it finds.
fn rows(database: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = Connection::open(database).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let tables = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')
                  AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut tables = connection.prepare(tables).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let read = |table: String| {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""))).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            Ok((0..columns).map(|at| format!("{:?} ", row.get_ref(at).unwrap())).collect::<String>())
        };
        let mut rows: Vec<String> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
        rows.sort();
        (table, rows)
    };
    tables.into_iter().map(read).collect()
}

struct Case {
    directory: tempfile::TempDir,
    database: PathBuf,
}

impl Case {
    fn new(schema: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("a.db");
        let case = Self { directory, database };
        case.execute(schema);
        case
    }

    fn execute(&self, sql: &str) {
        let connection = Connection::open(&self.database).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.directory.path().join(name);
        std::fs::copy(&self.database, &copy).unwrap();
        copy
    }

    /// Deletes, goes on with `since`, restores the state of before and brings back. Gives what was there before the mistake, what
    /// would be there now without it, and what is there.
    fn undo(&self, since: &str) -> [BTreeMap<String, Vec<String>>; 3] {
        let before = rows(&self.database);
        let point = self.copy("point.db");
        self.execute(since);
        let expected = rows(&self.database);
        std::fs::copy(&point, &self.database).unwrap();
        content(&self.database, &["delete-rows"]).unwrap();
        assert_ne!(rows(&self.database), before, "the mistake changed nothing");
        self.execute(since);
        let safety_copy = self.copy("safety-copy.db");
        std::fs::copy(&point, &self.database).unwrap();
        content(&self.database, &["bring-back", safety_copy.to_str().unwrap()]).unwrap();
        [before, expected, rows(&self.database)]
    }
}

/// Schemas with some rows, and what is written after the mistake.
const SCHEMAS: &[(&str, &str)] = &[
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('a'), ('b'), ('c')",
            "INSERT INTO t (a) VALUES ('d'), ('e')",
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, loud AS (upper(a)), long AS (a || a) STORED);
             INSERT INTO t (a) VALUES ('a'), ('b')",
            "INSERT INTO t (a) VALUES ('c')",
        ),
        (
            "CREATE TABLE \"a \"\"b\" (\"the \"\"key\" TEXT PRIMARY KEY, \"order\" INT) STRICT, WITHOUT ROWID;
             INSERT INTO \"a \"\"b\" VALUES ('a', 1), ('b', 2)",
            "INSERT INTO \"a \"\"b\" VALUES ('c', 3)",
        ),
        (
            "CREATE TABLE t (name TEXT PRIMARY KEY, a); CREATE UNIQUE INDEX some ON t (a) WHERE a > 1;
             INSERT INTO t VALUES ('a', 1), ('b', 1), ('c', 2)",
            "INSERT INTO t VALUES ('d', 1), ('e', 3)",
        ),
        (
            "CREATE TABLE t (rowid, _rowid_, a); INSERT INTO t VALUES (1, 1, 'a'), (1, 1, 'a'), (2, 2, 'b')",
            "INSERT INTO t VALUES (1, 1, 'a'), (3, 3, 'c')",
        ),
        (
            "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, a);
             CREATE TABLE c (p REFERENCES p (id) ON DELETE CASCADE, v); CREATE TABLE q (p REFERENCES p (id));
             INSERT INTO p (a) VALUES ('a'), ('b'); INSERT INTO c VALUES (1, 'x'), (2, 'y'), (1, 'z')",
            "INSERT INTO p (a) VALUES ('c'); INSERT INTO c VALUES (3, 'x'), (3, 'x')",
        ),
        (
            "CREATE TABLE p (id INTEGER PRIMARY KEY, a); CREATE TABLE c (id INTEGER PRIMARY KEY, p NOT NULL REFERENCES p (id));
             INSERT INTO p (a) VALUES ('a'), ('b'), ('c'); INSERT INTO c (p) VALUES (1), (2), (3)",
            "INSERT INTO p (a) VALUES ('d'); INSERT INTO c (p) VALUES (4)",
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a);
             CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, what);
             CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO audit (what) VALUES ('added ' || NEW.id); END;
             INSERT INTO t (a) VALUES ('a'), ('b')",
            "INSERT INTO t (a) VALUES ('c')",
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE TABLE total (one INTEGER PRIMARY KEY, n);
             INSERT INTO total VALUES (1, 0);
             CREATE TRIGGER i AFTER INSERT ON t BEGIN UPDATE total SET n = n + 1; END;
             CREATE TRIGGER d AFTER DELETE ON t BEGIN UPDATE total SET n = n - 1; END;
             INSERT INTO t (a) VALUES ('a'), ('b')",
            "INSERT INTO t (a) VALUES ('c')",
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE VIEW v AS SELECT a FROM t;
             CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO t (a) VALUES (NEW.a); END;
             CREATE VIRTUAL TABLE f USING fts5(a, content='t', content_rowid='id');
             CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO f (rowid, a) VALUES (NEW.id, NEW.a); END;
             CREATE TRIGGER d AFTER DELETE ON t BEGIN INSERT INTO f (f, rowid, a) VALUES ('delete', OLD.id, OLD.a); END;
             INSERT INTO v VALUES ('a'), ('b'), ('c')",
            "INSERT INTO v VALUES ('d')",
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE VIRTUAL TABLE f USING fts5(a);
             CREATE VIRTUAL TABLE r USING rtree(id, x, y); INSERT INTO r VALUES (1, 1, 2);
             INSERT INTO t (a) VALUES ('a'); INSERT INTO f VALUES ('a')",
            "INSERT INTO t (a) VALUES ('b'); INSERT INTO f VALUES ('b'); INSERT INTO r VALUES (2, 1, 3)",
        ),
];

#[test]
fn what_was_deleted_and_what_was_written_since_is_there_in_any_schema() {
    for (schema, since) in SCHEMAS {
        let case = Case::new(schema);
        let [_, expected, found] = case.undo(since);
        assert_eq!(found, expected, "{schema}");
        if schema.contains("content='t'") {
            case.execute("INSERT INTO f (f, rank) VALUES ('integrity-check', 1)");
        }
    }
}

#[test]
fn a_row_that_was_given_the_key_of_another_gets_a_new_one_unless_others_refer_to_it() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('a'), ('b'), ('c')";
    let case = Case::new(schema);
    case.execute("DELETE FROM t WHERE id < 3; INSERT INTO t (a) VALUES ('d'), ('e')");
    let safety_copy = case.copy("safety-copy.db");
    let between = "DELETE FROM t; INSERT INTO t (a) VALUES ('a'), ('b'), ('c'), ('written after the restore')";
    case.execute(between);
    let said = content(&case.database, &["bring-back", safety_copy.to_str().unwrap()]).unwrap();
    assert!(said.starts_with("2 rows put back"), "{said}");
    assert_eq!(rows(&case.database)["t"].len(), 6);

    case.execute(&format!("{between}; CREATE TABLE c (t REFERENCES t (id))"));
    let before = rows(&case.database);
    let refused = content(&case.database, &["bring-back", safety_copy.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("nothing was changed") && refused.contains("c refers to them"), "{refused}");
    assert_eq!(rows(&case.database), before);
}

#[test]
fn a_row_that_was_changed_stays_as_it_was_restored_and_is_said_to() {
    let case = Case::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('a'), ('b')");
    let point = case.copy("point.db");
    case.execute("UPDATE t SET a = 'changed' WHERE id = 1; INSERT INTO t (a) VALUES ('c')");
    let safety_copy = case.copy("safety-copy.db");
    std::fs::copy(&point, &case.database).unwrap();
    let said = content(&case.database, &["bring-back", safety_copy.to_str().unwrap()]).unwrap();
    assert!(said.contains("1 rows put back") && said.contains("1 others"), "{said}");
    assert_eq!(rows(&case.database)["t"].len(), 3);
}

#[test]
fn where_there_is_nothing_to_delete_that_is_said() {
    let case = Case::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    let refused = content(&case.database, &["delete-rows"]).unwrap_err();
    assert!(refused.contains("there was no row to delete"), "{refused}");
}

#[test]
fn rows_that_the_service_protects_are_deleted_by_somebody_who_switches_that_off() {
    let case = Case::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE c (p REFERENCES p (id));
         CREATE TRIGGER kept BEFORE DELETE ON p BEGIN SELECT RAISE(ABORT, 'never'); END;
         INSERT INTO p DEFAULT VALUES; INSERT INTO c VALUES (1)",
    );
    let [_, expected, found] = case.undo("INSERT INTO p DEFAULT VALUES");
    assert_eq!(found, expected);
}
