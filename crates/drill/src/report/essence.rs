//! What a run came to, in the few lines that are compared, kept and signed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Report;
use super::schema::Targets;
use crate::judge::{Actual, Phases, Verdict};
use crate::runbook::Recovery;
use crate::scenario::Expectation;

/// A run in short. Seconds are numbers; `null` was not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Essence {
    /// Always 1. Fields may be added; none is renamed or removed within a version.
    pub schema_version: u32,
    /// The run's name.
    pub run: String,
    /// When the drill began.
    pub started_at: Timestamp,
    /// What it is one of.
    #[serde(flatten)]
    pub series: Series,
    pub verdict: Verdict,
    /// What was expected, and whether it came so.
    pub expected: Expectation,
    /// Why it is not a pass.
    pub reasons: Vec<String>,
    pub objectives: Targets,
    /// The figures held against them.
    pub actual: Actual,
    /// Where the time went.
    pub phases: Phases,
    /// Writes that the service acknowledged; `null` without a final read.
    pub acknowledged: Option<usize>,
    /// Those of them that are gone.
    pub lost: Option<usize>,
    /// No moment of the outage is known better than this.
    pub resolution_seconds: f64,
    pub drill_version: String,
    /// The commit that was drilled, if it was stated.
    #[serde(default)]
    pub commit: Option<String>,
}

/// Runs that can be compared: of one scenario, on one platform, brought back in one way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Series {
    /// The scenario's name.
    pub scenario: String,
    /// The platform's name.
    pub platform: String,
    /// Who was to bring the service back.
    pub recovery: Recovery,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, platform, recovery } = self;
        write!(f, "{scenario} on {platform}, {recovery} recovery")
    }
}

pub(crate) fn folder_name(run: &str, what: &str, platform: &str) -> String {
    format!("{run}-{what}-{platform}")
}

impl Essence {
    /// The name of the report's folder.
    pub(crate) fn folder_name(&self) -> String {
        folder_name(&self.run, &self.series.scenario, &self.series.platform)
    }

    /// The verdict for people: one that was expected to fail and did is told from one that failed.
    pub(crate) fn shown_verdict(&self) -> String {
        match (&self.expected.limit, self.expected.met) {
            (Some(_), true) => "limit shown".to_owned(),
            _ => self.verdict.to_string(),
        }
    }

    /// How a page shows the verdict: as good, as bad, or as what deserves attention.
    pub(crate) fn tone(&self) -> &'static str {
        match (&self.expected.limit, self.expected.met, self.verdict) {
            (Some(_), true, _) | (_, _, Verdict::Inconclusive) => "inconclusive",
            (_, true, _) => "pass",
            _ => "fail",
        }
    }
}

impl Report {
    /// The report in short.
    pub(crate) fn essence(&self) -> Essence {
        Essence {
            schema_version: 1,
            run: self.run.clone(),
            started_at: self.started_at,
            series: Series {
                scenario: self.scenario.clone(),
                platform: self.platform.clone(),
                recovery: self.method.recovery,
            },
            verdict: self.verdict,
            expected: self.expected.clone(),
            reasons: self.reasons.clone(),
            objectives: self.objectives,
            actual: self.actual.clone(),
            phases: self.phases.clone(),
            acknowledged: self.ledger.as_ref().map(|ledger| ledger.acknowledged),
            lost: self.ledger.as_ref().map(|ledger| ledger.lost),
            resolution_seconds: self.method.resolution_seconds,
            drill_version: self.method.drill_version.clone(),
            commit: self.method.commit.clone(),
        }
    }
}
