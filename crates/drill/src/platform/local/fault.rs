//! How things are broken on this machine, and made whole where that is possible.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use backup::Repository;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use super::{Local, PATIENCE, disk, programs};
use crate::platform::{Fault, Manner, Platform as _, content};

/// How much of a restore point is damaged, in bytes.
const DAMAGE: u64 = 512;

/// How often a volume is destroyed anew that others write into meanwhile.
const DESTROY_TRIES: usize = 100;

/// How long it may take to meet a restore while it writes: one that is done before it can be killed is begun again.
const MEET_LIMIT: Duration = Duration::from_secs(20);

impl Local {
    pub(super) fn targets_of(&self, fault: Fault) -> Vec<String> {
        let (data, repository) = (self.folder.data.display(), self.folder.repository.display());
        let database = self.folder.database();
        let database = database.display();
        let volume = || format!("directory {data}");
        match fault {
            Fault::KillService => vec![format!("process of {} serving {database}", self.programs.app.display())],
            Fault::DestroyVolume | Fault::StartEmpty => vec![volume()],
            Fault::OverwriteDatabase => vec![format!("file {database}")],
            Fault::DamageNewestRestorePoint => vec![format!("the newest restore point in {repository}")],
            Fault::KillRestore => vec![format!("the restore to {database}")],
            Fault::DeleteRows => vec![format!("database {database}")],
            Fault::FillVolume => vec![format!("file system of {data}")],
            Fault::StopBackups => vec![format!("backups to {repository}")],
            Fault::DestroyRepository => vec![format!("directory {repository}")],
            Fault::DestroyBothVolumes => vec![volume(), format!("directory {repository}")],
            Fault::StealCredentials => self.remote.iter().map(|remote| format!("everything below {remote}")).collect(),
            Fault::DrainNode | Fault::StopNode => Vec::new(),
        }
    }

    pub(super) async fn break_it(&mut self, fault: Fault) -> Result<String> {
        match fault {
            Fault::KillService => self.kill_service().await,
            Fault::DestroyVolume => destroy(&self.folder.data),
            Fault::OverwriteDatabase => content::overwrite(&self.folder.database()),
            Fault::DamageNewestRestorePoint => self.damage_newest(),
            Fault::KillRestore => self.kill_restore().await,
            Fault::StartEmpty => self.start_empty().await,
            Fault::DeleteRows => content::delete_rows(&self.folder.database()),
            Fault::FillVolume => self.fill_volume().await,
            Fault::StopBackups => self.stop_backups().await.map(|()| "no backup runs, and none is due".to_owned()),
            Fault::DestroyRepository => destroy(&self.folder.repository),
            Fault::DestroyBothVolumes => {
                Ok(format!("{}; {}", destroy(&self.folder.data)?, destroy(&self.folder.repository)?))
            }
            Fault::StealCredentials => self.steal().await,
            Fault::DrainNode | Fault::StopNode => bail!("there is no other node"),
        }
    }

    pub(super) async fn undo(&mut self, fault: Fault) -> Result<String> {
        match (fault, &self.disk) {
            (Fault::FillVolume, Some(disk)) => disk.make_space(),
            (Fault::FillVolume, None) => disk::unlimit_files(self.pid()?, &self.progress).await,
            (Fault::DestroyRepository, _) => {
                let repository = &self.folder.repository;
                fs::create_dir(repository).with_context(|| format!("cannot create {}", repository.display()))?;
                Ok(format!("{} is there, empty", repository.display()))
            }
            (other, _) => bail!("there is no way to undo {other:?}"),
        }
    }

    fn pid(&mut self) -> Result<u32> {
        self.supervisor()?.state().pid.context("the service does not run")
    }

    async fn kill_service(&mut self) -> Result<String> {
        let pid = self.pid()?;
        kill(Pid::from_raw(pid.try_into()?), Signal::SIGKILL).with_context(|| format!("cannot kill process {pid}"))?;
        let state = self.supervisor()?.wait(PATIENCE, "process to end", |state| state.pid != Some(pid)).await?;
        Ok(format!("process {pid} {}", state.last_exit.unwrap_or_default()))
    }

    async fn fill_volume(&mut self) -> Result<String> {
        match &self.disk {
            Some(disk) => disk.fill(),
            None => disk::limit_files(self.pid()?, &self.folder.database(), &self.progress).await,
        }
    }

    /// As someone does who finds the volume gone, and thinks of nothing but the service.
    async fn start_empty(&mut self) -> Result<String> {
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.stop().await?;
        }
        self.replace_volume().await?;
        self.start_service().await?;
        self.ready().await.map(|by| format!("{by}, on an empty volume"))
    }

    fn damage_newest(&self) -> Result<String> {
        let repository = Repository::at(&self.folder.repository);
        let newest = repository.newest(None)?.context("there is no restore point to damage")?;
        let path = repository.stored_file(&newest);
        let context = || format!("cannot damage {}", path.display());
        let file = File::options().read(true).write(true).open(&path).with_context(context)?;
        let middle = file.metadata().with_context(context)?.len() / 2;
        let mut bytes = vec![0; usize::try_from(DAMAGE.min(middle))?];
        file.read_exact_at(&mut bytes, middle).with_context(context)?;
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        file.write_all_at(&bytes, middle).and_then(|()| file.sync_all()).with_context(context)?;
        Ok(format!("{}: {} bytes from {middle} on are others", newest.name, bytes.len()))
    }

    async fn kill_restore(&mut self) -> Result<String> {
        let lineage = self.lineage.clone().context("no lineage is known to restore")?;
        let command = self.programs.restore(&self.folder, &lineage, Manner::Missing);
        self.progress.command(&format!("{}   # killed while it writes", programs::as_typed(command.as_std())));
        let (database, deadline) = (self.folder.database(), Instant::now() + MEET_LIMIT);
        while Instant::now() < deadline {
            let mut command = self.programs.restore(&self.folder, &lineage, Manner::Missing);
            let log = self.folder.append_to("backup.log")?;
            let mut child = command.stderr(log).spawn().context("cannot run backup restore")?;
            // No pause: a small database is restored in milliseconds.
            while !is_begun(&self.folder.data)? && child.try_wait().context("the restore was lost")?.is_none() {
                tokio::task::yield_now().await;
            }
            child.kill().await.context("cannot kill the restore")?;
            if !database.exists() && is_begun(&self.folder.data)? {
                return Ok("the restore was killed; what it had written is there, and no database".to_owned());
            }
            // It was faster. Nobody uses the volume yet.
            destroy(&self.folder.data)?;
            self.replace_volume().await?;
        }
        bail!("could not catch a restore while it was writing within {} s", MEET_LIMIT.as_secs())
    }
}

/// Whether a restore has begun to write: there is something in a file, whatever its name.
fn is_begun(volume: &Path) -> Result<bool> {
    let entries = fs::read_dir(volume).with_context(|| format!("cannot read {}", volume.display()))?;
    // A file that is renamed meanwhile is found by the next look.
    Ok(entries.flatten().any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 0)))
}

fn destroy(volume: &PathBuf) -> Result<String> {
    let mut removed = fs::remove_dir_all(volume);
    // Whoever protects the database may create a file there meanwhile.
    for _ in 0..DESTROY_TRIES {
        match &removed {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => removed = fs::remove_dir_all(volume),
            _ => break,
        }
    }
    removed.with_context(|| format!("cannot destroy {}", volume.display()))?;
    ensure!(!volume.exists(), "{} is still there after it was removed", volume.display());
    Ok(format!("{} is gone", volume.file_name().unwrap_or_default().display()))
}
