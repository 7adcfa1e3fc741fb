//! What happened during a drill, and when.

use serde::{Deserialize, Serialize};

use crate::witness::clock::Moment;

/// The kinds of event, in the order in which a recovery meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Event {
    /// Steady state proven: reads correct, writes acknowledged, the sentinel in a verified restore point.
    E0,
    /// Fault requested.
    D0,
    /// Fault effective: the old process or volume is gone.
    D1,
    /// Something more was broken than the fault that is measured, before or after it.
    D2,
    /// First operation that failed after the fault was requested.
    F1,
    /// The outage is detected; the note states the rule.
    A,
    /// The decision to recover.
    B,
    /// Recovery step: service and backups stopped, nobody uses the volume.
    R0,
    /// Recovery step: a new, empty volume is there, or the fault is undone.
    R1,
    /// Recovery step: the restore begins.
    R2,
    /// Recovery step: the restored database is in place.
    R3,
    /// Recovery step: what was written since a mistake is put back.
    R4,
    /// The platform calls the service ready.
    S1,
    /// First answer with status 200 after the fault was effective.
    S2,
    /// Start of the first unbroken run of correct reads and acknowledged writes.
    S3,
    /// The ledger is reconciled with what the service holds.
    V,
    /// First verified restore point taken after the recovery.
    X,
    /// Clean end state proven.
    Z,
}

impl Event {
    /// The code in reports.
    pub(crate) fn code(self) -> String {
        format!("{self:?}")
    }

    /// What the event means, for people.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::E0 => "steady state proven",
            Self::D0 => "fault requested",
            Self::D1 => "fault effective",
            Self::D2 => "another fault effective",
            Self::F1 => "first failed operation",
            Self::A => "outage detected",
            Self::B => "recovery decided",
            Self::R0 => "service and backups stopped",
            Self::R1 => "volume there again",
            Self::R2 => "restore begun",
            Self::R3 => "database restored",
            Self::R4 => "later writes put back",
            Self::S1 => "service ready",
            Self::S2 => "first answer 200",
            Self::S3 => "service correct again",
            Self::V => "ledger reconciled",
            Self::X => "protected again",
            Self::Z => "clean end state",
        }
    }
}

/// An event that happened.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub event: Event,
    pub at: Moment,
    /// The object concerned or the rule applied.
    pub note: String,
}

/// All events of one drill.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline(Vec<Happened>);

impl Timeline {
    /// Adds an event. Events may be added late, when their moment is only found afterwards.
    pub(crate) fn add(&mut self, event: Event, at: Moment, note: impl Into<String>) -> &Happened {
        let index = self.0.partition_point(|happened| happened.at <= at);
        self.0.insert(index, Happened { event, at, note: note.into() });
        &self.0[index]
    }

    /// When an event happened, if it did.
    pub(crate) fn at(&self, event: Event) -> Option<Moment> {
        self.0.iter().find(|happened| happened.event == event).map(|happened| happened.at)
    }

    /// Seconds from one event to another; `None` unless both happened.
    pub(crate) fn between(&self, from: Event, to: Event) -> Option<f64> {
        Some(seconds_between(self.at(from)?, self.at(to)?))
    }

    /// All events in order of time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Happened> {
        self.0.iter()
    }
}

/// Seconds from one moment to another, negative if the second came first.
pub(crate) fn seconds_between(from: Moment, to: Moment) -> f64 {
    to.as_secs_f64() - from.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn events_added_late_take_their_place_in_time() {
        let mut timeline = Timeline::default();
        timeline.add(Event::D1, Duration::from_secs(5), "");
        timeline.add(Event::S3, Duration::from_secs(7), "");
        timeline.add(Event::F1, Duration::from_secs(4), "");
        let order: Vec<Event> = timeline.iter().map(|happened| happened.event).collect();
        assert_eq!(order, [Event::F1, Event::D1, Event::S3]);
        assert_eq!(timeline.between(Event::D1, Event::S3), Some(2.0));
        assert_eq!(timeline.between(Event::D1, Event::X), None);
    }
}
