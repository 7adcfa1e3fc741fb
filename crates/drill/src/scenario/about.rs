//! What is known of a scenario before it runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Recovery;
use crate::judge::{Cause, Judgement, Verdict};
use crate::platform::Fault;

/// A scenario, as it is explained and judged.
#[derive(Debug)]
pub struct About {
    /// What it does and what it proves, in two lines.
    pub summary: [&'static str; 2],
    /// What is broken and what is done about it, between steady state and the final read.
    pub steps: &'static [Step],
    /// Whether the fault may cost data at all.
    pub may_lose: bool,
    /// Whether it is the backups that are broken: the RPO is then missed as soon as the newest restore point is too old.
    pub backups_on_trial: bool,
    /// How the service comes back.
    pub recovery: Recovery,
    /// What it comes to where all is as it should be.
    pub expected: Expected,
}

/// A step of a runbook.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Something is broken.
    Break(Fault),
    /// Something is done, or waited for.
    Then(&'static str),
}

/// What a scenario comes to where all is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Both objectives met.
    Pass,
    /// The scenario shows a limit: it fails, for these causes and no other.
    Limit {
        /// The causes.
        causes: &'static [Cause],
        /// What the limit is, and what would lift it.
        limit: &'static str,
    },
}

/// What was expected, as the report states it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Expectation {
    /// The verdict.
    pub verdict: Verdict,
    /// The limit that the scenario shows, if it is one that fails by design.
    pub limit: Option<String>,
    /// Whether it came so: the same verdict, and for no other cause.
    pub met: bool,
}

impl Expected {
    /// Holds a judgement against it.
    pub fn met_by(self, judgement: &Judgement) -> Expectation {
        match self {
            Self::Pass => Expectation { verdict: Verdict::Pass, limit: None, met: judgement.verdict == Verdict::Pass },
            Self::Limit { causes, limit } => {
                let known = judgement.causes.iter().all(|cause| causes.contains(cause));
                let met = judgement.verdict == Verdict::Fail && known;
                Expectation { verdict: Verdict::Fail, limit: Some(limit.to_owned()), met }
            }
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.met, &self.limit) {
            (true, None) => write!(f, "as expected"),
            (true, Some(limit)) => write!(f, "as expected, it shows a limit: {limit}"),
            (false, _) => write!(f, "expected: {}", self.verdict),
        }
    }
}

impl About {
    /// What it breaks, in order.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        self.steps.iter().filter_map(|step| match step {
            Step::Break(fault) => Some(*fault),
            Step::Then(_) => None,
        })
    }
}
