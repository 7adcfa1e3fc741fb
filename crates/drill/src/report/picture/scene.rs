//! What a picture shows of a drill, in seconds since it began.

use std::collections::BTreeSet;

use crate::report::Report;
use crate::resolution::Resolution;
use crate::witness::clock::Moment;
use crate::witness::event::Event;
use crate::witness::record::{Outcome, Record, Seen};

/// How the service looked to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Right answers.
    Up,
    /// Status 200 with wrong data.
    FalseUp,
    /// No answer, or not status 200.
    Down,
}

/// A stretch in which nothing changed for the reader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Band {
    pub state: State,
    pub from: f64,
    pub to: f64,
}

/// A restore point: what it was to this drill.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub name: String,
    /// When its snapshot began.
    pub began: f64,
    /// When it was verified and published.
    pub published: f64,
    pub restored: bool,
    pub rejected: bool,
}

/// Everything that is drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    pub bands: Vec<Band>,
    /// When writes were acknowledged that are there.
    pub acknowledged: Vec<f64>,
    /// When writes were acknowledged that are gone.
    pub lost: Vec<f64>,
    /// When writes were sent that were refused, or whose outcome is unknown.
    pub failed: Vec<f64>,
    pub points: Vec<Point>,
    pub events: Vec<(Event, f64)>,
    /// From the recovery point to the first effect of the fault, if anything was lost.
    pub loss: Option<(f64, f64)>,
    /// From the first effect of the fault to correct service.
    pub recovery: Option<(f64, f64)>,
    /// The last moment of the drill.
    pub end: f64,
    /// How exactly all this is known.
    pub resolution: Resolution,
}

impl Scene {
    pub(crate) fn of(report: &Report, record: &Record) -> Self {
        let none = BTreeSet::new();
        let lost = report.ledger.as_ref().map_or(&none, |ledger| &ledger.lost_writes);
        let events: Vec<(Event, f64)> = report.events.iter().map(|entry| (entry.event, entry.seconds)).collect();
        let at = |wanted| events.iter().find(|(event, _)| *event == wanted).map(|(_, seconds)| *seconds);
        let effect = at(Event::D1).map(|effective| at(Event::F1).map_or(effective, |failed| failed.min(effective)));
        let age = report.actual.rpa_seconds_max.filter(|age| *age > 0.0);
        let mut scene = Self {
            bands: bands(record),
            points: points(report),
            loss: effect.zip(age).map(|(effect, age)| (effect - age, effect)),
            recovery: effect.zip(at(Event::S3)),
            resolution: Resolution::of(report.method.resolution_seconds),
            ..Self::default()
        };
        for write in &record.writes {
            let (kind, moment) = match write.outcome {
                Outcome::Acknowledged { .. } if lost.contains(&write.seq) => (&mut scene.lost, write.done),
                Outcome::Acknowledged { .. } => (&mut scene.acknowledged, write.done),
                Outcome::Refused { .. } | Outcome::Indeterminate { .. } => (&mut scene.failed, write.sent),
            };
            kind.push(moment.as_secs_f64());
        }
        let ends = scene.bands.last().map(|band| band.to).into_iter().chain(events.last().map(|(_, at)| *at));
        scene.end = ends.fold(0.001, f64::max);
        scene.events = events;
        scene
    }

    /// When an event happened.
    pub(crate) fn at(&self, wanted: Event) -> Option<f64> {
        self.events.iter().find(|(event, _)| *event == wanted).map(|(_, seconds)| *seconds)
    }
}

/// Reads in a row that showed the same make a stretch, from when the first was sent until the last was answered. Nobody
/// looked between two stretches.
fn bands(record: &Record) -> Vec<Band> {
    let mut reads: Vec<(Moment, Moment, State)> =
        record.reads.iter().map(|read| (read.sent, read.done, state(&read.seen))).collect();
    reads.sort_by_key(|(sent, ..)| *sent);
    let mut bands: Vec<Band> = Vec::new();
    for (sent, done, state) in reads {
        let (from, to) = (sent.as_secs_f64(), done.as_secs_f64());
        match bands.last_mut() {
            Some(last) if last.state == state => last.to = last.to.max(to),
            last => {
                // One that hung says nothing of the time after the next was sent.
                if let Some(last) = last {
                    last.to = last.to.min(from);
                }
                bands.push(Band { state, from, to });
            }
        }
    }
    bands
}

fn state(seen: &Seen) -> State {
    match seen {
        Seen::Correct => State::Up,
        Seen::Wrong(_) => State::FalseUp,
        Seen::Failed(_) => State::Down,
    }
}

fn points(report: &Report) -> Vec<Point> {
    let used = report.restore_point.as_ref();
    let point = |seen: &crate::report::schema::SeenPoint| Point {
        name: seen.name.clone(),
        began: seen.began_seconds,
        published: seen.published_seconds,
        restored: used.is_some_and(|used| used.name == seen.name),
        rejected: used.is_some_and(|used| used.rejected.iter().any(|rejected| rejected.name == seen.name)),
    };
    report.restore_points.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::witness::record::Read;

    #[test]
    fn reads_that_show_the_same_make_one_band() {
        let read = |sent: f64, done: f64, seen: Seen| Read {
            sent: Duration::from_secs_f64(sent),
            done: Duration::from_secs_f64(done),
            seen,
        };
        let failed = || Seen::Failed(String::new());
        // In the order in which they ended: the one sent at 2 hung.
        let reads = vec![
            read(0.0, 0.5, Seen::Correct),
            read(1.0, 1.5, Seen::Correct),
            read(3.0, 3.5, failed()),
            read(4.0, 4.5, Seen::Wrong(String::new())),
            read(5.0, 5.5, Seen::Correct),
            read(2.0, 6.0, failed()),
        ];
        let bands = bands(&Record { reads, ..Record::default() });
        let band = |state, from, to| Band { state, from, to };
        let expected = [
            band(State::Up, 0.0, 1.5),
            band(State::Down, 2.0, 4.0),
            band(State::FalseUp, 4.0, 4.5),
            band(State::Up, 5.0, 5.5),
        ];
        assert_eq!(bands, expected);
    }
}
