//! Another program in the place of the restore points: how it protects the database, and how it gives it back, as data.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::{Folder, programs};
use crate::witness::record::Recorder;

/// By these, what a program reads or runs itself can name the paths. Every process of a protector has the second, by
/// which it is found again.
const DATABASE: &str = "DRILL_DATABASE";
pub(super) const REPLICA: &str = "DRILL_REPLICA";

/// A program that protects a database. Each command is a program with its arguments, in which `{database}` and
/// `{replica}` are paths; nothing goes through a shell, unless that is the program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Protector {
    /// Its name in reports.
    pub name: String,
    /// Runs as long as the service does; started again at the next interval if it ends.
    #[serde(default)]
    beside: Vec<String>,
    /// Runs at each interval.
    #[serde(default)]
    each: Vec<String>,
    /// Puts what it keeps at `{database}`, where nothing is.
    restore: Vec<String>,
    /// What its documentation asks of the service: arguments of `app`.
    #[serde(default)]
    pub(super) service: Vec<String>,
}

impl Protector {
    /// Reads one from a JSON file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read the protector {}", path.display()))?;
        let protector: Self = serde_json::from_reader(file)
            .with_context(|| format!("{} does not describe a protector", path.display()))?;
        ensure!(
            protector.beside.is_empty() != protector.each.is_empty() && !protector.restore.is_empty(),
            "{} has to say what runs beside the service or at each interval, one of both, and how to restore",
            path.display()
        );
        Ok(protector)
    }

    /// Whether it copies at each interval.
    pub(super) fn is_periodic(&self) -> bool {
        self.beside.is_empty()
    }

    /// Protects: one copy, or until the program ends or this is dropped. What comes of it goes to the record.
    pub(super) async fn protect(&self, folder: &Folder, limit: Duration, recorder: &Arc<Recorder>) {
        let began = recorder.clock.now();
        let (words, limit) = if self.is_periodic() { (&self.each, limit) } else { (&self.beside, Duration::MAX) };
        let mut ended = run(self.command(words, &folder.database(), folder), folder, limit).await;
        if !self.is_periodic() && ended.is_ok() {
            ended = Err(anyhow::anyhow!("{} ended unexpectedly", self.name));
        }
        let now = recorder.clock.now();
        recorder.add(|record| match ended {
            Ok(()) => record.copies.push(began),
            Err(error) => record.failed_backups.push((now, format!("{error:#}"))),
        });
    }

    /// The command that puts what it keeps at a path.
    pub(super) fn restore(&self, database: &Path, folder: &Folder) -> Command {
        self.command(&self.restore, database, folder)
    }

    fn command(&self, words: &[String], database: &Path, folder: &Folder) -> Command {
        let replica = &folder.repository;
        let filled = |word: &String| {
            let word = word.replace("{database}", &database.to_string_lossy());
            word.replace("{replica}", &replica.to_string_lossy())
        };
        let mut words = words.iter().map(filled);
        let mut command = programs::command(&PathBuf::from(words.next().unwrap_or_default()));
        command.args(words).env(DATABASE, database).env(REPLICA, replica);
        command
    }
}

/// Runs a command to its end, within a limit. What it says goes to `protector.log`.
pub(super) async fn run(mut command: Command, folder: &Folder, limit: Duration) -> Result<()> {
    let typed = programs::as_typed(command.as_std());
    let log = || folder.append_to("protector.log").map(Stdio::from);
    let mut child = command.stdout(log()?).stderr(log()?).spawn().with_context(|| format!("cannot run {typed}"))?;
    let ended = tokio::time::timeout(limit, child.wait())
        .await
        .with_context(|| format!("{typed} did not end within {} s", limit.as_secs()))?
        .with_context(|| format!("{typed} was lost"))?;
    if !ended.success() {
        bail!("{typed} failed ({ended}): {}", folder.tail("protector.log"));
    }
    Ok(())
}
