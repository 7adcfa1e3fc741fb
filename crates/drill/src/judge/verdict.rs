//! The verdict: pass only where every figure is there and none speaks against it.

use std::fmt;

use backup::Manifest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::crosscheck::{contradiction, mark};
use super::figures::{actual, first_effect, phases};
use super::finding::failures;
use super::{Actual, Cause, Finding, Held, Loss, Moments, Phases, Reconciliation, Testimony};
use crate::witness::Stop;
use crate::witness::clock::Moment;
use crate::witness::event::{Event, Timeline};
use crate::witness::record::Protected;

/// What a drill comes to, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Both objectives met, and no write lost that should be there.
    Pass,
    /// Nothing can be said: no steady state, the fault did not take, no final read, or the drill was stopped.
    Inconclusive,
    /// An objective missed, or data lost, invented or doubled.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What the judge found.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub verdict: Verdict,
    /// Why it is not a pass.
    pub reasons: Vec<String>,
    /// Of which kinds these are; none where nothing can be said.
    pub causes: Vec<Cause>,
    /// The figures.
    pub actual: Actual,
    /// Where the time went.
    pub phases: Phases,
    /// The ledger; `None` without a final read.
    pub ledger: Option<Reconciliation>,
    /// What is lost, and how far back that reaches; `None` without a final read or without a fault.
    pub loss: Option<Loss>,
}

/// Judges a drill.
pub(crate) fn judge(testimony: &Testimony) -> Judgement {
    let ledger = testimony.found.map(|found| Reconciliation::of(&testimony.record.writes, found, testimony.run));
    let reconciled = ledger.as_ref().zip(moments(testimony.timeline));
    let loss = reconciled.map(|(ledger, moments)| {
        Loss::of(&testimony.record.writes, &ledger.lost, moments, held(testimony, moments.effective))
    });
    let actual = actual(testimony, loss.as_ref());
    let findings = failures(testimony, &actual, ledger.as_ref(), loss.as_ref());
    // What is wrong with the data is wrong whatever a manifest says.
    let damaged = findings.iter().any(|finding| finding.cause.is_damage());
    let doubtful = || reconciled.filter(|_| !damaged).and_then(|(ledger, moments)| doubt(testimony, ledger, moments));
    let (verdict, findings, inconclusive) = match inconclusive(testimony).or_else(doubtful) {
        Some(reason) => (Verdict::Inconclusive, Vec::new(), Some(reason)),
        None if findings.is_empty() => (Verdict::Pass, findings, None),
        None => (Verdict::Fail, findings, None),
    };
    Judgement {
        verdict,
        reasons: inconclusive.into_iter().chain(findings.iter().map(Finding::to_string)).collect(),
        causes: findings.iter().map(|finding| finding.cause).collect(),
        phases: phases(testimony.timeline),
        actual,
        ledger,
        loss,
    }
}

/// Why figures that look right say nothing.
fn doubt(testimony: &Testimony, ledger: &Reconciliation, moments: Moments) -> Option<String> {
    if ledger.acknowledged.is_empty() {
        return Some("no write was acknowledged: there was nothing to lose".to_owned());
    }
    contradiction(testimony, ledger, moments)
}

fn moments(timeline: &Timeline) -> Option<Moments> {
    let effective = timeline.at(Event::D1)?;
    Some(Moments {
        requested: timeline.at(Event::D0).unwrap_or(effective),
        first_effect: first_effect(timeline)?,
        effective,
        recovered: timeline.at(Event::S3),
    })
}

fn inconclusive(testimony: &Testimony) -> Option<String> {
    let missing = |event| testimony.timeline.at(event).is_none();
    let stopped = testimony.stop.filter(|stop| !matches!(stop, Stop::NotRecovered(_)));
    if let Some(stop) = stopped {
        Some(stop.to_string())
    } else if missing(Event::E0) {
        Some("no steady state before the fault".to_owned())
    } else if missing(Event::D1) {
        Some("the fault did not take effect".to_owned())
    } else if !missing(Event::S3) && testimony.found.is_none() {
        Some("the service could not be read to the end after the recovery".to_owned())
    } else {
        None
    }
}

/// What a right recovery brings back: all that the newest restore point held that was published before the fault and was
/// not rejected as damaged, and that survived the fault; where another program restored, what it was seen to give back before. Without a restore nothing may be lost at all, so there is no such bound.
fn held(testimony: &Testimony, effective: Moment) -> Held {
    let Some(restored) = testimony.restored else {
        return Held { up_to: testimony.copy_restored.and_then(mark), until: None };
    };
    let rejected = |manifest: &&Manifest| !restored.rejected.iter().any(|rejected| rejected.name == manifest.name);
    let record = testimony.record;
    let wrong_since = testimony.timeline.at(Event::D0).filter(|_| testimony.wrong_since_request);
    let survives = |point: &&Protected| {
        let is_there = !testimony.repository_lost || record.elsewhere.contains(&point.manifest.sequence);
        let is_right = wrong_since.is_none_or(|wrong| point.began <= wrong);
        is_there && is_right && point.published < record.robbed.map_or(effective, |robbed| robbed.min(effective))
    };
    let held = record
        .restore_points
        .iter()
        .filter(survives)
        .map(|point| &point.manifest)
        .filter(rejected)
        .filter(|manifest| manifest.lineage == restored.restore_point.lineage)
        .chain([&restored.restore_point]);
    // By ids, which depend on no clock; by time only where the manifests do not tell of one table.
    match held.clone().map(mark).collect::<Option<Vec<i64>>>() {
        Some(marks) => Held { up_to: marks.into_iter().max(), until: None },
        None => Held {
            up_to: None,
            until: held.map(|manifest| testimony.clock.moment(manifest.current_at(Timestamp::MAX))).max(),
        },
    }
}
