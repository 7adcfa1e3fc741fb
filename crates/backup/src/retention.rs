//! Which restore points of one lineage a policy keeps. Pure: it sees no file.
//!
//! The rules are restic's: points are looked at from the newest to the oldest, and each rule keeps the first point of
//! each of its buckets (an hour, a day, a week; UTC) until it has kept as many as it may. What no rule keeps goes, but
//! for the newest one, the newest good one, and what a suspect one may have to be repaired from.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What to keep in each lineage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest this many.
    pub last: u32,
    /// The newest of each of this many hours that have any.
    pub hourly: u32,
    /// The newest of each of this many days that have any.
    pub daily: u32,
    /// The newest of each of this many ISO weeks (Monday to Sunday) that have any.
    pub weekly: u32,
    /// Those that began at most this long before the newest of the lineage, not before now: a schedule that stopped
    /// expires nothing. As long after it, too, where the clock went back.
    pub within: Option<Duration>,
    /// No rule keeps what has a lower sequence number: what is older has to go for lack of space.
    pub since_sequence: u64,
}

/// What a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its place in the order.
    pub sequence: u64,
    /// The instant its snapshot began.
    pub created_at: Timestamp,
    /// Whether it looked, when it was taken, as if its database had been lost or exchanged.
    pub suspect: bool,
}

/// Why a restore point is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The newest of its lineage, good or not.
    #[serde(rename = "newest")]
    Newest,
    /// [`Policy::last`].
    #[serde(rename = "last")]
    Last,
    /// [`Policy::hourly`].
    #[serde(rename = "hourly")]
    Hourly,
    /// [`Policy::daily`].
    #[serde(rename = "daily")]
    Daily,
    /// [`Policy::weekly`].
    #[serde(rename = "weekly")]
    Weekly,
    /// [`Policy::within`].
    #[serde(rename = "within")]
    Within,
    /// The newest of its lineage whose files are what its manifest says.
    #[serde(rename = "newest good")]
    NewestGood,
    /// The newest suspect one of its lineage, while there is one that [`Reason::BeforeSuspect`] keeps: once it were
    /// gone, nothing would tell what that one is kept for.
    #[serde(rename = "suspect")]
    Suspect,
    /// The newest good one from before the newest suspect one. Those after it are no substitute, though they look
    /// like their predecessors again.
    #[serde(rename = "newest before a suspect one")]
    BeforeSuspect,
    /// None of its lineage is good, so none goes: people may still save something.
    #[serde(rename = "no good one known")]
    NoneGood,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newest => "newest",
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Within => "within",
            Self::NewestGood => "newest good",
            Self::Suspect => "suspect",
            Self::BeforeSuspect => "newest before a suspect one",
            Self::NoneGood => "no good one known",
        })
    }
}

const HOUR_SECONDS: i64 = 3600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
const WEEK_SECONDS: i64 = 7 * DAY_SECONDS;
/// 1 January 1970 was a Thursday: the Monday before it is this much earlier.
const FIRST_MONDAY_SECONDS: i64 = -3 * DAY_SECONDS;

/// For each point of one lineage, in the order given, why it is kept; no reason means that it goes.
///
/// `good` tells whether the files of the point with this index are what its manifest says. That takes reading them, so
/// it is asked only if something goes, from the newest on, and no further than needed.
///
/// # Errors
/// Those of `good`.
pub fn decide<E>(
    policy: &Policy,
    points: &[Point],
    mut good: impl FnMut(usize) -> Result<bool, E>,
) -> Result<Vec<Vec<Reason>>, E> {
    let order = newest_first(points);
    let mut reasons = apply(policy, points, &order);
    if reasons.iter().all(|reasons| !reasons.is_empty()) {
        return Ok(reasons);
    }
    let newest_suspect = order.iter().copied().find(|&index| points[index].suspect);
    let (mut good_known, mut suspect_passed) = (false, newest_suspect.is_none());
    for index in order {
        let may_repair = suspect_passed && !points[index].suspect;
        suspect_passed |= newest_suspect == Some(index);
        if (good_known && !may_repair) || !good(index)? {
            continue;
        }
        if !good_known {
            reasons[index].push(Reason::NewestGood);
            good_known = true;
        }
        if may_repair {
            if let Some(suspect) = newest_suspect {
                reasons[suspect].push(Reason::Suspect);
                reasons[index].push(Reason::BeforeSuspect);
            }
            break;
        }
    }
    if !good_known {
        reasons.iter_mut().for_each(|reasons| reasons.push(Reason::NoneGood));
    }
    Ok(reasons)
}

/// The indices of the points, by sequence.
fn newest_first(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&index| Reverse(points[index].sequence));
    order
}

/// What the rules keep, and the newest.
fn apply(policy: &Policy, points: &[Point], order: &[usize]) -> Vec<Vec<Reason>> {
    let mut reasons = vec![Vec::new(); points.len()];
    let Some(&newest) = order.first() else { return reasons };
    reasons[newest].push(Reason::Newest);
    let (mut hours, mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (rank, &index) in order.iter().enumerate() {
        let created_at = points[index].created_at;
        let seconds = created_at.as_second();
        let week = (seconds - FIRST_MONDAY_SECONDS).div_euclid(WEEK_SECONDS);
        let distance = points[newest].created_at.duration_since(created_at).unsigned_abs();
        for (reason, holds) in [
            (Reason::Last, rank < policy.last as usize),
            (Reason::Hourly, first_of_bucket(&mut hours, seconds.div_euclid(HOUR_SECONDS), policy.hourly)),
            (Reason::Daily, first_of_bucket(&mut days, seconds.div_euclid(DAY_SECONDS), policy.daily)),
            (Reason::Weekly, first_of_bucket(&mut weeks, week, policy.weekly)),
            (Reason::Within, policy.within.is_some_and(|within| distance <= within)),
        ] {
            if holds && points[index].sequence >= policy.since_sequence {
                reasons[index].push(reason);
            }
        }
    }
    reasons
}

/// Buckets are remembered rather than compared with the one before, as a clock may go back and forth.
fn first_of_bucket(seen: &mut BTreeSet<i64>, bucket: i64, limit: u32) -> bool {
    seen.len() < limit as usize && seen.insert(bucket)
}
