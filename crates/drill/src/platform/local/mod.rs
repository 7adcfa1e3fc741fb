//! Processes and directories on this machine: a supervisor in the place of the kubelet, a schedule in the place of
//! the CronJob, directories in the place of volumes.

mod disk;
mod fault;
mod folder;
mod leftovers;
mod programs;
mod protector;
mod schedule;
mod supervisor;
mod thief;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use backup::lineage::Lineage;
use backup::openat;
use backup::take::Taken;
use backup::{Manifest, Restored};
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::watch;

use disk::Disk;
pub(crate) use folder::{Folder, StateDir};
pub(crate) use leftovers::{end_processes, remove};
pub(crate) use programs::Programs;
pub(crate) use protector::Protector;
pub(crate) use schedule::Schedule;
pub(crate) use supervisor::{Care, State, Supervisor};

use super::{Access, Fault, Manner, Placed, Platform, Theft, content};
use crate::durable;
use crate::progress::Progress;
use crate::witness::record::Recorder;

/// How long the service may take to start, or to die when it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A restore that takes longer has failed.
const RESTORE_LIMIT: Duration = Duration::from_secs(600);

/// The system of one drill, in a folder of its own.
pub(crate) struct Local {
    programs: Programs,
    folder: Folder,
    backup_every: Duration,
    recorder: Arc<Recorder>,
    progress: Progress,
    address: Option<SocketAddr>,
    supervisor: Option<Supervisor>,
    schedule: Option<Schedule>,
    lineage: Option<Lineage>,
    original: Option<PathBuf>,
    remote: Option<String>,
    expects_a_thief: bool,
    theft: Option<Theft>,
    is_journaled: bool,
    restores_itself: bool,
    restarts_the_unwell: bool,
    protector: Option<Protector>,
    small_disk: bool,
    disk: Option<Disk>,
}

impl Local {
    /// A system that is not running yet.
    pub(crate) fn new(
        programs: Programs,
        folder: Folder,
        backup_every: Duration,
        recorder: Arc<Recorder>,
        progress: Progress,
    ) -> Self {
        Self {
            programs,
            folder,
            backup_every,
            recorder,
            progress,
            address: None,
            supervisor: None,
            schedule: None,
            lineage: None,
            original: None,
            remote: None,
            expects_a_thief: false,
            theft: None,
            is_journaled: false,
            restores_itself: false,
            restarts_the_unwell: false,
            protector: None,
            small_disk: false,
            disk: None,
        }
    }

    /// Serves on this address instead of a free one.
    pub(crate) fn listen_on(&mut self, address: SocketAddr) {
        self.address = Some(address);
    }

    /// Starts with a copy of what is newest in a repository, which is only read.
    pub(crate) fn on_a_copy_of(&mut self, repository: PathBuf) {
        self.original = Some(repository);
    }

    /// Keeps every restore point in a remote repository too.
    pub(crate) fn keep_elsewhere(&mut self, remote: String) {
        self.remote = Some(remote);
    }

    /// Keeps every restore point in a folder of its own of a remote repository too, where a thief is to come.
    pub(crate) fn keep_where_a_thief_comes(&mut self, remote: &str) {
        // Whatever else is there is not the drill's, and no thief's of ours.
        let run = self.folder.root.file_name().unwrap_or_default().display();
        self.remote = Some(format!("{}/{run}", remote.trim_end_matches('/')));
        self.expects_a_thief = true;
    }

    /// Has the service keep a journal beside the restore points.
    pub(crate) fn with_a_journal(&mut self) {
        self.is_journaled = true;
    }

    /// Has a database that is missing restored before the service starts, without being asked.
    pub(crate) fn restore_by_itself(&mut self) {
        self.restores_itself = true;
    }

    /// Has a service restarted that says that it needs it.
    pub(crate) fn restart_the_unwell(&mut self) {
        self.restarts_the_unwell = true;
    }

    /// What becomes known of the service, once it was started.
    pub(crate) fn watch(&self) -> Result<watch::Receiver<State>> {
        Ok(self.supervisor.as_ref().context("the service was not started")?.watch())
    }

    /// Has another program protect the database, in the place of restore points.
    pub(crate) fn protect_with(&mut self, protector: Protector) {
        self.protector = Some(protector);
    }

    /// Puts the database on a disk that is small enough to be filled.
    pub(crate) fn on_a_small_disk(&mut self) {
        self.small_disk = true;
    }

    async fn stop_backups(&mut self) -> Result<()> {
        match self.schedule.take() {
            Some(schedule) => schedule.stop().await,
            None => Ok(()),
        }
    }

    /// How long a start may take.
    fn start_limit(&self) -> Duration {
        if self.restores_itself { RESTORE_LIMIT + PATIENCE } else { PATIENCE }
    }

    fn supervisor(&mut self) -> Result<&mut Supervisor> {
        self.supervisor.as_mut().context("the service was not started")
    }
}

