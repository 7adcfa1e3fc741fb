//! What speaks against a pass, and of which kind it is.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actual, Interval, Loss, Reconciliation, Testimony};

/// The kinds of failure. A scenario that shows a limit states those it expects, so that any other is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// The service did not come back.
    NotRecovered,
    /// It came back too late.
    RtoMissed,
    /// More was lost than may be.
    RpoMissed,
    /// Without any disaster, the newest restore point became older than what may be lost.
    Exposed,
    /// Something was lost to a fault that must not cost anything.
    Lost,
    /// The restored copy has a hole.
    Torn,
    /// Acknowledged between fault and recovery, and lost.
    LostAfterFault,
    /// Acknowledged after the recovery, and lost.
    LostAfterRecovery,
    /// Lost although a good restore point held it.
    LostThoughHeld,
    /// Refused, and stored nevertheless.
    Denied,
    /// Stored more than once.
    Duplicates,
    /// Stored, and never sent.
    Unexpected,
    /// There is no restore point since the recovery.
    Unprotected,
}

impl Cause {
    /// Whether data are not what they must be, whatever the objectives.
    pub(crate) fn is_damage(self) -> bool {
        match self {
            Self::NotRecovered | Self::RtoMissed | Self::RpoMissed | Self::Exposed | Self::Unprotected => false,
            Self::Lost
            | Self::Torn
            | Self::LostAfterFault
            | Self::LostAfterRecovery
            | Self::LostThoughHeld
            | Self::Denied
            | Self::Duplicates
            | Self::Unexpected => true,
        }
    }
}

/// One thing that speaks against a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its kind.
    pub cause: Cause,
    /// What was expected, and what was found.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn finding(cause: Cause, text: impl Into<String>) -> Finding {
    Finding { cause, text: text.into() }
}

/// Everything that speaks against a pass; a drill that stopped early has one such thing.
pub(super) fn failures(
    testimony: &Testimony,
    actual: &Actual,
    ledger: Option<&Reconciliation>,
    loss: Option<&Loss>,
) -> Vec<Finding> {
    if let Some(stop) = testimony.stop {
        return vec![finding(Cause::NotRecovered, stop.to_string())];
    }
    let (Some(rta), Some((ledger, loss))) = (actual.rta_seconds, ledger.zip(loss)) else {
        let never = "the service was not correct for long enough after the fault";
        return vec![finding(Cause::NotRecovered, never)];
    };
    let mut findings = missed(testimony, actual, rta, loss);
    findings.extend(damage(testimony, ledger, loss));
    if actual.reprotection_seconds.is_none() {
        let unprotected = "no new verified restore point after the recovery: the service is unprotected";
        findings.push(finding(Cause::Unprotected, unprotected));
    }
    findings
}

/// The objectives that were missed.
fn missed(testimony: &Testimony, actual: &Actual, rta: f64, loss: &Loss) -> Vec<Finding> {
    let (rto, rpo) = (testimony.objectives.rto.as_secs_f64(), testimony.objectives.rpo.as_secs_f64());
    let Interval { min, max } = loss.rpa;
    let mut findings = Vec::new();
    if rta > rto {
        findings.push(finding(Cause::RtoMissed, format!("RTO missed: recovery took {rta:.3} s, objective {rto} s")));
    }
    if max > rpo {
        let lost = loss.before_fault.len();
        let text = format!(
            "RPO missed: {lost} acknowledged writes of the last {min:.3} to {max:.3} s lost, objective {rpo} s"
        );
        findings.push(finding(Cause::RpoMissed, text));
    }
    if let Some(worst) = actual.worst_case_rpo_seconds.filter(|worst| testimony.backups_on_trial && *worst > rpo) {
        let text = format!(
            "RPO missed before any disaster: for a moment the newest restore point was {worst:.3} s old, objective {rpo} s"
        );
        findings.push(finding(Cause::Exposed, text));
    }
    findings
}

/// What no objective excuses.
fn damage(testimony: &Testimony, ledger: &Reconciliation, loss: &Loss) -> Vec<Finding> {
    let nothing = BTreeSet::new();
    // Nothing but a restore explains a loss.
    let explained = testimony.may_lose && (testimony.restored.is_some() || testimony.copy_restored.is_some());
    let lost_at_all = if explained { &nothing } else { &ledger.lost };
    let counts = [
        (
            Cause::Lost,
            lost_at_all,
            "acknowledged writes lost that nothing explains: neither fault nor restore costs any",
        ),
        (
            Cause::Torn,
            &loss.holes,
            "acknowledged writes survive that are newer than a lost one: the restored copy is torn",
        ),
        (Cause::LostAfterFault, &loss.after_fault, "writes lost that were acknowledged after the fault"),
        (Cause::LostAfterRecovery, &loss.after_recovery, "writes lost that were acknowledged after the recovery"),
        (Cause::LostThoughHeld, &loss.held, "acknowledged writes lost that a newer good restore point held"),
        (Cause::Denied, &ledger.denied, "refused writes are stored nevertheless"),
        (Cause::Duplicates, &ledger.duplicates, "writes are stored more than once"),
    ];
    let mut findings: Vec<Finding> = counts
        .into_iter()
        .filter(|(_, writes, _)| !writes.is_empty())
        .map(|(cause, writes, what)| finding(cause, format!("{} {what} (numbers {})", writes.len(), first_few(writes))))
        .collect();
    if let Some(first) = ledger.unexpected.first() {
        let text = format!("{} messages of this run that nobody sent, e.g. {first:?}", ledger.unexpected.len());
        findings.push(finding(Cause::Unexpected, text));
    }
    findings
}

fn first_few(writes: &BTreeSet<u64>) -> String {
    let shown: Vec<String> = writes.iter().take(5).map(u64::to_string).collect();
    let more = if writes.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
