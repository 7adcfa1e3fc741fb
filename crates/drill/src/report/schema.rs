//! `report.json`, schema version 1. Fields may be added; none is renamed or removed within a version.

use std::collections::BTreeSet;

use backup::lineage::Lineage;
use backup::{Manifest, Restored};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::event::{Event, Timeline};
use crate::judge::{Actual, Cause, DETECTION_FAILURES, Judgement, Loss, Phases, RUN_LENGTH, Reconciliation, Verdict};
use crate::objectives::Objectives;
use crate::platform::Access;
use crate::probe::ServiceStatus;
use crate::record::{Protected, Record};
use crate::run::{InjectAt, Settings};
use crate::scenario::{Expectation, Recovery, Scenario};

/// A whole report. Seconds are numbers; `null` was not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Always 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The platform's name.
    pub platform: String,
    /// The run's name, part of every token it wrote.
    pub run: String,
    /// When the drill began.
    pub started_at: Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// What the scenario comes to where all is as it should be, and whether it did.
    pub expected: Expectation,
    /// Why it is not a pass.
    pub reasons: Vec<String>,
    /// Of which kinds these reasons are, in the same order; none where nothing can be said.
    pub causes: Vec<Cause>,
    /// What deserves attention although the verdict does not depend on it.
    pub warnings: Vec<String>,
    /// How the service came back.
    pub recovery: Recovery,
    /// The targets.
    pub objectives: Targets,
    /// The figures held against them.
    pub actual: Actual,
    /// Where the time went.
    pub phases: Phases,
    /// The ledger; `null` without a final read.
    pub ledger: Option<Counts>,
    /// The restore point that was restored.
    pub restore_point: Option<RestorePoint>,
    /// Every restore point that appeared during the drill.
    #[serde(default)]
    pub restore_points: Vec<SeenPoint>,
    /// How it was measured.
    pub method: Method,
    /// All events in order of time.
    pub events: Vec<Entry>,
}

/// Objectives, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Targets {
    /// Recovery time objective.
    pub rto_seconds: f64,
    /// Recovery point objective.
    pub rpo_seconds: f64,
}

/// The ledger in numbers of writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Acknowledged by the service.
    pub acknowledged: usize,
    /// Certainly not stored.
    pub refused: usize,
    /// Perhaps stored.
    pub indeterminate: usize,
    /// Acknowledged and not found.
    pub lost: usize,
    /// Indeterminate and found.
    pub recovered: usize,
    /// Found and never tried.
    pub unexpected: usize,
    /// Found more than once.
    pub duplicates: usize,
    /// Refused and found.
    pub denied: usize,
    /// Of those lost, how many were sent before the fault was effective: all that a restore may cost.
    pub lost_before_fault: usize,
    /// How many between fault and recovery.
    pub lost_after_fault: usize,
    /// How many after the recovery.
    pub lost_after_recovery: usize,
    /// The numbers of the lost writes, as in `ledger.jsonl`.
    pub lost_writes: BTreeSet<u64>,
}

/// The restore point that was used, and those that were not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RestorePoint {
    /// Its name.
    pub name: String,
    /// When its snapshot began.
    pub created_at: Timestamp,
    /// Its size.
    pub size_bytes: u64,
    /// Newer ones that were passed over.
    pub rejected: Vec<Rejected>,
}

/// A restore point that was passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rejected {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A restore point that appeared during the drill. Moments are seconds since the drill began.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeenPoint {
    /// Its name.
    pub name: String,
    /// When its snapshot began.
    pub began_seconds: f64,
    /// When it was verified and published.
    pub published_seconds: f64,
    /// Its size.
    pub size_bytes: u64,
    /// What is odd about it.
    pub suspicions: Vec<String>,
}

/// How the figures were measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Method {
    /// How clients reached the service: `url`, `node-port` or `tunnel`.
    #[serde(default)]
    pub access: Option<String>,
    /// Who was to bring the service back.
    pub recovery: Recovery,
    /// Operations a second of each stream.
    pub rate_per_second: u32,
    /// No moment of the outage is known better than this.
    pub resolution_seconds: f64,
    /// Correct reads, and acknowledged writes, in a row that count as recovered.
    pub run_length: usize,
    /// Failed operations in a row that count as an outage.
    pub detection_failures: usize,
    /// Interval of the backups.
    pub backup_every_seconds: f64,
    /// When the fault was to strike; `null` if it did not come to that.
    pub inject_at: Option<InjectAt>,
    /// What a random moment was decided by; `null` for any other.
    pub seed: Option<u32>,
    /// Whether the service kept a journal of what it acknowledged.
    pub is_journaled: bool,
    /// The program that protected the database in the place of restore points; `null` for restore points. Of its copies there
    /// are no manifests, so that what is read in them is not measured.
    #[serde(default)]
    pub protector: Option<String>,
    /// Where the copy was that the fault could not reach; `null` for a fault that costs no data.
    pub safety_copy: Option<String>,
    /// How far the service's clock was ahead of the drill's, least and most; `null` if no answer told, or if one of them
    /// was set meanwhile.
    pub clock_ahead_seconds: Option<(f64, f64)>,
    /// Restore points seen.
    pub restore_points: usize,
    /// Backups that failed.
    pub failed_backups: usize,
    /// Version of the drill.
    pub drill_version: String,
    /// Version that the service stated.
    pub service_version: Option<String>,
    /// The commit that was drilled, if it was stated.
    #[serde(default)]
    pub commit: Option<String>,
}