impl Local {
    /// Goes the way back from where restore points are kept too, out of the way of everything: whatever is missing for it,
    /// such as a key, is missing before anything is destroyed.
    async fn rehearse_the_fetch(&self) -> Result<()> {
        let Some((remote, lineage)) = self.remote.as_ref().zip(self.lineage.as_ref()) else { return Ok(()) };
        let place = Folder::at(self.folder.root.join("rehearsal"));
        place.create()?;
        let as_of = if self.expects_a_thief { Some(thief::now(remote).await?) } else { None };
        let pull = self.programs.pull(&place, remote, lineage, as_of);
        programs::result_of::<Pulled>(pull, &self.folder, RESTORE_LIMIT).await?;
        let restore = self.programs.restore(&place, lineage, Manner::Missing);
        programs::result_of::<Restored>(restore, &self.folder, RESTORE_LIMIT).await?;
        remove(&place.root).await
    }
}

impl Local {
    /// Backups go on meanwhile: nobody knows yet.
    async fn steal(&mut self) -> Result<String> {
        let remote = self.remote.as_ref().context("there is no remote repository")?;
        let robbed = self.recorder.clock.now();
        let theft = thief::rob(remote).await?;
        self.recorder.add(|record| record.robbed = Some(robbed));
        Ok(self.theft.insert(theft).to_string())
    }
}

impl Platform for Local {
    const NAME: &'static str = "local";

