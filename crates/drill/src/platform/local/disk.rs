//! A disk that can be filled: a small file system of its own where this user may mount one, else a limit on the size of
//! the service's files, which SQLite meets in the same way.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tokio::process::Command;

use super::programs;
use crate::progress::Progress;

/// Holds what a drill writes many times over.
const SIZE: &str = "size=64m";

/// Ballast is written in pieces of this size, then byte by byte.
const PIECE: usize = 64 * 1024;

/// A mounted file system.
pub(super) struct Disk {
    ballast: PathBuf,
}

impl Disk {
    /// Mounts a small file system on a directory; `None` where this user may not.
    pub(super) fn make_small(directory: &Path, progress: &Progress) -> Option<Self> {
        match mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some(SIZE)) {
            Ok(()) => Some(Self { ballast: directory.join("ballast") }),
            Err(error) => {
                progress
                    .line(&format!("no file system can be mounted ({error}): the size of files is limited instead"));
                None
            }
        }
    }

    /// Writes until not a byte is free.
    pub(super) fn fill(&self) -> Result<String> {
        let context = || format!("cannot write {}", self.ballast.display());
        let mut file = File::create(&self.ballast).with_context(context)?;
        let mut written = 0;
        for piece in [PIECE, 1] {
            loop {
                match file.write(&vec![0; piece]) {
                    Ok(bytes) => written += bytes,
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).with_context(context),
                }
            }
        }
        Ok(format!("{written} bytes of ballast: not a byte is free"))
    }

    /// Gives the space back.
    pub(super) fn make_space(&self) -> Result<String> {
        fs::remove_file(&self.ballast).with_context(|| format!("cannot remove {}", self.ballast.display()))?;
        Ok("the ballast is gone".to_owned())
    }
}

/// Unmounts what may be mounted on a directory.
pub(super) fn unmount(directory: &Path) -> Result<()> {
    match umount2(directory, MntFlags::MNT_DETACH) {
        // Not mounted, not there, or of a user who can mount nothing.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT | Errno::EPERM) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot unmount {}; umount it by hand", directory.display())),
    }
}

/// Lets a process make no file longer than the longest that SQLite writes to now.
pub(super) async fn limit_files(pid: u32, database: &Path, progress: &Progress) -> Result<String> {
    let wal = PathBuf::from(format!("{}-wal", database.display()));
    let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
    let longest = length(&wal).with_context(|| format!("cannot look at {}", wal.display()))?;
    set_limit(pid, &longest.to_string(), progress).await?;
    Ok(format!("process {pid} may make no file longer than {longest} bytes"))
}

/// Lifts the limit.
pub(super) async fn unlimit_files(pid: u32, progress: &Progress) -> Result<String> {
    set_limit(pid, "unlimited", progress).await?;
    Ok(format!("process {pid} may make files of any length"))
}

async fn set_limit(pid: u32, soft: &str, progress: &Progress) -> Result<()> {
    let mut command = Command::new("prlimit");
    // The soft limit alone: only root may raise the other again.
    command.arg(format!("--fsize={soft}:")).arg("--pid").arg(pid.to_string()).kill_on_drop(true);
    progress.command(&programs::as_typed(command.as_std()));
    let output = command.output().await.context("cannot run prlimit, which is part of util-linux")?;
    ensure!(output.status.success(), "prlimit failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let shown = fs::read_to_string(format!("/proc/{pid}/limits")).context("cannot read the limits of the service")?;
    let line = shown.lines().find(|line| line.starts_with("Max file size")).unwrap_or_default();
    if line.split_whitespace().nth(3) != Some(soft) {
        bail!("the limit is not {soft}: {line}");
    }
    Ok(())
}
