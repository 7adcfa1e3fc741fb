use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::iter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use backup::text::Color;
use clap::Args;

use super::archive::Archive;
use super::place::{Name, Place};
use super::scenarios::Scenarios;
use super::selection::choose;
use super::{State, print, print_json, print_verdict, usage};
use crate::execute::{Outcome, execute};
use crate::exit;
use crate::intents::{Intents, run_name};
use crate::interrupt::{Interrupt, end_process_1};
use crate::judge::objectives::{Objectives, duration, positive_duration};
use crate::platform::abandoned::{Cluster, find};
use crate::platform::local::{Folder, Programs, StateDir};
use crate::platform::{Fault, Local, Platform};
use crate::progress::Progress;
use crate::report::{self, Report, Summary, tables};
use crate::runbook::{InjectAt, Protect, Recovery, Settings};
use crate::scenario::Scenario;
use crate::witness::clock::Clock;
use crate::witness::record::Recorder;

/// Run scenarios one after the other, with a report for each
#[derive(Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) place: Place,
    /// Recovery time objective [default: 60s; poisoned-backup: plus two backup intervals]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    rto: Option<Duration>,
    /// Recovery point objective [default: one backup interval plus 15s where data may be lost, two
    /// intervals for stuck-backups, otherwise 0s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    rpo: Option<Duration>,
    /// Interval between backups [default: 5s; on Kubernetes the 60s of the CronJob]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    backup_every: Option<Duration>,
    /// Operations per second, of the writer and of the reader
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    rate: u32,
    /// Number of additional writers that write without pause when the fault strikes [default: 8 for kill-pod, none for kill-pvc]
    #[arg(long, value_name = "N", value_parser = writers)]
    pub(super) writers: Option<usize>,
    /// How long to wait for steady state, and for protection after the recovery, beyond the backup interval
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    patience: Duration,
    /// How long to wait for correct answers after the fault
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = positive_duration)]
    give_up: Duration,
    /// When the fault strikes [default: midway between two backups where data may be lost, otherwise now]
    #[arg(long, value_enum, value_name = "MOMENT")]
    pub(super) inject_at: Option<InjectAt>,
    /// Random seed for `--inject-at random`; incremented for each further drill [default: a new one each time]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u32>,
    /// Address of the service; fixed, so that you can open its page in advance [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// How long to keep the service up after the drill, to look at its page; Ctrl-C ends it earlier
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub(super) linger: Option<Duration>,
    /// How many times to run each scenario; several drills get a summary
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = runs)]
    runs: usize,
    #[command(flatten)]
    archive: Archive,
    /// Print what would be done, with the real objects, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the reports as a JSON array instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    scenarios: Scenarios,
}

impl Run {
    pub(super) async fn run(self, color: Color) -> Result<u8> {
        let progress = Progress::new();
        let scenarios = match choose(&self.scenarios.0, &self.place) {
            Ok(scenarios) => scenarios,
            Err(error) => return Ok(usage(&anyhow!("{error}"))),
        };
        if let Some(idle) = self.idle_option(&scenarios) {
            return Ok(usage(&anyhow!("{idle}; it has no effect here")));
        }
        if self.dry_run {
            end_process_1()?;
            return self.plan(&scenarios, &progress).await;
        }
        let archive = match self.archive.open() {
            Ok(archive) => archive,
            Err(error) => return Ok(usage(&error)),
        };
        let mut interrupt = Interrupt::listen()?;
        let state = match StateDir::lock(&self.state.state_dir) {
            Ok(state) => state,
            Err(error) => return Ok(refuse(&progress, &error)),
        };
        if let Err(error) = self.finish_abandoned(&state, &progress).await {
            return Ok(refuse(&progress, &error));
        }
        let mut codes = Vec::new();
        let mut reports = Vec::new();
        let drills = self.ways(&scenarios).flat_map(|way| iter::repeat_n(way, self.runs));
        let seed = self.seed.unwrap_or_else(any_seed);
        for (number, (scenario, recovery)) in (0..).zip(drills) {
            let settings = self.settings(scenario, recovery, seed.wrapping_add(number));
            let outcome = self.drill(scenario, settings, &state, &progress, &mut interrupt, &archive).await?;
            codes.push(outcome.code);
            self.show(&progress, outcome, &mut reports, color)?;
            // The others would meet the same obstacle, or were not wanted any more.
            if matches!(exit::worst(codes.clone()), exit::PREFLIGHT | exit::ABORTED | exit::CLEANUP_FAILED) {
                break;
            }
        }
        progress.finish();
        self.conclude(&archive, &reports)?;
        Ok(exit::worst(codes))
    }

