//! `report.json`, schema version 1. Fields may be added; none is renamed or removed within a version.

use std::collections::BTreeSet;

use backup::Restored;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::event::{Event, Timeline};
use crate::judge::{Actual, DETECTION_FAILURES, Judgement, Phases, RUN_LENGTH, Reconciliation, Verdict};
use crate::objectives::Objectives;
use crate::platform::Access;
use crate::probe::ServiceStatus;
use crate::record::{Protected, Record};
use crate::run::Settings;
use crate::scenario::{Recovery, Scenario};

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
    /// Why it is not a pass.
    pub reasons: Vec<String>,
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
            restore_point: facts.restored.map(restore_point),
            restore_points: facts.record.restore_points.iter().map(seen_point).collect(),
            ledger: facts.judgement.ledger.map(Counts::from),
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
        .filter(|worst| facts.scenario.may_lose() && *worst > rpo)
        .map(|worst| format!("at the worst moment this fault would have cost {worst:.3} s, objective {rpo} s"));
    let tunnel = (facts.access == Some(Access::Tunnel))
        .then(|| "measured through a tunnel, which breaks with its pod: --url is more exact".to_owned());
    worst.into_iter().chain(tunnel).collect()
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

fn restore_point(restored: &Restored) -> RestorePoint {
    RestorePoint {
        name: restored.restore_point.name.to_string(),
        created_at: restored.restore_point.created_at,
        size_bytes: restored.restore_point.size_bytes,
        rejected: restored
            .rejected
            .iter()
            .map(|rejected| Rejected { name: rejected.name.to_string(), reason: rejected.reason.clone() })
            .collect(),
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
    pub fn rows(&self) -> [(&'static str, usize); 8] {
        [
            ("acknowledged by the service", self.acknowledged),
            ("acknowledged and lost", self.lost),
            ("outcome unknown to the client", self.indeterminate),
            ("outcome unknown, found after all", self.recovered),
            ("refused", self.refused),
            ("refused, found nevertheless", self.denied),
            ("found more than once", self.duplicates),
            ("found, never sent", self.unexpected),
        ]
    }
}

impl From<Reconciliation> for Counts {
    fn from(ledger: Reconciliation) -> Self {
        Self {
            acknowledged: ledger.acknowledged.len(),
            refused: ledger.refused.len(),
            indeterminate: ledger.indeterminate.len(),
            lost: ledger.lost.len(),
            recovered: ledger.recovered.len(),
            unexpected: ledger.unexpected.len(),
            duplicates: ledger.duplicates.len(),
            denied: ledger.denied.len(),
            lost_writes: ledger.lost,
        }
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
