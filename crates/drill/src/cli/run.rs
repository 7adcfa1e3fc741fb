use std::iter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use clap::Args;
use drill::clock::Clock;
use drill::execute::{Outcome, execute};
use drill::exit;
use drill::interrupt::Interrupt;
use drill::journal::{Journal, run_name};
use drill::objectives::{Objectives, duration, positive_duration};
use drill::platform::abandoned::find;
use drill::platform::local::{Folder, Programs, StateDir};
use drill::platform::{Local, Platform};
use drill::progress::Progress;
use drill::record::Recorder;
use drill::report::{self, Report, Summary, tables};
use drill::run::Settings;
use drill::scenario::{Recovery, Scenario};

use super::archive::Archive;
use super::place::{Name, Place};
use super::{State, print};

/// Run scenarios one after the other, with a report for each
#[derive(Args)]
pub struct Run {
    /// What to run; `drill list` explains
    #[arg(required = true, value_enum)]
    scenarios: Vec<Scenario>,
    #[command(flatten)]
    place: Place,
    /// Recovery time objective
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    rto: Duration,
    /// Recovery point objective [default: 75s where the volume is lost, else 0s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    rpo: Option<Duration>,
    /// Interval of the backups [default: 5s; on Kubernetes 60s, as the CronJob has it]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    backup_every: Option<Duration>,
    /// Operations a second of the writer, and of the reader
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    rate: u32,
    /// How long the system may take to reach steady state, and to be protected again, beside its backup interval
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    patience: Duration,
    /// How long the service may take to be correct again before the drill gives up
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = positive_duration)]
    give_up: Duration,
    /// How often to run each scenario; several drills are summed up
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = runs)]
    runs: usize,
    #[command(flatten)]
    archive: Archive,
    /// Print the plan with the real objects, and break nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the reports as a JSON array instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    state: State,
}

impl Run {
    pub async fn run(self) -> Result<u8> {
        let progress = Progress::new();
        if self.dry_run {
            return self.plan(&progress).await;
        }
        let mut interrupt = Interrupt::listen()?;
        let state = match StateDir::lock(&self.state.state_dir) {
            Ok(state) => state,
            Err(error) => return Ok(refuse(&progress, &error)),
        };
        for abandoned in find(&state)? {
            if let Some(cluster) = abandoned.cluster() {
                let left = anyhow!("a drill on {cluster} was killed; finish its recovery first: drill cleanup");
                return Ok(refuse(&progress, &left));
            }
            progress.line(&abandoned.clean_up(&progress).await?);
        }
        let archive = self.archive.open();
        let mut codes = Vec::new();
        let mut reports = Vec::new();
        let drills = |scenario: &Scenario| {
            let (scenario, runs) = (*scenario, self.runs);
            let recoveries = self.place.recoveries(scenario).into_iter();
            recoveries.flat_map(move |recovery| iter::repeat_n((scenario, recovery), runs))
        };
        for (scenario, recovery) in self.scenarios.iter().flat_map(drills) {
            let outcome = self.drill(scenario, recovery, &state, &progress, &mut interrupt, &archive).await?;
            codes.push(outcome.code);
            self.show(&progress, outcome, &mut reports)?;
            // The others would meet the same obstacle, or were not wanted any more.
            if matches!(exit::worst(codes.clone()), exit::PREFLIGHT | exit::ABORTED | exit::CLEANUP_FAILED) {
                break;
            }
        }
        progress.finish();
        self.conclude(&archive, &reports)?;
        Ok(exit::worst(codes))
    }

    /// Sums up the drills, if there were several.
    fn conclude(&self, archive: &report::Archive, done: &[(Report, PathBuf)]) -> Result<()> {
        let summary = Summary::of(done);
        let folder = summary.as_ref().map(|summary| archive.keep_summary(summary)).transpose()?;
        if self.json {
            let reports: Vec<&Report> = done.iter().map(|(report, _)| report).collect();
            return print(&serde_json::to_string_pretty(&reports)?);
        }
        let Some((summary, folder)) = summary.zip(folder) else { return Ok(()) };
        print(&format!("\n{}summary: {}", summary.tables(), folder.join("summary.md").display()))
    }

