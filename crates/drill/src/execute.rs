//! Runs one scenario from preflight to report, and cleans up whatever happens.

use std::path::PathBuf;

use anyhow::{Result, anyhow};

use crate::exit;
use crate::interrupt::Interrupt;
use crate::judge::objectives::Objectives;
use crate::judge::{Testimony, Verdict, judge};
use crate::platform::{Fault, Platform, Stage};
use crate::report::evidence::SigningKey;
use crate::report::{Archive, Facts, Report};
use crate::runbook::{Drill, Onto, Step};
use crate::scenario::{Cost, Scenario};
use crate::witness::Stop;
use crate::witness::probe::ServiceStatus;

/// What came of one scenario.
pub(crate) struct Outcome {
    /// The exit code that says it.
    pub code: u8,
    /// The report and its folder; `None` where the preflight refused and there is nothing to report.
    pub report: Option<(Report, PathBuf)>,
    /// What went wrong beside the verdict: the preflight's objection, a failed clean-up.
    pub errors: Vec<String>,
}

/// Runs a scenario on a platform.
///
/// # Errors
/// Only if the report cannot be written; all else is an [`Outcome`].
pub(crate) async fn execute<P: Platform>(
    scenario: &'static Scenario,
    objectives: Objectives,
    mut run: Drill<P>,
    interrupt: &mut Interrupt,
    archive: &Archive,
) -> Result<Outcome> {
    // First of all: a drill whose result cannot be kept must not break anything.
    let folder = archive.create_folder(&run.name, scenario.name, P::NAME);
    let stop = match &folder {
        Err(error) => Some(Stop::Preflight(anyhow!("{error:#}"))),
        Ok(_) => tokio::select! {
            ended = run.perform(scenario.steps(run.settings.recovery)) => ended.err(),
            signal = interrupt.received() => Some(run.interrupted(signal)),
        },
    };
    if stop.is_none() {
        run.linger(interrupt).await;
    }
    let refused = matches!(stop, Some(Stop::Preflight(_)));
    // Who interrupts a drill waits for the clean-up.
    if !refused && !matches!(stop, Some(Stop::Interrupted(_))) {
        run.note_placement(Stage::After).await;
    }
    let kept_logs = match &folder {
        Ok(folder) if !refused => run.platform.keep_logs(folder).await,
        _ => Ok(()),
    };
    // Whatever failed until here, the clean-up runs.
    let cleaned = run.clean_up().await;
    kept_logs?;
    if let Ok(folder) = &folder
        && refused
    {
        archive.remove_empty_folder(folder)?;
    }
    let folder = folder.ok().filter(|_| !refused);

    let mut errors: Vec<String> = Vec::new();
    let mut code = match &stop {
        Some(Stop::Preflight(error)) => {
            errors.push(format!("preflight refused, nothing was broken: {error:#}"));
            exit::PREFLIGHT
        }
        Some(Stop::Interrupted(_) | Stop::Failed(_)) => exit::ABORTED,
        _ => exit::PASS,
    };
    if let Err(error) = cleaned {
        errors.push(format!("the clean-up failed: {error:#}; `drill cleanup` tries it again"));
        let by_hand = run.platform.by_hand();
        errors.extend((!by_hand.is_empty()).then(|| format!("by hand it is:\n    {}", by_hand.join("\n    "))));
        code = exit::CLEANUP_FAILED;
    }
    let Some(folder) = folder else { return Ok(Outcome { code, report: None, errors }) };
    let report = conclude(scenario, objectives, &run, stop.as_ref(), archive);
    if code == exit::PASS {
        code = match report.verdict {
            Verdict::Inconclusive => exit::INCONCLUSIVE,
            // A scenario that shows a limit does what it is there for if it fails, for that cause alone.
            Verdict::Pass | Verdict::Fail if report.expected.met => exit::PASS,
            Verdict::Pass | Verdict::Fail => exit::FAIL,
        };
    }
    run.recorder.look(|record| archive.keep(&folder, &report, record, run.clock()))?;
    Ok(Outcome { code, report: Some((report, folder)), errors })
}

fn conclude<P: Platform>(
    scenario: &'static Scenario,
    objectives: Objectives,
    run: &Drill<P>,
    stop: Option<&Stop>,
    archive: &Archive,
) -> Report {
    let steps = scenario.steps(run.settings.recovery);
    run.recorder.look(|record| {
        let judgement = judge(&Testimony {
            clock: run.clock(),
            run: &run.name,
            record,
            timeline: &run.timeline,
            found: run.found.as_deref(),
            restored: run.restored.as_ref(),
            copy_restored: run.copy_restored.as_ref(),
            may_lose: scenario.may_lose(run.service.as_ref().is_some_and(ServiceStatus::is_journaled)),
            backups_on_trial: scenario.cost == Cost::Protection,
            repository_lost: scenario.breaks(Fault::DestroyRepository) || scenario.breaks(Fault::DestroyBothVolumes),
            wrong_since_request: steps.contains(&Step::Restore(Onto::Live)),
            schedule: run.platform.schedule(),
            is_journaled: run.service.as_ref().is_some_and(ServiceStatus::is_journaled),
            objectives,
            stop,
        });
        Report::new(Facts {
            scenario,
            platform: P::NAME,
            access: run.platform.access(),
            run: &run.name,
            clock: run.clock(),
            objectives,
            settings: run.settings,
            protector: run.platform.protector(),
            commit: archive.commit.as_deref(),
            signed_by: archive.key.as_ref().map(SigningKey::id),
            judgement,
            record,
            timeline: &run.timeline,
            restored: run.restored.as_ref(),
            service: run.service.as_ref(),
            inject_at: run.inject_at,
            inject_after: run.inject_after,
            safety_copy: run.safety_copy.as_deref(),
            placement: &run.placement,
            theft: run.platform.theft(),
        })
    })
}