    /// Each scenario in each way of recovery that is asked for.
    fn ways(&self, scenarios: &[&'static Scenario]) -> impl Iterator<Item = (&'static Scenario, Recovery)> {
        let ways = |scenario: &&'static Scenario| {
            let scenario = *scenario;
            self.place.recoveries(scenario).into_iter().map(move |recovery| (scenario, recovery))
        };
        scenarios.iter().flat_map(ways)
    }

    /// Clears up after drills on this machine. What one left on a cluster takes a decision, and concerns only those who come
    /// to the same place.
    async fn finish_abandoned(&self, state: &StateDir, progress: &Progress) -> Result<()> {
        for abandoned in find(state)? {
            let Some(cluster) = abandoned.cluster() else {
                progress.line(&abandoned.clean_up(progress).await?);
                continue;
            };
            let (Cluster { context, namespace }, step, cleanup) = (cluster, &abandoned.last_step, self.state.cleanup());
            let left = format!("a drill on {context} was killed in namespace {namespace}, at the step: {step}");
            ensure!(!self.place.is_at(cluster), "{left}; finish its recovery first: {cleanup}");
            progress.line(&format!("note: {left}; {cleanup} finishes it"));
        }
        Ok(())
    }

    /// Sums up the drills, if there were several.
    fn conclude(&self, archive: &report::Archive, done: &[(Report, PathBuf)]) -> Result<()> {
        let summary = Summary::of(done);
        let folder = summary.as_ref().map(|summary| archive.keep_summary(summary)).transpose()?;
        if self.json {
            let reports: Vec<&Report> = done.iter().map(|(report, _)| report).collect();
            return print_json(&reports);
        }
        let Some((summary, folder)) = summary.zip(folder) else { return Ok(()) };
        print(&format!("\n{}summary: {}", summary.tables(), folder.join("summary.html").display()))
    }

    async fn drill(
        &self,
        scenario: &'static Scenario,
        settings: Settings,
        state: &StateDir,
        progress: &Progress,
        interrupt: &mut Interrupt,
        archive: &report::Archive,
    ) -> Result<Outcome> {
        let name = run_name();
        progress.line(&format!("\n{}\n{}", scenario.name, scenario.summary.join("\n")));
        let root = state.path.join(&name);
        let intents = Intents::create(&root)?;
        let recorder = Arc::new(Recorder::new(Clock::start()));
        let (objectives, recovery) = (self.objectives(scenario), settings.recovery);
        match self.place.platform {
            Name::Local => {
                let mut local = self.local(scenario, root, &recorder, progress)?;
                // Nothing is lost that would have to be restored where it always recovers by itself.
                if recovery != scenario.usual_recovery() {
                    local.restore_by_itself();
                }
                let run = crate::runbook::Drill::new(local, name, settings, recorder, intents, progress.clone());
                execute(scenario, objectives, run, interrupt, archive).await
            }
            Name::Kubernetes => {
                let kubernetes = self.place.kubernetes(name.clone(), root, &recorder, progress)?;
                let run = crate::runbook::Drill::new(kubernetes, name, settings, recorder, intents, progress.clone());
                execute(scenario, objectives, run, interrupt, archive).await
            }
        }
    }

    fn show(
        &self,
        progress: &Progress,
        outcome: Outcome,
        reports: &mut Vec<(Report, PathBuf)>,
        color: Color,
    ) -> Result<()> {
        if let Some((report, folder)) = outcome.report {
            if !self.json {
                let text = format!("{}report: {}", tables(&report), folder.join("report.html").display());
                progress.aside(|| print_verdict(&text, report.essence().tone(), color))?;
            }
            reports.push((report, folder));
        }
        for error in outcome.errors {
            progress.line(&format!("error: {error}"));
        }
        Ok(())
    }

    fn objectives(&self, scenario: &'static Scenario) -> Objectives {
        let is_journaled = self.place.protect == Protect::Sync;
        let default = || scenario.default_rpo(self.backup_every(), is_journaled);
        let rto = self.rto.unwrap_or_else(|| scenario.default_rto(self.place.backup_every()));
        Objectives { rto, rpo: self.rpo.unwrap_or_else(default) }
    }

    fn backup_every(&self) -> Duration {
        self.backup_every.unwrap_or_else(|| self.place.backup_every())
    }

