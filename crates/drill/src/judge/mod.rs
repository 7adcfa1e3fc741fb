//! The judge: from what was recorded and what was found to figures and a verdict. Pure; it touches nothing.

mod crosscheck;
mod figures;
mod finding;
mod ledger;
mod loss;
pub(crate) mod objectives;
mod recovery;
#[cfg(test)]
mod reference;
mod testimony;
#[cfg(test)]
mod trial;
mod verdict;

pub(crate) use figures::{Actual, Phases};
pub(crate) use finding::{Cause, Finding};
pub(crate) use ledger::Reconciliation;
pub(crate) use loss::{Held, Interval, Loss, Moments};
pub(crate) use recovery::{Outage, failures_in_a_row, first_failure, steady_since};
pub(crate) use testimony::Testimony;
pub(crate) use verdict::{Judgement, Verdict, judge};

/// Operations of each kind, reads and writes, that must succeed without a failure between them before the service
/// counts as steady or as recovered.
pub(crate) const RUN_LENGTH: usize = 10;

/// Failed operations in a row after which the drill calls the service out.
pub(crate) const DETECTION_FAILURES: usize = 3;
