//! What a scenario comes to, and whether it did.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::judge::{Cause, Judgement, Verdict};

/// What a scenario comes to where all is as it should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// Both objectives met.
    Pass,
    /// The scenario shows a limit: it fails, for these causes and no other.
    Limit {
        causes: &'static [Cause],
        /// What the limit is, and what would lift it.
        limit: &'static str,
        /// Whether restore points that are kept elsewhere lift it, so that a pass is expected with them.
        lifted_by_remote: bool,
    },
}

/// What was expected, as the report states it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Expectation {
    /// The verdict.
    pub verdict: Verdict,
    /// The limit that the scenario shows, if it is one that fails by design.
    pub limit: Option<String>,
    /// Whether it came so: the same verdict, and for no other cause.
    pub met: bool,
}

impl Expected {
    /// Holds a judgement against it.
    pub(crate) fn met_by(self, judgement: &Judgement, has_remote: bool) -> Expectation {
        match self {
            Self::Limit { causes, limit, lifted_by_remote } if !(lifted_by_remote && has_remote) => {
                let known = judgement.causes.iter().all(|cause| causes.contains(cause));
                let met = judgement.verdict == Verdict::Fail && known;
                Expectation { verdict: Verdict::Fail, limit: Some(limit.to_owned()), met }
            }
            Self::Pass | Self::Limit { .. } => {
                Expectation { verdict: Verdict::Pass, limit: None, met: judgement.verdict == Verdict::Pass }
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
