//! A database, a repository and the program between them, in a directory of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use backup::take::Taken;
use backup::{Manifest, Name, Repository, Restored, lineage};
use rusqlite::Connection;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_backup");

pub struct Stage {
    pub directory: TempDir,
    pub database: PathBuf,
    pub repository: Repository,
}

/// How a run of the program ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Stage {
    /// An empty repository and no database.
    pub fn new() -> Self {
        Self::empty(tempfile::tempdir().unwrap())
    }

    /// The same, where bringing files to disk takes no time.
    pub fn in_memory() -> Self {
        Self::empty(tempfile::tempdir_in(memory()).unwrap())
    }

    fn empty(directory: TempDir) -> Self {
        let repository = directory.path().join("repository");
        fs::create_dir(&repository).unwrap();
        let database = directory.path().join("app.db");
        Self { directory, database, repository: Repository::at(repository) }
    }

    /// All its files, elsewhere.
    pub fn copy(&self) -> Self {
        let stage = self.elsewhere();
        copy_files(self.directory.path(), stage.directory.path());
        stage
    }

    fn elsewhere(&self) -> Self {
        let directory = tempfile::tempdir_in(memory()).unwrap();
        let moved = |path: &Path| directory.path().join(path.strip_prefix(self.directory.path()).unwrap());
        let (database, repository) = (moved(&self.database), Repository::at(moved(self.repository.path())));
        fs::create_dir(repository.path()).unwrap();
        Self { directory, database, repository }
    }

    /// The same place elsewhere, with other files in it.
    pub fn with_files(&self, files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let stage = self.elsewhere();
        for (path, content) in files {
            let path = stage.directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        stage
    }

    /// A database with a lineage, and as many rows.
    pub fn with_rows(rows: u32) -> (Self, Connection) {
        let stage = Self::new();
        let connection = create(&stage.database);
        insert(&connection, rows);
        (stage, connection)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn std_command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(arguments).env("DB_PATH", &self.database).env("BACKUP_DIR", self.repository.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.std_command(arguments))
    }

    /// A run that has to succeed, for what it prints.
    pub fn json<T: serde::de::DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let ended = self.run(&[arguments, &["--json"]].concat()).expect(0);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// A new restore point, whether or not anything has changed.
    pub fn take(&self) -> Manifest {
        let taken: Taken = self.json(&["take", "--copy-unchanged"]);
        taken.restore_point
    }

    /// A take that has to be suspicious.
    pub fn take_suspect(&self) -> Manifest {
        let ended = self.run(&["take", "--copy-unchanged", "--json"]).expect(7);
        let taken: Taken = serde_json::from_str(&ended.stdout).unwrap();
        for suspicion in &taken.restore_point.suspicions {
            assert!(ended.stderr.contains(&suspicion.to_string()), "{}", ended.stderr);
        }
        taken.restore_point
    }

    pub fn restore(&self, arguments: &[&str]) -> Restored {
        self.json(&[&["restore"], arguments].concat())
    }

    /// The sequence numbers of the complete restore points.
    pub fn sequences(&self) -> Vec<u64> {
        self.repository.manifests().unwrap().iter().map(|manifest| manifest.sequence).collect()
    }

    /// All files of the repository but its lock, what it remembers of remote ones, and the record of restores, of which the next take sweeps what was killed.
    pub fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.repository.path()).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".lock" && !name.starts_with("restores.json") && name != "remotes.json");
        names.sort();
        names
    }

    /// Loses the database with all that belongs to it.
    pub fn lose_database(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let path = beside(&self.database, suffix);
            if path.exists() {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn stdout_says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "expected {text:?}, found: {}", self.stdout);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected {text:?}, found: {}", self.stderr);
        self
    }
}

/// Runs to the end, with a time limit.
pub fn output(command: std::process::Command) -> std::process::Output {
    Command::from_std(command).timeout(Duration::from_secs(60)).output().unwrap()
}

/// Runs to the end, which no signal may be.
pub fn ended(command: std::process::Command) -> Ended {
    let output = output(command);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().expect("no signal ends the program"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Where bringing files to disk takes no time, if there is such a place.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_files(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

/// Changes what a manifest says, as somebody does who leaves out its digest.
pub fn edit(repository: &Repository, name: &Name, from: &str, to: &str) {
    let path = repository.manifest(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to).replace("manifest_blake3", "was")).unwrap();
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// Creates a WAL database with a lineage and a table.
pub fn create(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL").unwrap();
    lineage::ensure(&connection).unwrap();
    create_table(&connection);
    connection
}

pub fn create_table(connection: &Connection) {
    connection.execute_batch("CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)").unwrap();
}

/// Inserts rows of some 1 kB in one transaction.
pub fn insert(connection: &Connection, rows: u32) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
               INSERT INTO message (body) SELECT hex(randomblob(500)) FROM n WHERE i <= ?1";
    connection.execute(sql, [rows]).unwrap();
}

/// The ids of the rows of a database, having checked that it is sound.
pub fn ids(path: &Path) -> Vec<i64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{}", path.display());
    let mut statement = connection.prepare("SELECT id FROM message ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

pub fn up_to(last: i64) -> Vec<i64> {
    (1..=last).collect()
}
