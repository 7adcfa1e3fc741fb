//! How the facts of a drill become its report.

use std::collections::BTreeSet;
use std::time::Duration;

use backup::lineage::Lineage;
use backup::{Manifest, Restored};
use nix::unistd::{Uid, User, gethostname};

use super::schema::{Counts, Entry, Method, Rejected, Report, RestorePoint, SeenPoint, Targets};
use crate::judge::objectives::Objectives;
use crate::judge::{DETECTION_FAILURES, Judgement, Loss, RUN_LENGTH, Reconciliation, Verdict};
use crate::platform::{Access, Fault, Placement, Theft};
use crate::runbook::Recovery;
use crate::runbook::{InjectAt, Settings};
use crate::scenario::Scenario;
use crate::witness::clock::Clock;
use crate::witness::event::{Event, Happened, Timeline, seconds_between};
use crate::witness::probe::ServiceStatus;
use crate::witness::record::{Protected, Record};

/// What a report is made of.
pub(crate) struct Facts<'a> {
    pub scenario: &'static Scenario,
    /// The platform's name.
    pub platform: &'a str,
    /// How clients reached the service, if they got that far.
    pub access: Option<Access>,
    /// The run's name.
    pub run: &'a str,
    /// The drill's clock.
    pub clock: Clock,
    /// The targets.
    pub objectives: Objectives,
    /// How the drill was set.
    pub settings: Settings,
    /// What protected the database in the place of restore points.
    pub protector: Option<&'a str>,
    /// The commit that is drilled, if it was stated.
    pub commit: Option<&'a str>,
    /// The id of the key that signs the report, if one does.
    pub signed_by: Option<String>,
    /// What the judge found.
    pub judgement: Judgement,
    /// What was seen.
    pub record: &'a Record,
    /// What happened.
    pub timeline: &'a Timeline,
    /// The restore, if there was one.
    pub restored: Option<&'a Restored>,
    /// What the service said of itself.
    pub service: Option<&'a ServiceStatus>,
    /// When the fault was to strike.
    pub inject_at: Option<InjectAt>,
    /// How long after the newest restore point that was to be, where that decides.
    pub inject_after: Option<Duration>,
    pub safety_copy: Option<&'a str>,
    /// Where the volumes were.
    pub placement: &'a [Placement],
    /// What a thief did.
    pub theft: Option<&'a Theft>,
}

impl Report {
    /// Puts the facts into the form of the report.
    pub(crate) fn new(facts: Facts) -> Self {
        let recovered = facts.timeline.at(Event::S3).is_some();
        Self {
            schema_version: 1,
            scenario: facts.scenario.name.to_owned(),
            platform: facts.platform.to_owned(),
            run: facts.run.to_owned(),
            started_at: facts.clock.utc(Duration::ZERO),
            warnings: warnings(&facts),
            method: method(&facts),
            recovery: if recovered { facts.settings.recovery } else { Recovery::None },
            objectives: Targets {
                rto_seconds: facts.objectives.rto.as_secs_f64(),
                rpo_seconds: facts.objectives.rpo.as_secs_f64(),
            },
            events: facts.timeline.iter().map(|happened| entry(&facts, happened)).collect(),
            everything_lost: everything_lost(&facts),
            restore_point: facts.restored.map(|restored| restore_point(restored, facts.record)),
            placement: facts.placement.to_vec(),
            theft: facts.theft.cloned(),
            restore_points: facts.record.restore_points.iter().map(seen_point).collect(),
            expected: facts.scenario.expected.met_by(&facts.judgement, facts.settings.has_remote),
            causes: facts.judgement.causes,
            ledger: facts.judgement.ledger.map(|ledger| counts(ledger, facts.judgement.loss.as_ref())),
            verdict: facts.judgement.verdict,
            reasons: facts.judgement.reasons,
            actual: facts.judgement.actual,
            phases: facts.judgement.phases,
        }
    }
}

/// No final read is needed to know it: both volumes were destroyed, and there was nothing to restore.
fn everything_lost(facts: &Facts) -> Option<u64> {
    let is_destroyed = facts.timeline.at(Event::D1).is_some() && facts.scenario.breaks(Fault::DestroyBothVolumes);
    let is_final = facts.judgement.verdict == Verdict::Fail && facts.timeline.at(Event::S3).is_none();
    let is_lost = is_destroyed && is_final && facts.restored.is_none();
    is_lost.then(|| facts.record.acknowledged_before(Duration::MAX))
}

/// How often the CronJob runs, `k8s/cronjob.yaml`.
const PRODUCTION_INTERVAL: Duration = Duration::from_secs(60);

fn warnings(facts: &Facts) -> Vec<String> {
    let (rpo, worst) = (facts.objectives.rpo.as_secs_f64(), facts.judgement.actual.worst_case_rpo_seconds);
    let worst = worst
        .filter(|worst| facts.scenario.may_lose(false) && *worst > rpo)
        .map(|worst| format!("at the worst moment this fault would have cost {worst:.3} s, objective {rpo} s"));
    let tunnel = (facts.access == Some(Access::Tunnel))
        .then(|| "measured through a tunnel, which breaks with its pod: --url is more exact".to_owned());
    let every = facts.settings.backup_every;
    let unlike = facts.scenario.may_lose(false) && every != PRODUCTION_INTERVAL;
    let interval = unlike.then(|| {
        let (every, production) = (every.as_secs_f64(), PRODUCTION_INTERVAL.as_secs());
        format!("backups ran every {every} s; in production they run every {production} s, so expect that much more data loss")
    });
    let was_set = facts.record.offset.was_set();
    let clock = was_set.then(|| "the clock of the service or of the drill was set meanwhile".to_owned());
    worst.into_iter().chain(interval).chain(tunnel).chain(clock).chain(unanswered(facts.record)).collect()
}

