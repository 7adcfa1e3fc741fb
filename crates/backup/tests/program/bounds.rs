//! Everything read has a bound: files that are too long, bombs, databases that compute for ever.

use std::fs::{self, File};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use backup::{Manifest, bounds};
use rusqlite::Connection;

use crate::stage::{Ended, PROGRAM, Stage, edit, ended};

const FOREIGN: &str = "app-20300101T000000.000Z";

/// Runs the program in 1 GiB of address space.
fn run_small(stage: &Stage, arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -v 1048576; exec \"$0\" \"$@\"", PROGRAM]).args(arguments);
    command.env("DB_PATH", &stage.database).env("BACKUP_DIR", stage.repository.path());
    ended(command)
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let (stage, _connection) = Stage::with_rows(1);
    let good = stage.take();
    fs::copy(stage.repository.database(&good.name), stage.repository.path().join(format!("{FOREIGN}.db"))).unwrap();
    for (file, command) in [
        (format!("{FOREIGN}.json"), &["list"][..]),
        ("rehearsals.json".into(), &["verify", "--deep", "--record"]),
        ("restores.json".into(), &["take", "--copy-unchanged"]),
    ] {
        let path = stage.repository.path().join(&file);
        File::create(&path).unwrap().set_len(8 << 30).unwrap();
        let ended = run_small(&stage, command);
        let told = ended.stdout + &ended.stderr;
        assert!(told.contains("8589934592 bytes; expected at most"), "{file}: {told}");
        assert!(file != format!("{FOREIGN}.json") || told.contains(good.name.as_str()), "the good one is shown");
        fs::remove_file(path).unwrap();
    }
    for option in ["--identity", "--remote-ca"] {
        let path = stage.path("key");
        File::create(&path).unwrap().set_len(8 << 30).unwrap();
        let ended = run_small(&stage, &["pull", "--remote", "s3://b/p", option, path.to_str().unwrap()]);
        ended.expect(1).says("expected at most 1048576");
    }
}

#[test]
fn a_take_writes_no_manifest_that_no_reader_would_read() {
    let (stage, connection) = Stage::with_rows(1);
    let many = i64::try_from(bounds::MANIFEST_BYTES / 100).unwrap();
    connection
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO sqlite_sequence SELECT printf('%0100d', i), i FROM n",
            [many],
        )
        .unwrap();
    stage.run(&["take"]).expect(1).says("AUTOINCREMENT marks").says("expected at most");
    assert_eq!(stage.files(), [""; 0]);
}

#[test]
fn a_listing_of_too_many_names_is_refused_by_their_number() {
    let (stage, _connection) = Stage::with_rows(1);
    let began: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    for number in 0..=u64::try_from(bounds::NAMES).unwrap() {
        let name = backup::Name::at(began + Duration::from_millis(number));
        File::create(stage.repository.manifest(&name)).unwrap();
    }
    stage.run(&["list"]).expect(1).says("100001 names of restore points; expected at most 100000");
}

/// A compressed restore point that unpacks to a gigabyte of zeros.
fn bomb(stage: &Stage, size_bytes: u64) -> Manifest {
    let taken: backup::take::Taken = stage.json(&["take", "--copy-unchanged", "--compress"]);
    let manifest = taken.restore_point;
    let path = stage.repository.stored_file(&manifest);
    let mut encoder = zstd::Encoder::new(Vec::new(), 19).unwrap();
    (0..1024).for_each(|_| encoder.write_all(&vec![0; 1 << 20]).unwrap());
    let bytes = encoder.finish().unwrap();
    assert!(bytes.len() < 200_000, "{} bytes", bytes.len());
    fs::write(&path, &bytes).unwrap();
    let was = manifest.compressed.clone().unwrap();
    for (from, to) in [
        (format!("\"size_bytes\": {}", manifest.size_bytes), format!("\"size_bytes\": {size_bytes}")),
        (format!("\"bytes\": {}", was.bytes), format!("\"bytes\": {}", bytes.len())),
        (was.blake3, blake3::hash(&bytes).to_hex().to_string()),
    ] {
        edit(&stage.repository, &manifest.name, &from, &to);
    }
    manifest
}

