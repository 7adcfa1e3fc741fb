//! The one clock of a drill: monotonic, anchored once to UTC.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A moment of the drill: time since its clock was started.
pub type Moment = Duration;

/// Reads moments and translates them to and from UTC.
///
/// Durations between moments are exact whatever the system's clock does meanwhile. The translation to UTC holds
/// as far as the anchor was right.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    anchor: Timestamp,
}

impl Clock {
    /// Starts the clock: this instant is moment zero.
    pub fn start() -> Self {
        Self { started: Instant::now(), anchor: Timestamp::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        self.started.elapsed()
    }

    /// The UTC time of a moment.
    pub fn utc(&self, moment: Moment) -> Timestamp {
        self.anchor + SignedDuration::try_from(moment).unwrap_or(SignedDuration::MAX)
    }

    /// The moment of a UTC time, e.g. one that a manifest states. Earlier than the clock's start gives zero.
    pub fn moment(&self, utc: Timestamp) -> Moment {
        Duration::try_from(utc.duration_since(self.anchor)).unwrap_or(Duration::ZERO)
    }

    /// The instant of a moment, for timers.
    pub fn instant(&self, moment: Moment) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started + moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
