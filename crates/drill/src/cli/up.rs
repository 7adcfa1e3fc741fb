use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use super::place::protector;
use super::print;
use crate::exit;
use crate::interrupt::Interrupt;
use crate::judge::objectives::positive_duration;
use crate::platform::local::{Folder, Programs, Protector, StateDir, end_processes};
use crate::platform::{Local, Platform as _};
use crate::progress::Progress;
use crate::runbook::Protect;
use crate::witness::clock::Clock;
use crate::witness::record::Recorder;

/// Run the service and its backups until Ctrl-C, and keep their data; a database that is missing is restored first
#[derive(Args)]
pub(super) struct Up {
    /// Directory that keeps the volumes pra-data and pra-backup
    #[arg(long, value_name = "DIR", default_value = "local")]
    dir: PathBuf,
    /// Address the service listens on
    #[arg(long, value_name = "ADDR", env = "LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Interval of the backups
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    backup_every: Duration,
    /// How the service protects what it acknowledges
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Protect::None)]
    protect: Protect,
    /// Have another program protect the database in the place of restore points, as this JSON file describes it
    #[arg(long, value_name = "FILE", value_parser = protector, conflicts_with = "protect")]
    protector: Option<Protector>,
}

impl Up {
    pub(super) async fn run(self) -> Result<u8> {
        let mut interrupt = Interrupt::listen()?;
        let directory = StateDir::lock(&self.dir)?;
        // The lock is held: they outlived an `up` that was killed, and serve nobody any more.
        let orphans = end_processes(&directory.path).await?;
        let (recorder, progress) = (Arc::new(Recorder::new(Clock::start())), Progress::new());
        if !orphans.is_empty() {
            progress.line(&format!("ended what an earlier run left in {}: {orphans:?}", directory.path.display()));
        }
        let folder = Folder::at(directory.path.clone());
        let programs = Programs::beside_this_one()?;
        let mut local = Local::new(programs, folder, self.backup_every, recorder.clone(), progress.clone());
        local.listen_on(self.listen);
        local.restart_the_unwell();
        if self.protect == Protect::Sync {
            local.with_a_journal();
        }
        match self.protector {
            Some(protector) => local.protect_with(protector),
            // Somebody's data: never to be served without what the restore points hold.
            None => local.restore_by_itself(),
        }
        local.preflight().await?;
        let served = tokio::select! {
            served = serve(&mut local, &recorder, &progress) => served,
            signal = interrupt.received() => {
                progress.line(&format!("{signal}: stopping; the data stays in {}", directory.path.display()));
                Ok(())
            }
        };
        local.quiesce().await?;
        progress.finish();
        served.map(|()| exit::PASS)
    }
}

/// Starts everything and shows each restore point, for as long as it is let.
async fn serve(local: &mut Local, recorder: &Recorder, progress: &Progress) -> Result<()> {
    let url = local.start().await?;
    let mut service = local.watch()?;
    local.resume_backups().await?;
    print(&format!("{url}"))?;
    progress.waiting(format!("serving {url}; Ctrl-C stops"));
    let (mut points, mut failures, mut told) = (0, 0, 0);
    loop {
        let backups = recorder.wait_for(Duration::MAX, |record| {
            let point = record.restore_points.get(points).map(|point| Ok(point.manifest.clone()));
            point.or_else(|| record.failed_backups.get(failures).map(|(_, why)| Err(why.clone())))
        });
        let backup = tokio::select! {
            backup = backups => backup,
            state = service.wait_for(|state| state.news.len() > told) => {
                let Ok(state) = state else { return Ok(()) };
                for (at, news) in &state.news[told..] {
                    say(progress, *at, news);
                }
                told = state.news.len();
                continue;
            }
        };
        match backup {
            Some(Ok(manifest)) => {
                points += 1;
                say(progress, Timestamp::now(), &format!("restore point {}", manifest.name));
                for suspicion in &manifest.suspicions {
                    progress.line(&format!("it is suspect, {suspicion}"));
                }
            }
            Some(Err(why)) => {
                failures += 1;
                say(progress, Timestamp::now(), &format!("backup failed: {why}"));
            }
            None => return Ok(()),
        }
    }
}

/// Says what happened, and when.
fn say(progress: &Progress, at: Timestamp, news: &str) {
    progress.line(&format!("{}  {news}", at.strftime("%H:%M:%SZ")));
}
