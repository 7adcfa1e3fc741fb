//! Processes and directories on this machine: a supervisor in the place of the kubelet, a schedule in the place of
//! the CronJob, directories in the place of volumes.

mod folder;
mod leftovers;
mod programs;
mod schedule;
mod supervisor;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use backup::Restored;
use backup::lineage::Lineage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Url;

pub use folder::{Folder, StateDir};
pub use leftovers::{end_processes, remove};
pub use programs::Programs;
pub use schedule::Schedule;
pub use supervisor::Supervisor;

use super::{Access, Fault, Platform};
use crate::progress::Progress;
use crate::record::Recorder;

/// How long the service may take to start, or to die when it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A restore that takes longer has failed.
const RESTORE_LIMIT: Duration = Duration::from_secs(600);

/// The system of one drill, in a folder of its own.
pub struct Local {
    programs: Programs,
    folder: Folder,
    backup_every: Duration,
    recorder: Arc<Recorder>,
    progress: Progress,
    address: Option<SocketAddr>,
    supervisor: Option<Supervisor>,
    schedule: Option<Schedule>,
}

impl Local {
    /// A system that is not running yet.
    pub fn new(
        programs: Programs,
        folder: Folder,
        backup_every: Duration,
        recorder: Arc<Recorder>,
        progress: Progress,
    ) -> Self {
        Self { programs, folder, backup_every, recorder, progress, address: None, supervisor: None, schedule: None }
    }

    /// Serves on this address instead of a free one.
    pub fn listen_on(&mut self, address: SocketAddr) {
        self.address = Some(address);
    }

    fn supervisor(&mut self) -> Result<&mut Supervisor> {
        self.supervisor.as_mut().context("the service was not started")
    }

    async fn kill_service(&mut self) -> Result<String> {
        let supervisor = self.supervisor()?;
        let pid = supervisor.state().pid.context("the service does not run: there is nothing to kill")?;
        kill(Pid::from_raw(pid.try_into()?), Signal::SIGKILL).with_context(|| format!("cannot kill process {pid}"))?;
        let state = supervisor.wait(PATIENCE, "process to end", |state| state.pid != Some(pid)).await?;
        Ok(format!("process {pid} {}", state.last_exit.unwrap_or_default()))
    }

    fn destroy_volume(&self) -> Result<String> {
        let data = &self.folder.data;
        fs::remove_dir_all(data).with_context(|| format!("cannot destroy {}", data.display()))?;
        ensure!(!data.exists(), "{} is still there after it was removed", data.display());
        Ok("pra-data is gone".to_owned())
    }
}

impl Platform for Local {
    const NAME: &'static str = "local";

    fn targets(&self, fault: Fault) -> Vec<String> {
        let database = self.folder.database();
        match fault {
            Fault::KillService => {
                vec![format!("process of {} serving {}", self.programs.app.display(), database.display())]
            }
            Fault::DestroyVolume => vec![format!("directory {}", self.folder.data.display())],
        }
    }

    fn restore_points_wanted(&self) -> usize {
        // One whole cycle, which shows the worst case.
        2
    }

    fn backup_interval(&self) -> Duration {
        self.backup_every
    }

    async fn preflight(&mut self) -> Result<()> {
        self.programs.check()
    }

    async fn start(&mut self) -> Result<Url> {
        self.folder.create()?;
        self.start_service().await?;
        let started = |state: &supervisor::State| state.address.is_some() || state.last_exit.is_some();
        let state = self.supervisor()?.wait(PATIENCE, "service to listen", started).await?;
        let address = state.address.with_context(|| {
            let how = state.last_exit.unwrap_or_default();
            format!("the service {how} before it listened; it said: {}", self.folder.tail("app.log"))
        })?;
        // The public address stays, whichever process serves it.
        self.address = Some(address);
        self.supervisor()?.keep_address(address);
        Ok(format!("http://{address}/").parse()?)
    }

    fn access(&self) -> Option<Access> {
        self.address.map(|address| Access::Url(format!("http://{address}/")))
    }

    fn remember(&mut self, _: &Lineage) -> Result<()> {
        // Nothing has to be restored: the whole system is the drill's own, and goes with it.
        Ok(())
    }

    async fn inject(&mut self, fault: Fault) -> Result<String> {
        match fault {
            Fault::KillService => self.kill_service().await,
            Fault::DestroyVolume => self.destroy_volume(),
        }
    }

    async fn ready(&mut self) -> Result<String> {
        let state = self.supervisor()?.wait(PATIENCE, "service to listen", |state| state.address.is_some()).await?;
        Ok(format!("process {} listens", state.pid.unwrap_or_default()))
    }

    async fn quiesce(&mut self) -> Result<()> {
        if let Some(schedule) = self.schedule.take() {
            schedule.stop().await?;
        }
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.stop().await?;
        }
        Ok(())
    }

    async fn replace_volume(&mut self) -> Result<()> {
        let data = &self.folder.data;
        fs::create_dir(data).with_context(|| format!("cannot create the new volume {}", data.display()))
    }

    async fn restore(&mut self, lineage: &Lineage) -> Result<Restored> {
        let command = self.programs.restore(&self.folder, lineage);
        self.progress.command(&programs::as_typed(command.as_std()));
        programs::result_of(command, &self.folder, RESTORE_LIMIT).await
    }

    async fn start_service(&mut self) -> Result<()> {
        let app = self.programs.service(&self.folder);
        self.supervisor = Some(Supervisor::start(app, self.address, self.folder.clone()));
        Ok(())
    }

    async fn restored_by_itself(&mut self) -> Result<Option<Restored>> {
        Ok(None)
    }

    async fn resume_backups(&mut self) -> Result<()> {
        let (programs, folder) = (self.programs.clone(), self.folder.clone());
        self.schedule = Some(Schedule::start(programs, folder, self.backup_every, self.recorder.clone()));
        Ok(())
    }

    async fn keep_logs(&self, report: &Path) -> Result<()> {
        for log in ["app.log", "backup.log"] {
            let (source, target) = (self.folder.root.join(log), report.join(log));
            if source.exists() {
                fs::copy(&source, &target).with_context(|| format!("cannot keep the log {}", source.display()))?;
            }
        }
        Ok(())
    }

    async fn clean_up(&mut self) -> Result<String> {
        let quiesced = self.quiesce().await;
        // Even if one of them could not be stopped in good order, nothing may stay behind.
        remove(&self.folder.root).await?;
        quiesced.map(|()| "no process, no file left".to_owned())
    }
}

/// How the service is started: everything but the address, which changes after the first start.
pub(super) type Invocation = (PathBuf, Vec<std::ffi::OsString>);
