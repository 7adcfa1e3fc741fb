//! Removes the processes and files of a drill, of this one or of one that was killed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use super::protector::REPLICA;
use super::{Folder, disk};

const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// Ends every process that works in a folder and removes the folder; returns once both are gone.
pub(crate) async fn remove(folder: &Path) -> Result<()> {
    end_processes(folder).await?;
    disk::unmount(&Folder::at(folder.to_owned()).data)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}; remove it by hand", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Ends every process that works in a folder; returns their ids once they are gone.
pub(crate) async fn end_processes(folder: &Path) -> Result<BTreeSet<i32>> {
    let mut ended = BTreeSet::new();
    let deadline = Instant::now() + LIMIT;
    loop {
        let left = processes_of(folder)?;
        if left.is_empty() {
            return Ok(ended);
        }
        if Instant::now() > deadline {
            bail!("processes {left:?} that work in {} do not end; kill them by hand", folder.display());
        }
        for pid in left {
            ended.insert(pid);
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("cannot kill process {pid}")),
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Processes of our programs that were given a path below the folder as an argument, and those of a protector, which have
/// one in their environment: every one that a drill starts is. That finds them even if the drill was killed before it could
/// write down their ids, and mistakes no reused id.
fn processes_of(folder: &Path) -> Result<Vec<i32>> {
    let is_ours = |program: &Path| program.ends_with("app") || program.ends_with("backup");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let entry = entry.context("cannot read /proc")?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // A process that ends meanwhile has no command line any more, and a zombie has an empty one.
        let Ok(command_line) = fs::read(entry.path().join("cmdline")) else { continue };
        let mut arguments =
            command_line.split(|byte| *byte == 0).map(|argument| Path::new(OsStr::from_bytes(argument)));
        let is_given_a_path = arguments.next().is_some_and(is_ours) && arguments.any(|path| path.starts_with(folder));
        if is_given_a_path || is_protector(&entry.path(), folder) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Whether a process, by its folder in `/proc`, works for a protector of this folder. One of another user does not.
fn is_protector(process: &Path, folder: &Path) -> bool {
    let Ok(environment) = fs::read(process.join("environ")) else { return false };
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| {
        let value = variable.strip_prefix(REPLICA.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|path| Path::new(OsStr::from_bytes(path)).starts_with(folder))
    })
}
