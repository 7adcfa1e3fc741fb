//! The one clock of a drill: monotonic, anchored once to UTC.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A moment of the drill: time since its clock was started.
pub(crate) type Moment = Duration;

/// Reads moments and translates them to and from UTC.
///
/// Durations between moments are exact whatever the system's clock does meanwhile. The translation to UTC holds
/// as far as the anchor was right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    anchor: Timestamp,
}

impl Clock {
    /// Starts the clock: this instant is moment zero.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), anchor: Timestamp::now() }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Moment {
        self.started.elapsed()
    }

    /// The UTC time of a moment.
    pub(crate) fn utc(&self, moment: Moment) -> Timestamp {
        self.anchor + SignedDuration::try_from(moment).unwrap_or(SignedDuration::MAX)
    }

    /// The moment of a UTC time, e.g. one that a manifest states. Earlier than the clock's start gives zero.
    pub(crate) fn moment(&self, utc: Timestamp) -> Moment {
        Duration::try_from(utc.duration_since(self.anchor)).unwrap_or(Duration::ZERO)
    }

    /// Seconds from the clock's start to a UTC time, negative for an earlier one.
    pub(crate) fn seconds(&self, utc: Timestamp) -> f64 {
        utc.duration_since(self.anchor).as_secs_f64()
    }

    /// The instant of a moment, for timers.
    pub(crate) fn instant(&self, moment: Moment) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started + moment)
    }
}

/// What clocks that are corrected little by little may drift apart during a drill, in seconds. More is a clock that was
/// set.
const DRIFT: f64 = 0.1;

/// How far the service's clock is ahead of the drill's, as its answers tell: each states a time that it read between
/// the request and the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Offset {
    bounds: Option<(f64, f64)>,
}

impl Offset {
    /// Narrows the bounds by an answer: when it was asked for and when it was there on the drill's clock, and what it
    /// said, in seconds on that same scale.
    pub(crate) fn narrow(&mut self, sent: Moment, done: Moment, stated: f64) {
        let (least, most) = (stated - done.as_secs_f64(), stated - sent.as_secs_f64());
        self.bounds = Some(self.bounds.map_or((least, most), |(min, max)| (min.max(least), max.min(most))));
    }

    /// The least and the most that it may be ahead, in seconds; `None` if no answer told, or if one of the clocks was
    /// set meanwhile.
    pub(crate) fn bounds(&self) -> Option<(f64, f64)> {
        self.bounds.filter(|_| !self.was_set()).map(|(min, max)| (min.min(max), max.max(min)))
    }

    /// Whether one of the clocks was set meanwhile: the answers contradict each other.
    pub(crate) fn was_set(&self) -> bool {
        self.bounds.is_some_and(|(min, max)| min > max + DRIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_narrows_what_is_known_of_the_services_clock() {
        let mut offset = Offset::default();
        assert_eq!(offset.bounds(), None);
        offset.narrow(Duration::from_secs(1), Duration::from_secs(3), 4.0);
        assert_eq!(offset.bounds(), Some((1.0, 3.0)));
        offset.narrow(Duration::from_secs(5), Duration::from_secs(6), 7.5);
        assert_eq!(offset.bounds(), Some((1.5, 2.5)));
        offset.narrow(Duration::from_secs(7), Duration::from_secs(8), 7.0);
        assert!(offset.was_set());
        assert_eq!(offset.bounds(), None);
    }

    #[test]
    fn utc_and_back_gives_the_same_moment() {
        let clock = Clock::start();
        let moment = Duration::from_micros(12_345_678);
        assert_eq!(clock.moment(clock.utc(moment)), moment);
    }

    #[test]
    fn a_time_before_the_start_is_moment_zero() {
        let clock = Clock::start();
        assert_eq!(clock.moment(Timestamp::UNIX_EPOCH), Duration::ZERO);
    }
}