    fn refusal(fault: Fault) -> Option<&'static str> {
        match fault {
            Fault::DrainNode | Fault::StopNode => Some("one machine has no other node; use --platform kubernetes"),
            _ => None,
        }
    }

    fn targets(&self, fault: Fault) -> Vec<String> {
        self.targets_of(fault)
    }

    fn restore_points_wanted(&self) -> usize {
        // One whole cycle, which shows the worst case.
        2
    }

    fn backup_interval(&self) -> Duration {
        self.backup_every
    }

    fn schedule(&self) -> Option<Duration> {
        None
    }

    async fn preflight(&mut self) -> Result<()> {
        self.programs.check()?;
        match &self.remote {
            Some(remote) if self.expects_a_thief => thief::expect_locks(remote).await,
            _ => Ok(()),
        }
    }

    async fn start(&mut self) -> Result<Url> {
        self.folder.create()?;
        if self.small_disk {
            self.disk = Disk::make_small(&self.folder.data, &self.progress);
        }
        if let Some(original) = &self.original {
            let command = self.programs.copy_from(&self.folder, original);
            self.progress.command(&programs::as_typed(command.as_std()));
            let Restored { restore_point, bytes, .. } =
                programs::result_of(command, &self.folder, RESTORE_LIMIT).await?;
            self.progress.line(&format!("this drill runs on a copy of {}, {bytes} bytes", restore_point.name));
        }
        self.start_service().await?;
        let started = |state: &State| state.address.is_some() || state.last_exit.is_some();
        let limit = self.start_limit();
        let state = self.supervisor()?.wait(limit, "service to listen", started).await?;
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

    fn remember(&mut self, lineage: &Lineage) -> Result<()> {
        // Not on disk, as nothing has to be restored: the whole system is the drill's own, and goes with it.
        self.lineage = Some(lineage.clone());
        Ok(())
    }

    async fn safety_copy(&mut self) -> Result<String> {
        let folder = self.folder.safety();
        folder.create()?;
        let command = self.programs.take_once(&self.folder.database(), &folder.repository);
        let taken: Taken = programs::result_of(command, &self.folder, RESTORE_LIMIT).await?;
        self.rehearse_the_fetch().await.context("cannot restore from the remote repository")?;
        Ok(format!("{} in {}", taken.restore_point.name, folder.repository.display()))
    }

    async fn inject(&mut self, fault: Fault) -> Result<String> {
        self.break_it(fault).await
    }

    async fn relieve(&mut self, fault: Fault) -> Result<String> {
        self.undo(fault).await
    }

    async fn ready(&mut self) -> Result<String> {
        let limit = self.start_limit();
        let state = self.supervisor()?.wait(limit, "service to listen", |state| state.address.is_some()).await?;
        Ok(format!("process {} listens", state.pid.unwrap_or_default()))
    }

    async fn quiesce(&mut self) -> Result<()> {
        self.stop_backups().await?;
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.stop().await?;
        }
        Ok(())
    }

    async fn replace_volume(&mut self) -> Result<()> {
        let data = &self.folder.data;
        fs::create_dir(data).with_context(|| format!("cannot create the new volume {}", data.display()))
    }

    async fn fetch(&mut self) -> Result<String> {
        let (remote, lineage) = (self.remote.as_ref(), self.lineage.as_ref());
        let (remote, lineage) = remote.zip(lineage).context("there is no remote repository")?;
        let as_of = self.theft.as_ref().map(|theft| theft.as_of);
        let command = self.programs.pull(&self.folder, remote, lineage, as_of);
        self.progress.command(&programs::as_typed(command.as_std()));
        let pulled: Pulled = programs::result_of(command, &self.folder, RESTORE_LIMIT).await?;
        let fetched = format!("fetched {} from {remote}", pulled.pulled.join(", "));
        if self.theft.is_some() {
            // Where the thief has not been.
            self.remote = Some(format!("{remote}-after"));
        }
        Ok(fetched)
    }

    fn theft(&self) -> Option<&Theft> {
        self.theft.as_ref()
    }

    async fn bring_back(&mut self, safety_copy: &Path) -> Result<String> {
        content::bring_back(&self.folder.database(), safety_copy)
    }

    fn protector(&self) -> Option<&str> {
        self.protector.as_ref().map(|protector| protector.name.as_str())
    }

    async fn try_out(&mut self) -> Result<Option<Manifest>> {
        let Some(protector) = &self.protector else { return Ok(None) };
        let place = Folder::at(self.folder.root.join("trial"));
        // What an earlier trial left.
        remove(&place.root).await?;
        place.create()?;
        let database = place.database();
        protector::run(protector.restore(&database, &self.folder), &self.folder, RESTORE_LIMIT).await?;
        // A take checks what it copies, and finds out what is in it.
        let take = self.programs.take_once(&database, &place.repository);
        let taken: Taken = programs::result_of(take, &self.folder, RESTORE_LIMIT).await?;
        Ok(Some(taken.restore_point))
    }

    async fn restore(&mut self, lineage: &Lineage, manner: Manner) -> Result<Option<Restored>> {
        if let Some(protector) = &self.protector {
            let command = protector.restore(&self.folder.database(), &self.folder);
            self.progress.command(&programs::as_typed(command.as_std()));
            return protector::run(command, &self.folder, RESTORE_LIMIT).await.map(|()| None);
        }
        let command = self.programs.restore(&self.folder, lineage, manner);
        self.progress.command(&programs::as_typed(command.as_std()));
        programs::result_of(command, &self.folder, RESTORE_LIMIT).await.map(Some)
    }

    async fn start_service(&mut self) -> Result<()> {
        let mut app = self.programs.service(&self.folder, self.is_journaled);
        app.1.extend(self.protector.iter().flat_map(|protector| &protector.service).map(OsString::from));
        let restore_with = self.restores_itself.then(|| self.programs.clone());
        let care = Care { restore_with, restarts_the_unwell: self.restarts_the_unwell };
        self.supervisor = Some(Supervisor::start(app, self.address, self.folder.clone(), care));
        Ok(())
    }

    async fn restored_by_itself(&mut self) -> Result<Option<Restored>> {
        Ok(self.supervisor()?.state().restored)
    }

    async fn resume_backups(&mut self) -> Result<()> {
        let (programs, folder) = (self.programs.clone(), self.folder.clone());
        let (remote, recorder) = (self.remote.clone(), self.recorder.clone());
        self.schedule = Some(match self.protector.clone() {
            Some(protector) => Schedule::hand_over(protector, folder, self.backup_every, recorder),
            None => Schedule::start(programs, folder, remote, self.backup_every, recorder),
        });
        Ok(())
    }

    async fn placed(&self) -> Result<Vec<Placed>> {
        let volumes = [("pra-data", &self.folder.data), ("pra-backup", &self.folder.repository)];
        let there = volumes.into_iter().filter(|(_, directory)| directory.is_dir());
        let placed = |(claim, directory): (&str, &PathBuf)| {
            let volume = directory.display().to_string();
            Placed { claim: claim.to_owned(), volume, node: None }
        };
        Ok(there.map(placed).collect())
    }

    async fn keep_logs(&self, report: &Path) -> Result<()> {
        for log in ["app.log", "backup.log", "protector.log"] {
            let (source, target) = (self.folder.root.join(log), report.join(log));
            if source.exists() {
                let copied = openat::read(&source).map_err(Into::into).and_then(|mut from| {
                    let mut to = durable::create(&target)?;
                    Ok::<_, anyhow::Error>(io::copy(&mut from, &mut to)?)
                });
                copied.with_context(|| format!("cannot keep the log {}", source.display()))?;
            }
        }
        Ok(())
    }

    fn by_hand(&self) -> Vec<String> {
        // The system is the drill's own: there is nothing in it that anybody would miss.
        let (root, data) = (self.folder.root.display(), self.folder.data.display());
        vec![format!("pkill --full {root}"), format!("umount --lazy {data}"), format!("rm --recursive {root}")]
    }

    async fn clean_up(&mut self) -> Result<String> {
        let quiesced = self.quiesce().await;
        // Even if one of them could not be stopped in good order, nothing may stay behind.
        remove(&self.folder.root).await?;
        quiesced.map(|()| "no process, no file left".to_owned())
    }
}

/// What `backup pull` prints, as far as it matters here.
#[derive(Deserialize)]
struct Pulled {
    pulled: Vec<String>,
}

/// How the service is started: everything but the address, which changes after the first start.
pub(super) type Invocation = (PathBuf, Vec<OsString>);
