//! `report.json`, schema version 1. Fields may be added; none is renamed or removed within a version.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::judge::{Actual, Cause, Phases, Verdict};
use crate::platform::{Placement, Theft};
use crate::runbook::InjectAt;
use crate::runbook::Recovery;
use crate::scenario::Expectation;
use crate::witness::event::Event;

/// A whole report. Seconds are numbers; `null` was not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Report {
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
    /// How many acknowledged writes are gone, where all that held them was destroyed and nothing came back; `null` elsewhere.
    #[serde(default)]
    pub everything_lost: Option<u64>,
    /// The restore point that was restored.
    pub restore_point: Option<RestorePoint>,
    /// Every restore point that appeared during the drill.
    #[serde(default)]
    pub restore_points: Vec<SeenPoint>,
    /// Where the volumes were, before the fault and after the recovery.
    #[serde(default)]
    pub placement: Vec<Placement>,
    /// What a thief tried where restore points are kept too, and what was allowed; `null` without one.
    #[serde(default)]
    pub theft: Option<Theft>,
    /// How it was measured.
    pub method: Method,
    /// All events in order of time.
    pub events: Vec<Entry>,
}

/// Objectives, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Targets {
    /// Recovery time objective.
    pub rto_seconds: f64,
    /// Recovery point objective.
    pub rpo_seconds: f64,
}

/// The ledger in numbers of writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Counts {
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

impl Counts {
    /// Each number with what it counts, for people.
    pub(crate) fn rows(&self) -> [(&'static str, usize); 11] {
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

/// The restore point that was used, and those that were not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RestorePoint {
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
pub(crate) struct Rejected {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A restore point that appeared during the drill. Moments are seconds since the drill began.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SeenPoint {
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
pub(crate) struct Method {
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
    /// How long after the snapshot of the newest restore point the fault was to strike at the earliest; `null` for a moment
    /// that is not counted from one.
    #[serde(default)]
    pub inject_after_snapshot_seconds: Option<f64>,
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
    /// Who ran it, by the name of the account.
    #[serde(default)]
    pub operator: Option<String>,
    /// The machine that it was run from.
    #[serde(default)]
    pub host: Option<String>,
    /// Version of the drill.
    pub drill_version: String,
    /// Version that the service stated.
    pub service_version: Option<String>,
    /// Version of SQLite that the service stated.
    #[serde(default)]
    pub sqlite_version: Option<String>,
    /// Size of the database before the fault, as the service stated it.
    #[serde(default)]
    pub database_bytes: Option<u64>,
    /// The commit that was drilled, if it was stated.
    #[serde(default)]
    pub commit: Option<String>,
    /// The key that signs the report, by its id; `null` where none does.
    #[serde(default)]
    pub signed_by: Option<String>,
}

/// An event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Entry {
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use schemars::generate::SchemaSettings;

    use super::*;

    /// `UPDATE_SCHEMA=1 cargo test -p drill published_schema` writes it anew.
    #[test]
    fn the_published_schema_is_that_of_the_reports() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/en/src/report.schema.json");
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