/// What the platform did not see, nobody was told.
fn unanswered(record: &Record) -> Option<String> {
    let longest =
        record.unanswered.iter().map(|(from, until)| seconds_between(*from, *until)).max_by(f64::total_cmp)?;
    let since = record.unanswered.iter().map(|(from, _)| *from).min()?.as_secs_f64();
    Some(format!(
        "the platform did not answer for up to {longest:.1} s at a time, first at {since:.1} s: calls were repeated, and what \
         was seen and done through it may be as much late"
    ))
}

fn method(facts: &Facts) -> Method {
    Method {
        access: facts.access.as_ref().map(|access| access.name().to_owned()),
        recovery: facts.settings.recovery,
        rate_per_second: facts.settings.rate,
        resolution_seconds: facts.settings.resolution().as_secs_f64(),
        run_length: RUN_LENGTH,
        detection_failures: DETECTION_FAILURES,
        backup_every_seconds: facts.settings.backup_every.as_secs_f64(),
        inject_at: facts.inject_at,
        inject_after_snapshot_seconds: facts.inject_after.map(|after| after.as_secs_f64()),
        seed: (facts.inject_at == Some(InjectAt::Random)).then_some(facts.settings.seed),
        is_journaled: facts.service.is_some_and(ServiceStatus::is_journaled),
        protector: facts.protector.map(str::to_owned),
        safety_copy: facts.safety_copy.map(str::to_owned),
        clock_ahead_seconds: facts.record.offset.bounds(),
        restore_points: facts.record.restore_points.len(),
        failed_backups: facts.record.failed_backups.len(),
        operator: User::from_uid(Uid::current()).ok().flatten().map(|user| user.name),
        host: gethostname().ok().map(|name| name.to_string_lossy().into_owned()),
        drill_version: env!("CARGO_PKG_VERSION").to_owned(),
        service_version: facts.service.map(|service| service.version.clone()),
        sqlite_version: facts.service.and_then(|service| service.sqlite_version.clone()),
        database_bytes: facts.service.and_then(|service| service.size_bytes),
        commit: facts.commit.map(str::to_owned),
        signed_by: facts.signed_by.clone(),
    }
}

fn entry(facts: &Facts, happened: &Happened) -> Entry {
    Entry {
        event: happened.event,
        meaning: happened.event.meaning().to_owned(),
        at: facts.clock.utc(happened.at),
        seconds: happened.at.as_secs_f64(),
        note: happened.note.clone(),
    }
}

fn restore_point(restored: &Restored, record: &Record) -> RestorePoint {
    let chosen = &restored.restore_point;
    let damaged = restored.rejected.iter().map(|rejected| (rejected.name.to_string(), rejected.reason.clone()));
    // The restore was told the lineage, so that it did not even consider them.
    let others = record.restore_points.iter().map(|point| &point.manifest);
    let others = others.filter(|other| other.sequence > chosen.sequence && other.lineage != chosen.lineage);
    let others = others.map(|other| (other.name.to_string(), of_another_database(other, chosen)));
    RestorePoint {
        name: chosen.name.to_string(),
        created_at: chosen.created_at,
        size_bytes: chosen.size_bytes,
        rejected: damaged.chain(others).map(|(name, reason)| Rejected { name, reason }).collect(),
    }
}

fn seen_point(seen: &Protected) -> SeenPoint {
    SeenPoint {
        name: seen.manifest.name.to_string(),
        began_seconds: seen.began.as_secs_f64(),
        published_seconds: seen.published.as_secs_f64(),
        size_bytes: seen.manifest.size_bytes,
        suspicions: seen.manifest.suspicions.iter().map(ToString::to_string).collect(),
    }
}

fn of_another_database(other: &Manifest, chosen: &Manifest) -> String {
    let id = |manifest: &Manifest| manifest.lineage.as_ref().map_or("none", Lineage::short).to_owned();
    let suspicions: Vec<String> = other.suspicions.iter().map(|suspicion| suspicion.kind.to_string()).collect();
    let suspect = if suspicions.is_empty() { String::new() } else { format!("; suspect: {}", suspicions.join(", ")) };
    format!("of another database: lineage {}, expected {}{suspect}", id(other), id(chosen))
}

fn counts(ledger: Reconciliation, loss: Option<&Loss>) -> Counts {
    let lost = |window: fn(&Loss) -> &BTreeSet<u64>| loss.map_or(0, |loss| window(loss).len());
    Counts {
        acknowledged: ledger.acknowledged.len(),
        refused: ledger.refused.len(),
        indeterminate: ledger.indeterminate.len(),
        lost: ledger.lost.len(),
        recovered: ledger.recovered.len(),
        unexpected: ledger.unexpected.len(),
        duplicates: ledger.duplicates.len(),
        denied: ledger.denied.len(),
        lost_before_fault: lost(|loss| &loss.before_fault),
        lost_after_fault: lost(|loss| &loss.after_fault),
        lost_after_recovery: lost(|loss| &loss.after_recovery),
        lost_writes: ledger.lost,
    }
}