/// An event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// Its code.
    pub event: Event,
    /// What the code means.
    pub meaning: String,
    /// When, in UTC.
    pub at: Timestamp,
    /// When, in seconds since the drill began.
    pub seconds: f64,
    /// The object concerned or the rule applied.
    pub note: String,
}

/// What a report is made of.
pub struct Facts<'a> {
    /// The scenario.
    pub scenario: Scenario,
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
    /// Where the safety copy was.
    pub safety_copy: Option<&'a str>,
}

impl Report {
    /// Puts the facts into the form of the report.
    pub fn new(facts: Facts) -> Self {
        let recovered = facts.timeline.at(Event::S3).is_some();
        Self {
            schema_version: 1,
            scenario: facts.scenario.name().to_owned(),
            platform: facts.platform.to_owned(),
            run: facts.run.to_owned(),
            started_at: facts.clock.utc(std::time::Duration::ZERO),
            warnings: warnings(&facts),
            method: method(&facts),
            recovery: if recovered { facts.settings.recovery } else { Recovery::None },
            objectives: Targets {
                rto_seconds: facts.objectives.rto.as_secs_f64(),
                rpo_seconds: facts.objectives.rpo.as_secs_f64(),
            },
            events: facts.timeline.iter().map(|happened| entry(&facts, happened)).collect(),
            restore_point: facts.restored.map(|restored| restore_point(restored, facts.record)),
            restore_points: facts.record.restore_points.iter().map(seen_point).collect(),
            expected: facts.scenario.expected(&facts.settings).met_by(&facts.judgement),
            causes: facts.judgement.causes,
            ledger: facts.judgement.ledger.map(|ledger| counts(ledger, facts.judgement.loss.as_ref())),
            verdict: facts.judgement.verdict,
            reasons: facts.judgement.reasons,
            actual: facts.judgement.actual,
            phases: facts.judgement.phases,
        }
    }
}

fn warnings(facts: &Facts) -> Vec<String> {
    let (rpo, worst) = (facts.objectives.rpo.as_secs_f64(), facts.judgement.actual.worst_case_rpo_seconds);
    let worst = worst
        .filter(|worst| facts.scenario.about().may_lose && *worst > rpo)
        .map(|worst| format!("at the worst moment this fault would have cost {worst:.3} s, objective {rpo} s"));
    let tunnel = (facts.access == Some(Access::Tunnel))
        .then(|| "measured through a tunnel, which breaks with its pod: --url is more exact".to_owned());
    let was_set = facts.record.offset.was_set();
    let clock = was_set.then(|| "the clock of the service or of the drill was set meanwhile".to_owned());
    worst.into_iter().chain(tunnel).chain(clock).collect()
}

fn method(facts: &Facts) -> Method {
    Method {
        access: facts.access.as_ref().map(|access| access.name().to_owned()),
        recovery: facts.settings.recovery,
        rate_per_second: facts.settings.rate,
        resolution_seconds: 0.5 / f64::from(facts.settings.rate),
        run_length: RUN_LENGTH,
        detection_failures: DETECTION_FAILURES,
        backup_every_seconds: facts.settings.backup_every.as_secs_f64(),
        inject_at: facts.inject_at,
        seed: (facts.inject_at == Some(InjectAt::Random)).then_some(facts.settings.seed),
        is_journaled: facts.service.is_some_and(ServiceStatus::is_journaled),
        protector: facts.protector.map(str::to_owned),
        safety_copy: facts.safety_copy.map(str::to_owned),
        clock_ahead_seconds: facts.record.offset.bounds(),
        restore_points: facts.record.restore_points.len(),
        failed_backups: facts.record.failed_backups.len(),
        drill_version: env!("CARGO_PKG_VERSION").to_owned(),
        service_version: facts.service.map(|service| service.version.clone()),
        commit: facts.commit.map(str::to_owned),
    }
}

fn entry(facts: &Facts, happened: &crate::event::Happened) -> Entry {
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

impl Counts {
    /// Each number with what it counts, for people.
    pub fn rows(&self) -> [(&'static str, usize); 11] {
        [
            ("acknowledged by the service", self.acknowledged),
            ("acknowledged and lost", self.lost),
            ("… sent before the fault", self.lost_before_fault),
            ("… sent between fault and recovery", self.lost_after_fault),
            ("… sent after the recovery", self.lost_after_recovery),
            ("outcome unknown to the client", self.indeterminate),
            ("outcome unknown, found after all", self.recovered),
            ("refused", self.refused),
            ("refused, found nevertheless", self.denied),
            ("found more than once", self.duplicates),
            ("found, never sent", self.unexpected),
        ]
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use schemars::generate::SchemaSettings;

    use super::*;

    /// `UPDATE_SCHEMA=1 cargo test -p drill published_schema` writes it anew.
    #[test]
    fn the_published_schema_is_that_of_the_reports() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
        let mut schema =
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report>();
        schema.insert("title".to_owned(), "Report of a drill, schema version 1".into());
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(path).unwrap(), text, "it is out of date: see above how to write it anew");
    }
}
