//! The figures of a drill, from its events and its record.

use serde::{Deserialize, Serialize};

use super::{Loss, Testimony};
use crate::witness::clock::Moment;
use crate::witness::event::{Event, Timeline, seconds_between};

/// The figures that the objectives are held against, in seconds; `None` was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Actual {
    /// Actual recovery time: from the fault's first effect to correct service.
    pub rta_seconds: Option<f64>,
    /// Actual data loss, lower bound.
    pub rpa_seconds_min: Option<f64>,
    /// Actual data loss, upper bound.
    pub rpa_seconds_max: Option<f64>,
    /// Time for which the service answered 200 with wrong data.
    pub false_up_seconds: Option<f64>,
    /// From the fault to the first new verified restore point.
    pub reprotection_seconds: Option<f64>,
    /// The longest stretch that a disaster could have cost, over the backup cycles seen; none where a journal has all.
    pub worst_case_rpo_seconds: Option<f64>,
}

/// Where the recovery time went, in seconds; `None` does not apply or was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Phases {
    /// From the first effect to the alarm.
    pub detection: Option<f64>,
    /// From the alarm to the decision.
    pub decision: Option<f64>,
    /// From the decision to the start of the restore.
    pub preparation: Option<f64>,
    /// The restore.
    pub restore: Option<f64>,
    /// From the restored database, or from the alarm where nothing is restored, to correct service.
    pub restart: Option<f64>,
    /// From correct service to the reconciled ledger. Not part of the recovery time.
    pub verification: Option<f64>,
}

pub(super) fn actual(testimony: &Testimony, loss: Option<&Loss>) -> Actual {
    let timeline = testimony.timeline;
    let since_effect = |event| Some(seconds_between(first_effect(timeline)?, timeline.at(event)?));
    Actual {
        rta_seconds: since_effect(Event::S3),
        rpa_seconds_min: loss.map(|loss| loss.rpa.min),
        rpa_seconds_max: loss.map(|loss| loss.rpa.max),
        false_up_seconds: timeline.at(Event::S3).map(|correct| false_up(testimony, correct)),
        reprotection_seconds: timeline.between(Event::D1, Event::X),
        worst_case_rpo_seconds: match testimony.is_journaled && !testimony.may_lose {
            true => Some(0.0),
            // Never less than what it did cost: a restore point that turned out bad made a cycle longer.
            false => worst_case_rpo(testimony).map(|worst| loss.map_or(worst, |loss| worst.max(loss.rpa.max))),
        },
    }
}

/// When the fault first had an effect: on the platform or on a client, whichever was first.
pub(super) fn first_effect(timeline: &Timeline) -> Option<Moment> {
    let effective = timeline.at(Event::D1)?;
    Some(timeline.at(Event::F1).map_or(effective, |failed| failed.min(effective)))
}

fn false_up(testimony: &Testimony, correct: Moment) -> f64 {
    let Some(effective) = testimony.timeline.at(Event::D1) else { return 0.0 };
    let outage = super::Outage::of(testimony.record, effective, effective, super::RUN_LENGTH);
    outage.first_wrong.filter(|wrong| *wrong < correct).map_or(0.0, |wrong| seconds_between(wrong, correct))
}

/// Over consecutive restore points of the schedule: from the start of one snapshot until the next is published, the first is
/// all there is. What the drill asked for would not have been there. Where the runbook stopped the backups, its outage does
/// not count.
fn worst_case_rpo(testimony: &Testimony) -> Option<f64> {
    let stopped = testimony.timeline.at(Event::R0).and_then(|_| testimony.timeline.at(Event::D0));
    let outage = stopped.zip(testimony.timeline.at(Event::S3));
    let outage = outage.map(|(from, until)| (from.as_secs_f64(), until.as_secs_f64()));
    let record = testimony.record;
    let mut gaps = Vec::new();
    // The last one of before the drill is as good as any.
    let mut began = record.age_at_start.map(|age| -age.as_secs_f64());
    for point in &record.restore_points {
        let published = point.published.as_secs_f64();
        let gap = began.filter(|began| outage.is_none_or(|(from, until)| published < from || *began > until));
        gaps.extend(gap.map(|began| published - began));
        if !record.asked_for.contains(&point.key()) {
            began = Some(point.began.as_secs_f64());
        }
    }
    // A drill may be too short to see the schedule go round: then the next would have come after one interval.
    let takes = record.restore_points.iter().map(|point| seconds_between(point.began, point.published));
    let interval = testimony.schedule.zip(takes.max_by(f64::total_cmp));
    gaps.extend(interval.map(|(interval, take)| interval.as_secs_f64() + take));
    gaps.into_iter().max_by(f64::total_cmp)
}

pub(super) fn phases(timeline: &Timeline) -> Phases {
    let detection = first_effect(timeline).zip(timeline.at(Event::A));
    // Where the platform restores by itself, that is part of the restart: only the new volume is seen from here.
    let first_of = |events: [Event; 2]| events.into_iter().find(|event| timeline.at(*event).is_some());
    let prepared = first_of([Event::R2, Event::R1]).unwrap_or(Event::R2);
    let restart_from = first_of([Event::R3, Event::R1]).unwrap_or(Event::A);
    Phases {
        detection: detection.map(|(from, to)| seconds_between(from, to)),
        decision: timeline.between(Event::A, Event::B),
        preparation: timeline.between(Event::B, prepared),
        restore: timeline.between(Event::R2, Event::R3),
        restart: timeline.between(restart_from, Event::S3),
        verification: timeline.between(Event::S3, Event::V),
    }
}