#[test]
fn a_bomb_is_unpacked_to_what_its_manifest_says_and_no_further() {
    let (stage, connection) = Stage::with_rows(3);
    drop(connection);
    let manifest = bomb(&stage, 12_288);
    stage.lose_database();
    let restored = stage.run(&["restore", manifest.name.as_str()]).expect(3);
    restored.says("BLAKE3 of what it unpacks to");
    assert!(!stage.database.exists());
}

#[test]
fn a_restore_point_that_would_fill_the_volume_is_refused_before_it_does() {
    for check in [&["restore"][..], &["verify", "--check", "quick"]] {
        let (stage, connection) = Stage::with_rows(3);
        drop(connection);
        bomb(&stage, bounds::DATABASE_BYTES);
        stage.lose_database();
        let began = Instant::now();
        stage.run(check).expect(1).says("remain to be written, but its volume has").says("free space there");
        assert!(began.elapsed() < Duration::from_secs(30));
        assert!(!stage.database.exists() && !crate::stage::beside(&stage.database, ".restoring").exists());
    }
    let (stage, _connection) = Stage::with_rows(3);
    let manifest = bomb(&stage, bounds::DATABASE_BYTES + 1);
    let listed = stage.run(&["list"]).expect(0).stdout;
    assert!(
        listed.contains(&format!("{}: its size in bytes is too large: expected at most", manifest.name)),
        "{listed}"
    );
}

/// What is in the tables of a database decides how long it takes to look at it, and not what is in its expressions.
#[test]
fn a_database_that_computes_for_ever_is_given_up_in_time() {
    const SLOW: &str = "length(hex(zeroblob(4000000)))";
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
    let databases = [
        // A check of its rows, an index by what is computed, a column that is, in many rows and in one.
        format!(
            "CREATE TABLE t (a CHECK (a OR {SLOW})); PRAGMA ignore_check_constraints = 1;
             INSERT INTO t {rows} SELECT 0 FROM n"
        ),
        format!(
            "CREATE TABLE t (a); INSERT INTO t {rows} SELECT i FROM n; CREATE INDEX i ON t (a); PRAGMA writable_schema = 1;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (a + 0 * {SLOW})' WHERE name = 'i'"
        ),
        format!("CREATE TABLE t (a, _rowid_ AS ({SLOW})); INSERT INTO t {rows} SELECT i FROM n"),
        "CREATE TABLE t (a, _rowid_ AS (length(hex(zeroblob(400000000))))); INSERT INTO t VALUES (1)".to_owned(),
        "CREATE VIEW pra_lineage AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
         SELECT 1 AS one, i AS id FROM n"
            .to_owned(),
    ];
    thread::scope(|scope| databases.iter().for_each(|schema| drop(scope.spawn(|| expect_given_up(schema)))));
}

fn expect_given_up(schema: &str) {
    let stage = Stage::new();
    Connection::open(&stage.database).unwrap().execute_batch(schema).unwrap();
    for command in [
        &["take", "--check", "none", "--deadline", "5s"][..],
        &["verify", "--check", "full"],
        &["verify", "--deep"],
        &["restore", "--check", "full", "--force"],
    ] {
        let began = Instant::now();
        let ended = run_small(&stage, command);
        assert!(ended.code != 101 && !ended.stderr.contains("bug in this program"), "{}", ended.stderr);
        if schema.contains("CREATE INDEX") && command[0] != "take" {
            let told = format!("{}{}", ended.stdout, ended.stderr);
            assert!(
                ended.code == 0 && told.contains("cannot check: the check did not finish within its time limit"),
                "{told}"
            );
        }
        // Five seconds by intent, and several times as much for a busy machine.
        assert!(began.elapsed() < Duration::from_secs(40), "{command:?} of {schema}: {:?}", began.elapsed());
    }
}
