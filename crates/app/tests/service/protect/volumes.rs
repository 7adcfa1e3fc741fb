//! Two volumes, as two directories: one with the database, one with restore points and journal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backup::restore::{self, Choice, LineageChoice, Request, Terms};
use backup::verify::Check;
use backup::{Manifest, Repository, Restored, prune, retention, take};
use tempfile::TempDir;

use crate::harness::{App, BOUND, command};

pub struct Volumes {
    directory: TempDir,
}

impl Volumes {
    pub fn new() -> Self {
        let volumes = Self { directory: tempfile::tempdir().unwrap() };
        for volume in [volumes.data(), volumes.backup()] {
            fs::create_dir(volume).unwrap();
        }
        volumes
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn backup(&self) -> PathBuf {
        self.directory.path().join("backup")
    }

    pub fn database(&self) -> PathBuf {
        self.data().join("app.db")
    }

    pub fn repository(&self) -> Repository {
        Repository::at(self.backup())
    }

    /// The protected service; more flags may follow.
    pub fn command(&self) -> Command {
        let mut command = command(&self.database());
        command.args(["--protect", "sync", "--repository"]).arg(self.backup());
        command
    }

    pub fn start(&self) -> App {
        App::start(self.command())
    }

    pub fn start_with(&self, flags: &[&str]) -> App {
        let mut command = self.command();
        command.args(flags);
        App::start(command)
    }

    /// A foreign connection, as another program would open it.
    pub fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    pub fn take(&self) -> Manifest {
        let writer = self.repository().writer(BOUND).unwrap();
        let request = take::Request::new(self.database());
        take::run(&writer, &request, &mut |_| {}).unwrap().restore_point
    }

    pub fn keep_last(&self, last: u32) {
        let writer = self.repository().writer(BOUND).unwrap();
        let policy = retention::Policy { last, ..retention::Policy::default() };
        prune::run(&writer, policy, None, None, prune::Mode::Remove).unwrap();
    }

    /// The volume is gone, and a new one is in its place.
    pub fn lose(&self) {
        fs::remove_dir_all(self.data()).unwrap();
        fs::create_dir(self.data()).unwrap();
    }

    pub fn restore(&self) -> Restored {
        restore::run(&self.repository(), &self.request(Choice::Latest), &mut |_| {}).unwrap()
    }

    pub fn restore_named(&self, point: &Manifest) -> Restored {
        restore::run(&self.repository(), &self.request(Choice::Name(point.name.clone())), &mut |_| {}).unwrap()
    }

    pub fn restore_lineage(&self, lineage: LineageChoice) {
        let request = Request { lineage: Some(lineage), ..self.request(Choice::Latest) };
        restore::run(&self.repository(), &request, &mut |_| {}).unwrap();
    }

    pub fn restore_into_live(&self, point: &Manifest) -> Restored {
        let terms = Terms { wait: BOUND, hold: BOUND, reuse_keys: false };
        let request = self.request(Choice::Name(point.name.clone()));
        restore::into_live(&self.repository(), &request, terms, &mut |_| {}).unwrap()
    }

    fn request(&self, choice: Choice) -> Request {
        Request {
            database: self.database(),
            choice,
            lineage: None,
            source_name: None,
            force: true,
            check: Some(Check::Quick),
        }
    }

    /// The volume is lost and its newest restore point restored.
    pub fn lose_and_restore(&self) {
        self.lose();
        self.restore();
    }

    /// The files of the journal, oldest first.
    pub fn journal(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for lineage in fs::read_dir(self.backup().join("journal")).unwrap() {
            let entries = fs::read_dir(lineage.unwrap().path()).unwrap().map(|entry| entry.unwrap().path());
            files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "journal")));
        }
        files.sort();
        files
    }

    pub fn newest_file(&self) -> PathBuf {
        self.journal().pop().unwrap()
    }
}

/// Cuts a file.
pub fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

pub fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// Inverts a byte of a file.
pub fn flip(path: &Path, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

/// Adds a message after another; gives the ids.
pub async fn add(app: &App, messages: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for _ in 0..messages {
        ids.push(app.add("x").await.id());
    }
    ids
}

/// What `/status` says of the protection.
pub async fn state(app: &App) -> String {
    app.get("/status").await.json()["protection"]["state"].as_str().unwrap_or_default().to_owned()
}

/// Newest first, as the service lists them.
pub fn down_from(last: i64) -> Vec<i64> {
    (1..=last).rev().collect()
}

/// A time that is after everything until now and before everything from now on.
pub async fn instant() -> String {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let now = format!("{:.6}", jiff::Timestamp::now());
    tokio::time::sleep(Duration::from_millis(2)).await;
    now
}
