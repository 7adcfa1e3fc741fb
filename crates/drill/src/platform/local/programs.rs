//! The programs of the project that a local system consists of, and how they are called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use backup::exit;
use backup::lineage::Lineage;
use backup::take::Taken;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::{Folder, Invocation};
use crate::platform::Manner;
use crate::platform::pushed::Pushed;

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The web service.
    pub app: PathBuf,
    pub backup: PathBuf,
}

impl Programs {
    /// The programs beside the one that is running, where a build puts them.
    pub(crate) fn beside_this_one() -> Result<Self> {
        let this = std::env::current_exe().context("cannot find the path of this program")?;
        let beside = |name| this.with_file_name(name);
        Ok(Self { app: beside("app"), backup: beside("backup") })
    }

    pub(crate) fn check(&self) -> Result<()> {
        for program in [&self.app, &self.backup] {
            ensure!(
                program.is_file(),
                "the program {} is missing; build the whole workspace first: cargo build --workspace",
                program.display()
            );
        }
        Ok(())
    }

    pub(super) fn service(&self, folder: &Folder, is_journaled: bool) -> Invocation {
        let mut arguments: Vec<OsString> = vec![
            "--database".into(),
            folder.database().into(),
            "--repository".into(),
            folder.repository.clone().into(),
        ];
        if is_journaled {
            arguments.extend(["--protect", "sync"].map(OsString::from));
        }
        (self.app.clone(), arguments)
    }

    pub(super) fn take(&self, folder: &Folder) -> Command {
        // Backups never stop by themselves: without a bound a long-lived system would fill its disk.
        let mut command = self.take_once(&folder.database(), &folder.repository);
        command.args(["--keep-last", "20", "--keep-hourly", "24"]);
        command
    }

    /// Takes a restore point for a repository of its own.
    pub(super) fn take_once(&self, database: &Path, repository: &Path) -> Command {
        self.backup("take", database, repository)
    }

    /// Restores what is newest in somebody else's repository, which is only read.
    pub(super) fn copy_from(&self, folder: &Folder, repository: &Path) -> Command {
        let mut command = self.backup("restore", &folder.database(), repository);
        command.arg("--latest");
        command
    }

    pub(super) fn restore(&self, folder: &Folder, lineage: &Lineage, manner: Manner) -> Command {
        let mut command = self.backup("restore", &folder.database(), &folder.repository);
        command.args(manner.arguments()).args(["--lineage", lineage.as_str()]);
        command
    }

    /// What runs before the service starts, if it is to recover by itself.
    pub(super) fn restore_if_missing(&self, folder: &Folder) -> Command {
        let mut command = self.backup("restore", &folder.database(), &folder.repository);
        command.arg("--if-missing");
        command
    }

    /// Takes a restore point, and sends it to where restore points are kept too: it counts once it is there.
    pub(super) async fn back_up(
        &self,
        folder: &Folder,
        remote: Option<&str>,
        limit: Duration,
    ) -> Result<(Taken, Option<Pushed>)> {
        let taken = result_of(self.take(folder), folder, limit).await?;
        let pushed = match remote {
            Some(remote) => Some(result_of(self.elsewhere("push", folder, remote), folder, limit).await?),
            None => None,
        };
        Ok((taken, pushed))
    }

    pub(super) fn pull(&self, folder: &Folder, remote: &str, lineage: &Lineage, as_of: Option<Timestamp>) -> Command {
        let mut command = self.elsewhere("pull", folder, remote);
        command.args(["--lineage", lineage.as_str()]);
        if let Some(as_of) = as_of {
            command.args(["--as-of", &as_of.to_string()]);
        }
        command
    }

    fn elsewhere(&self, subcommand: &str, folder: &Folder, remote: &str) -> Command {
        let mut command = command(&self.backup);
        command.arg(subcommand).arg("--repository").arg(&folder.repository).args(["--remote", remote, "--json"]);
        command
    }

    fn backup(&self, subcommand: &str, database: &Path, repository: &Path) -> Command {
        let mut command = command(&self.backup);
        command.arg(subcommand).arg("--database").arg(database).arg("--repository").arg(repository);
        command.arg("--json");
        command
    }
}

/// Runs a backup command to its end, within a limit, and parses what it prints. Its log goes to `backup.log`.
pub(super) async fn result_of<T: DeserializeOwned>(
    mut command: Command,
    folder: &Folder,
    limit: Duration,
) -> Result<T> {
    let typed = as_typed(command.as_std());
    let child = command.stdout(Stdio::piped()).stderr(folder.append_to("backup.log")?).spawn();
    let child = child.with_context(|| format!("cannot run {typed}"))?;
    let output = tokio::time::timeout(limit, child.wait_with_output())
        .await
        .with_context(|| format!("{typed} did not end within {} s", limit.as_secs()))?
        .with_context(|| format!("{typed} was lost"))?;
    // What looks suspect is published all the same; the log says why it does.
    let done = [exit::OK, exit::SUSPECT].map(|code| Some(i32::from(code)));
    if !done.contains(&output.status.code()) {
        bail!("{typed} failed ({}): {}", output.status, folder.tail("backup.log"));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("cannot understand what {typed} printed"))
}

/// A program in a process group of its own, so that a Ctrl-C in the terminal reaches the drill alone, and gone with
/// whoever started it.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// A command line as a person would type it, with the paths relative to the current directory where they can be.
pub(super) fn as_typed(command: &std::process::Command) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let relative = |word: &std::ffi::OsStr| {
        let path = Path::new(word);
        path.strip_prefix(&here).unwrap_or(path).display().to_string()
    };
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(relative).collect::<Vec<_>>().join(" ")
}
