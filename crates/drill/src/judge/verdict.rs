//! The verdict: pass only where every figure is there and none speaks against it.

use std::fmt;
use std::time::Duration;

use backup::{Manifest, Restored};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::crosscheck::{contradiction, mark};
use super::figures::{actual, first_effect, phases};
use super::finding::failures;
use super::{Actual, Cause, Finding, Held, Loss, Moments, Phases, Reconciliation};
use crate::judge::objectives::Objectives;
use crate::witness::Stop;
use crate::witness::clock::{Clock, Moment};
use crate::witness::event::{Event, Timeline};
use crate::witness::probe::Message;
use crate::witness::record::{Protected, Record};

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

/// Everything a verdict rests on.
pub(crate) struct Evidence<'a> {
    /// The drill's clock.
    pub clock: Clock,
    /// The run's name, part of every token.
    pub run: &'a str,
    /// What was seen.
    pub record: &'a Record,
    /// What happened.
    pub timeline: &'a Timeline,
    /// What the service holds after the recovery; `None` if it could not be read.
    pub found: Option<&'a [Message]>,
    /// The restore, if there was one.
    pub restored: Option<&'a Restored>,
    /// What another program was last seen to give back, if it restored the database. Of what it restored, no manifest tells.
    pub copy_restored: Option<&'a Manifest>,
    /// Whether the fault may cost data at all.
    pub may_lose: bool,
    /// Whether the fault is one of the backups: the RPO is then missed as soon as the newest restore point is too old.
    pub backups_on_trial: bool,
    /// Whether the fault destroys the restore points as well: only those that are kept elsewhere too can come back.
    pub repository_lost: bool,
    /// At which interval restore points are taken by a schedule that is not the drill's.
    pub schedule: Option<Duration>,
    /// Whether the service keeps a journal, so that more comes back than a restore point holds.
    pub is_journaled: bool,
    /// The targets.
    pub objectives: Objectives,
    /// Why the drill stopped before its end, if it did.
    pub stop: Option<&'a Stop>,
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
pub(crate) fn judge(evidence: &Evidence) -> Judgement {
    let ledger = evidence.found.map(|found| Reconciliation::of(&evidence.record.writes, found, evidence.run));
    let reconciled = ledger.as_ref().zip(moments(evidence.timeline));
    let loss = reconciled.map(|(ledger, moments)| {
        Loss::of(&evidence.record.writes, &ledger.lost, moments, held(evidence, moments.effective))
    });
    let actual = actual(evidence, loss.as_ref());
    let findings = failures(evidence, &actual, ledger.as_ref(), loss.as_ref());
    // What is wrong with the data is wrong whatever a manifest says.
    let damaged = findings.iter().any(|finding| finding.cause.is_damage());
    let doubtful = || reconciled.filter(|_| !damaged).and_then(|(ledger, moments)| doubt(evidence, ledger, moments));
    let (verdict, findings, inconclusive) = match inconclusive(evidence).or_else(doubtful) {
        Some(reason) => (Verdict::Inconclusive, Vec::new(), Some(reason)),
        None if findings.is_empty() => (Verdict::Pass, findings, None),
        None => (Verdict::Fail, findings, None),
    };
    Judgement {
        verdict,
        reasons: inconclusive.into_iter().chain(findings.iter().map(Finding::to_string)).collect(),
        causes: findings.iter().map(|finding| finding.cause).collect(),
        phases: phases(evidence.timeline),
        actual,
        ledger,
        loss,
    }
}

/// Why figures that look right say nothing.
fn doubt(evidence: &Evidence, ledger: &Reconciliation, moments: Moments) -> Option<String> {
    if ledger.acknowledged.is_empty() {
        return Some("no write was acknowledged: there was nothing to lose".to_owned());
    }
    contradiction(evidence, ledger, moments)
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

fn inconclusive(evidence: &Evidence) -> Option<String> {
    let missing = |event| evidence.timeline.at(event).is_none();
    let stopped = evidence.stop.filter(|stop| !matches!(stop, Stop::NotRecovered(_)));
    if let Some(stop) = stopped {
        Some(stop.to_string())
    } else if missing(Event::E0) {
        Some("no steady state before the fault".to_owned())
    } else if missing(Event::D1) {
        Some("the fault did not take effect".to_owned())
    } else if !missing(Event::S3) && evidence.found.is_none() {
        Some("the service could not be read to the end after the recovery".to_owned())
    } else {
        None
    }
}

/// What a right recovery brings back: all that the newest restore point held that was published before the fault and was
/// not rejected as damaged, and that survived the fault; where another program restored, what it was seen to give back before. Without a restore nothing may be lost at all, so there is no such bound.
fn held(evidence: &Evidence, effective: Moment) -> Held {
    let Some(restored) = evidence.restored else {
        return Held { up_to: evidence.copy_restored.and_then(mark), until: None };
    };
    let rejected = |manifest: &&Manifest| !restored.rejected.iter().any(|rejected| rejected.name == manifest.name);
    let record = evidence.record;
    let survives = |point: &&Protected| {
        let is_there = !evidence.repository_lost || record.elsewhere.contains(&point.manifest.sequence);
        is_there && point.published < record.robbed.map_or(effective, |robbed| robbed.min(effective))
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
            until: held.map(|manifest| evidence.clock.moment(manifest.current_at(Timestamp::MAX))).max(),
        },
    }
}