    fn settings(&self, scenario: &'static Scenario, recovery: Recovery, seed: u32) -> Settings {
        let Self { rate, patience, give_up, inject_at, .. } = *self;
        let (backup_every, rpo) = (self.backup_every(), self.objectives(scenario).rpo);
        Settings {
            rate,
            backup_every,
            patience,
            give_up,
            recovery,
            inject_at,
            seed,
            rpo,
            has_remote: self.place.remote.is_some() || self.place.offsite,
            protect: self.place.protect,
            writers: self.writers,
            linger: self.linger,
        }
    }

    fn local(
        &self,
        scenario: &'static Scenario,
        root: PathBuf,
        recorder: &Arc<Recorder>,
        progress: &Progress,
    ) -> Result<Local> {
        let programs = Programs::beside_this_one()?;
        let folder = Folder::at(root);
        let mut local = Local::new(programs, folder, self.backup_every(), recorder.clone(), progress.clone());
        if let Some(address) = self.listen {
            local.listen_on(address);
        }
        if let Some(repository) = &self.place.copy_of {
            // Absolute, since nobody but this process knows what it is relative to.
            local.on_a_copy_of(std::path::absolute(repository)?);
        }
        match &self.place.remote {
            Some(remote) if scenario.breaks(Fault::StealCredentials) => local.keep_where_a_thief_comes(remote),
            Some(remote) => local.keep_elsewhere(remote.clone()),
            None => {}
        }
        if self.place.protect == Protect::Sync {
            local.with_a_journal();
        }
        if let Some(protector) = &self.place.protector {
            local.protect_with(protector.clone());
        }
        if scenario.breaks(Fault::FillVolume) {
            local.on_a_small_disk();
        }
        Ok(local)
    }

    /// Says what would be done, to which objects; changes nothing.
    async fn plan(&self, scenarios: &[&'static Scenario], progress: &Progress) -> Result<u8> {
        let root = std::path::absolute(&self.state.state_dir)?.join(run_name());
        let recorder = Arc::new(Recorder::new(Clock::start()));
        for (scenario, recovery) in self.ways(scenarios) {
            let settings = self.settings(scenario, recovery, self.seed.unwrap_or_default());
            let steps = match self.place.platform {
                Name::Local => {
                    plan(self.local(scenario, root.clone(), &recorder, progress)?, scenario, &settings).await
                }
                Name::Kubernetes => {
                    let kubernetes = self.place.kubernetes(run_name(), root.clone(), &recorder, progress)?;
                    plan(kubernetes, scenario, &settings).await
                }
            };
            let steps = match steps {
                Ok(steps) => steps,
                Err(error) => return Ok(refuse(progress, &error)),
            };
            let steps = (1..).zip(steps).map(|(number, step)| format!("{number:>3}. {step}"));
            let Objectives { rto, rpo } = self.objectives(scenario);
            let (rto, rpo) = (rto.as_secs_f64(), rpo.as_secs_f64());
            let (name, place) = (scenario.name, self.place.name());
            let head = format!("{name} on {place}, RTO {rto} s, RPO {rpo} s; a dry run breaks nothing");
            print(&format!("{head}\n{}", steps.collect::<Vec<_>>().join("\n")))?;
        }
        progress.finish();
        Ok(exit::PASS)
    }
}

/// How often a scenario may be run.
fn runs(text: &str) -> Result<usize, String> {
    let runs = text.parse().ok().filter(|runs| (1..=1000).contains(runs));
    runs.ok_or_else(|| "not a number from 1 to 1000".to_owned())
}

fn writers(text: &str) -> Result<usize, String> {
    let writers = text.parse().ok().filter(|writers| (1..=256).contains(writers));
    writers.ok_or_else(|| "not a number from 1 to 256".to_owned())
}

/// The steps of a scenario with what they would hit; zero targets is an error.
async fn plan<P: Platform>(mut platform: P, scenario: &'static Scenario, settings: &Settings) -> Result<Vec<String>> {
    platform.preflight().await?;
    for fault in scenario.faults() {
        ensure!(!platform.targets(fault).is_empty(), "{} has no target", scenario.name);
    }
    Ok(scenario.plan(settings, |fault| platform.targets(fault)))
}

/// A seed that nobody chose.
fn any_seed() -> u32 {
    // The keys of a hasher are random; half of what it makes of them is a number of our size.
    u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(u32::MAX)
}

pub(super) fn refuse(progress: &Progress, error: &anyhow::Error) -> u8 {
    progress.finish();
    progress.line(&format!("error: refused, nothing was broken: {error:#}"));
    exit::PREFLIGHT
}
