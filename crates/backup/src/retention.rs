//! Which restore points of one lineage a policy keeps. Pure: it sees no file.
//!
//! The rules are restic's: points are looked at from the newest to the oldest, and each rule keeps the first point of
//! each of its buckets (an hour, a day, a week; UTC) until it has kept as many as it may. A point that was confirmed later
//! counts as one that was taken then, too. What no rule keeps goes, but for the newest one, the newest good one, and what a
//! suspect one may have to be repaired from.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::{self, Told};

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
    /// Those that were current at most this long before the newest of the lineage, not before now: a schedule that stopped
    /// expires nothing. Nor does a clock that is ahead for one take: what comes more than a day, and more than this, after
    /// the one before it counts only once another follows.
    pub within: Option<Duration>,
    /// No rule keeps what has a lower sequence number: what is older has to go for lack of space.
    pub since_sequence: u64,
}

/// What a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub sequence: u64,
    /// The instant its snapshot began.
    pub created_at: Timestamp,
    /// The last instant at which it held what the database held.
    pub current_at: Timestamp,
    /// See [`crate::Manifest::confirmed_after`].
    pub confirmed_after: Option<Timestamp>,
    /// See [`crate::Manifest::not_before`].
    pub not_before: Option<Timestamp>,
    /// Whether nobody knows until when it was current, since what clocks said of its confirmations is contradictory.
    pub is_contradicted: bool,
    /// Whether it looked, when it was taken, as if its database had been lost or exchanged.
    pub suspect: bool,
}

impl Point {
    fn told(&self) -> Told {
        let Self { created_at, current_at, not_before, is_contradicted, .. } = *self;
        Told { created_at, current_at, not_before, is_contradicted }
    }
}

/// Why a restore point is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The newest of its lineage, good or not.
    Newest,
    /// [`Policy::last`].
    Last,
    /// [`Policy::hourly`].
    Hourly,
    /// [`Policy::daily`].
    Daily,
    /// [`Policy::weekly`].
    Weekly,
    /// [`Policy::within`].
    Within,
    /// The newest of its lineage whose files are what its manifest says.
    #[serde(rename = "newest good")]
    NewestGood,
    /// The newest suspect one of its lineage, while there is one that [`Reason::BeforeSuspect`] keeps: once it were
    /// gone, nothing would tell what that one is kept for.
    Suspect,
    /// The newest good one from before the newest suspect one. Those after it are no substitute, though they look
    /// like their predecessors again.
    #[serde(rename = "newest before a suspect one")]
    BeforeSuspect,
    /// None of its lineage is good, so none goes: people may still save something.
    #[serde(rename = "no good one known")]
    NoneGood,
    /// Its record is the newest of the remote repository: without it, others would take the repository for rolled back.
    #[serde(rename = "newest record")]
    Head,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
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
pub fn decide<E>(
    policy: &Policy,
    points: &[Point],
    now: Timestamp,
    mut good: impl FnMut(usize) -> Result<bool, E>,
) -> Result<Vec<Vec<Reason>>, E> {
    let order = newest_first(points);
    let mut reasons = apply(policy, points, &order, now);
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
fn apply(policy: &Policy, points: &[Point], order: &[usize], now: Timestamp) -> Vec<Vec<Reason>> {
    let mut reasons = vec![Vec::new(); points.len()];
    let Some(&newest) = order.first() else { return reasons };
    reasons[newest].push(Reason::Newest);
    let age = ages(policy, points, order, now);
    let (mut hours, mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (rank, &index) in order.iter().enumerate() {
        let Point { created_at, current_at, .. } = points[index];
        let week = |seconds: i64| (seconds - FIRST_MONDAY_SECONDS).div_euclid(WEEK_SECONDS);
        let first = |seen: &mut BTreeSet<i64>, bucket: &dyn Fn(i64) -> i64, limit| {
            // Both, not one or the other.
            let ends = [current_at, created_at].map(|at| first_of_bucket(seen, bucket(at.as_second()), limit));
            ends.contains(&true)
        };
        for (reason, holds) in [
            (Reason::Last, rank < policy.last as usize),
            (Reason::Hourly, first(&mut hours, &|seconds| seconds.div_euclid(HOUR_SECONDS), policy.hourly)),
            (Reason::Daily, first(&mut days, &|seconds| seconds.div_euclid(DAY_SECONDS), policy.daily)),
            (Reason::Weekly, first(&mut weeks, &week, policy.weekly)),
            (Reason::Within, policy.within.is_some_and(|within| age[index] <= within)),
        ] {
            if holds && points[index].sequence >= policy.since_sequence {
                reasons[index].push(reason);
            }
        }
    }
    reasons
}

/// How long before the newest each point was current, as far as the clocks can be believed.
fn ages(policy: &Policy, points: &[Point], newest_first: &[usize], now: Timestamp) -> Vec<Duration> {
    let order: Vec<usize> = newest_first.iter().rev().copied().collect();
    let told: Vec<Told> = order.iter().map(|&index| points[index].told()).collect();
    let current = clock::current(&told, now);
    let mut believed = order.iter().zip(&current).filter(|(_, (_, is_believed))| *is_believed).rev();
    let newest = believed.next().map(|(index, (current, _))| (&points[*index], *current));
    let reference = newest.map_or(Timestamp::MIN, |(newest, current)| {
        let confirmed = newest.confirmed_after.map(|after| (after, newest.current_at));
        let last = confirmed.or_else(|| believed.next().map(|(_, (before, _))| (*before, newest.created_at)));
        last.filter(|(before, at)| is_leap(policy, before.duration_until(*at))).map_or(current, |(before, _)| before)
    });
    let mut ages = vec![Duration::ZERO; points.len()];
    for (index, (current, _)) in order.into_iter().zip(current) {
        // What is younger than the reference has no age.
        ages[index] = current.duration_until(reference).try_into().unwrap_or_default();
    }
    ages
}

/// Whether the clock went ahead by more than there is between two takes; or nothing was taken for as long.
fn is_leap(policy: &Policy, distance: SignedDuration) -> bool {
    let within = policy.within.unwrap_or_default().max(Duration::from_secs(DAY_SECONDS.unsigned_abs()));
    !distance.is_negative() && distance.unsigned_abs() > within
}

/// Buckets are remembered rather than compared with the one before, as a clock may go back and forth.
fn first_of_bucket(seen: &mut BTreeSet<i64>, bucket: i64, limit: u32) -> bool {
    seen.len() < limit as usize && seen.insert(bucket)
}