    async fn drill(
        &self,
        scenario: Scenario,
        recovery: Recovery,
        state: &StateDir,
        progress: &Progress,
        interrupt: &mut Interrupt,
        archive: &report::Archive,
    ) -> Result<Outcome> {
        let name = run_name();
        progress.line(&format!("\n{}\n{}", scenario.name(), scenario.summary().join("\n")));
        let root = state.path.join(&name);
        let journal = Journal::create(&root)?;
        let recorder = Arc::new(Recorder::new(Clock::start()));
        let (settings, objectives) = (self.settings(recovery), self.objectives(scenario));
        match self.place.platform {
            Name::Local => {
                let local = self.local(root, &recorder, progress)?;
                let run = drill::run::Run::new(local, name, settings, recorder, journal, progress.clone());
                execute(scenario, objectives, run, interrupt, archive).await
            }
            Name::Kubernetes => {
                let kubernetes = self.place.kubernetes(name.clone(), root, &recorder, progress)?;
                let run = drill::run::Run::new(kubernetes, name, settings, recorder, journal, progress.clone());
                execute(scenario, objectives, run, interrupt, archive).await
            }
        }
    }

    fn show(&self, progress: &Progress, outcome: Outcome, reports: &mut Vec<(Report, PathBuf)>) -> Result<()> {
        if let Some((report, folder)) = outcome.report {
            if !self.json {
                let text = format!("\n{}report: {}", tables(&report), folder.join("report.md").display());
                progress.aside(|| print(&text))?;
            }
            reports.push((report, folder));
        }
        for error in outcome.errors {
            progress.line(&format!("error: {error}"));
        }
        Ok(())
    }

    fn objectives(&self, scenario: Scenario) -> Objectives {
        Objectives { rto: self.rto, rpo: self.rpo.unwrap_or_else(|| scenario.default_rpo()) }
    }

    fn backup_every(&self) -> Duration {
        self.backup_every.unwrap_or_else(|| self.place.backup_every())
    }

    fn settings(&self, recovery: Recovery) -> Settings {
        let Self { rate, patience, give_up, .. } = *self;
        Settings { rate, backup_every: self.backup_every(), patience, give_up, recovery }
    }

    fn local(&self, root: PathBuf, recorder: &Arc<Recorder>, progress: &Progress) -> Result<Local> {
        let programs = Programs::beside_this_one()?;
        Ok(Local::new(programs, Folder::at(root), self.backup_every(), recorder.clone(), progress.clone()))
    }

    /// Says what would be done, to which objects; changes nothing.
    async fn plan(&self, progress: &Progress) -> Result<u8> {
        let root = std::path::absolute(&self.state.state_dir)?.join(run_name());
        let recorder = Arc::new(Recorder::new(Clock::start()));
        for scenario in &self.scenarios {
            let targets = match self.place.platform {
                Name::Local => targets(self.local(root.clone(), &recorder, progress)?, *scenario).await,
                Name::Kubernetes => {
                    let kubernetes = self.place.kubernetes(run_name(), root.clone(), &recorder, progress)?;
                    targets(kubernetes, *scenario).await
                }
            };
            let targets = match targets {
                Ok(targets) => targets,
                Err(error) => return Ok(refuse(progress, &error)),
            };
            let steps = (1..).zip(scenario.plan(&targets)).map(|(number, step)| format!("{number:>3}. {step}"));
            let Objectives { rto, rpo } = self.objectives(*scenario);
            let (rto, rpo) = (rto.as_secs_f64(), rpo.as_secs_f64());
            let (name, place) = (scenario.name(), self.place.name());
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

/// What a scenario would hit; zero targets is an error.
async fn targets<P: Platform>(mut platform: P, scenario: Scenario) -> Result<Vec<String>> {
    platform.preflight().await?;
    let targets = platform.targets(scenario.fault());
    ensure!(!targets.is_empty(), "{} would hit nothing", scenario.name());
    Ok(targets)
}

pub fn refuse(progress: &Progress, error: &anyhow::Error) -> u8 {
    progress.finish();
    progress.line(&format!("error: refused, nothing was broken: {error:#}"));
    exit::PREFLIGHT
}
