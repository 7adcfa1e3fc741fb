//! When the fault strikes. How much a lost volume costs depends on nothing as much as on that.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Drill;
use crate::platform::Platform;
use crate::witness::Stop;
use crate::witness::clock::Moment;
use crate::witness::event::Event;
use crate::witness::record::Record;

/// Where between two backups the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InjectAt {
    /// As soon as steady state is proven
    Now,
    /// Midway between two backups: the average case
    Midway,
    /// As soon as a restore point is published: the best case
    JustAfterBackup,
    /// Just before the next backup: the worst case
    JustBeforeBackup,
    /// At a random moment between two backups, see --seed
    Random,
}

impl fmt::Display for InjectAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "now",
            Self::Midway => "midway",
            Self::JustAfterBackup => "just-after-backup",
            Self::JustBeforeBackup => "just-before-backup",
            Self::Random => "random",
        })
    }
}

impl InjectAt {
    /// How long after the snapshot of the newest restore point began; `None` for a moment that is not counted from it.
    fn after_snapshot(self, interval: Duration, seed: u32) -> Option<Duration> {
        match self {
            Self::Now | Self::JustAfterBackup => None,
            Self::Midway => Some(interval / 2),
            // A backup begins a little before its snapshot does.
            Self::JustBeforeBackup => {
                Some(interval - (interval / 20).clamp(Duration::from_millis(50), Duration::from_secs(1)))
            }
            Self::Random => Some(interval.mul_f64(fraction(seed))),
        }
    }
}

/// A number from 0 to 1, the same for the same seed and unlike for neighbouring ones: one step of SplitMix64,
/// <https://prng.di.unimi.it/splitmix64.c>.
fn fraction(seed: u32) -> f64 {
    let mut mixed = u64::from(seed).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / f64::from(u32::MAX)
}

impl<P: Platform> Drill<P> {
    /// Waits until the fault is to strike: as it was asked for, else as the scenario has it.
    pub(crate) async fn until_the_moment(&mut self, of_scenario: InjectAt) -> Result<(), Stop> {
        let at = self.settings.inject_at.unwrap_or(of_scenario);
        self.inject_at = Some(at);
        let (interval, seed) = (self.settings.backup_every, self.settings.seed);
        if at == InjectAt::Random {
            self.progress.line(&format!("the fault strikes at random: --inject-at random --seed {seed}"));
        }
        self.progress.waiting(format!("waiting for the moment of the fault: {at}"));
        self.inject_after = at.after_snapshot(interval, seed);
        match self.inject_after {
            Some(after) => self.until_after_snapshot(after).await,
            None if at == InjectAt::JustAfterBackup => return self.until_next_backup().await,
            None => {}
        }
        Ok(())
    }

    async fn until_after_snapshot(&self, after: Duration) {
        loop {
            // Where copies have no beginning, from steady state on.
            let newest = self.recorder.look(Record::newest_copy).or(self.timeline.at(Event::E0));
            let moment: Moment = newest.unwrap_or_default() + after;
            if moment <= self.clock().now() {
                return;
            }
            // Another backup may come meanwhile.
            tokio::time::sleep_until(self.clock().instant(moment)).await;
        }
    }

    async fn until_next_backup(&self) -> Result<(), Stop> {
        let before = self.recorder.look(|record| record.restore_points.len());
        let limit = self.platform.backup_interval() * 2 + self.settings.patience;
        let another = |record: &Record| (record.restore_points.len() > before).then_some(());
        let seen = self.recorder.wait_for(limit, another).await;
        seen.ok_or_else(|| Stop::Inconclusive(format!("no restore point came within {} s", limit.as_secs_f64())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_lies_where_its_name_says() {
        let after = |at: InjectAt, every| at.after_snapshot(Duration::from_secs(every), 7).unwrap().as_secs_f64();
        assert_eq!(after(InjectAt::Midway, 5), 2.5);
        assert_eq!(after(InjectAt::JustBeforeBackup, 1), 0.95);
        assert_eq!(after(InjectAt::JustBeforeBackup, 60), 59.0);
        assert!(InjectAt::Now.after_snapshot(Duration::from_secs(5), 7).is_none());
    }

    #[test]
    fn a_seed_gives_the_same_moment_each_time_and_seeds_are_spread() {
        let all: Vec<f64> = (0..1000).map(fraction).collect();
        assert_eq!(all, (0..1000).map(fraction).collect::<Vec<f64>>());
        for tenth in 0..10 {
            let inside = all.iter().filter(|at| (**at * 10.0).floor() == f64::from(tenth)).count();
            assert!((60..140).contains(&inside), "{inside} of 1000 are in tenth {tenth}");
        }
    }
}
