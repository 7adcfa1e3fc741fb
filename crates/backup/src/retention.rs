//! Which restore points of one lineage a policy keeps. Pure: it sees no file.
//!
//! The rules are restic's: points are looked at from the newest to the oldest, and each rule keeps the first point of
//! each of its buckets (an hour, a day; UTC) until it has kept as many as it may.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// How many restore points to keep in each lineage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest this many.
    pub last: u32,
    /// The newest of each of this many hours that have any.
    pub hourly: u32,
    /// The newest of each of this many days that have any.
    pub daily: u32,
}

/// What a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its place in the order.
    pub sequence: u64,
    /// The instant its snapshot began.
    pub created_at: Timestamp,
}

const HOUR_SECONDS: i64 = 3600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;

/// For each point of one lineage, in the order given, why it is kept; no reason means that it goes. The newest by
/// sequence is always kept.
pub fn decide(policy: Policy, points: &[Point]) -> Vec<Vec<&'static str>> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(points[index].sequence));
    let mut reasons = vec![Vec::new(); points.len()];
    if let Some(&newest) = order.first() {
        reasons[newest].push("newest");
    }
    let (mut hours, mut days) = (BTreeSet::new(), BTreeSet::new());
    for (rank, index) in order.into_iter().enumerate() {
        let seconds = points[index].created_at.as_second();
        if rank < policy.last as usize {
            reasons[index].push("last");
        }
        if first_of_bucket(&mut hours, seconds.div_euclid(HOUR_SECONDS), policy.hourly) {
            reasons[index].push("hourly");
        }
        if first_of_bucket(&mut days, seconds.div_euclid(DAY_SECONDS), policy.daily) {
            reasons[index].push("daily");
        }
    }
    reasons
}

/// Buckets are remembered rather than compared with the one before, as a clock may go back and forth.
fn first_of_bucket(seen: &mut BTreeSet<i64>, bucket: i64, limit: u32) -> bool {
    seen.len() < limit as usize && seen.insert(bucket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(times: &[&str]) -> Vec<Point> {
        (1..).zip(times).map(|(sequence, time)| Point { sequence, created_at: time.parse().unwrap() }).collect()
    }

    fn kept(policy: Policy, points: &[Point]) -> Vec<u64> {
        let decided = decide(policy, points).into_iter().zip(points);
        decided.filter(|(reasons, _)| !reasons.is_empty()).map(|(_, point)| point.sequence).collect()
    }

    #[test]
    fn each_rule_keeps_what_restic_keeps() {
        let points = points(&[
            "2026-11-20T08:00:00Z",
            "2026-11-21T22:10:00Z",
            "2026-11-21T23:59:59Z",
            "2026-11-22T00:00:00Z",
            "2026-11-22T09:05:00Z",
            "2026-11-22T09:59:59Z",
        ]);
        let policy = |last, hourly, daily| Policy { last, hourly, daily };
        for (policy, expected) in [
            (policy(1, 0, 0), vec![6]),
            (policy(2, 0, 0), vec![5, 6]),
            (policy(0, 2, 0), vec![4, 6]),
            (policy(0, 9, 0), vec![1, 2, 3, 4, 6]),
            (policy(0, 0, 2), vec![3, 6]),
            (policy(0, 0, 9), vec![1, 3, 6]),
            (policy(2, 2, 2), vec![3, 4, 5, 6]),
        ] {
            assert_eq!(kept(policy, &points), expected, "{policy:?}");
        }
    }

    #[test]
    fn the_order_is_by_sequence_even_if_the_clock_went_back() {
        let points = points(&["2026-11-22T09:00:00Z", "2026-11-22T12:00:00Z", "2020-01-01T00:00:00Z"]);
        assert_eq!(kept(Policy { last: 1, ..Policy::default() }, &points), [3]);
    }

    fn any_points() -> impl Strategy<Value = Vec<Point>> {
        prop::collection::vec(0i64..20 * DAY_SECONDS, 0..40).prop_map(|seconds| {
            let point = |(sequence, second)| Point { sequence, created_at: Timestamp::from_second(second).unwrap() };
            (1..).zip(seconds).map(point).collect()
        })
    }

    proptest! {
        #[test]
        fn a_policy_keeps_the_newest_and_neither_too_many_nor_too_few(
            points in any_points(), last in 0u32..50, hourly in 0u32..50, daily in 0u32..50,
        ) {
            let policy = Policy { last, hourly, daily };
            let kept = kept(policy, &points);
            prop_assert_eq!(kept.contains(&(points.len() as u64)), !points.is_empty());
            prop_assert!(kept.len() <= (last + hourly + daily).max(1) as usize);
            prop_assert!(kept.len() >= points.len().min(last as usize));
        }

        #[test]
        fn pruning_twice_removes_nothing_more(points in any_points(), last in 0u32..9, hourly in 0u32..9, daily in 0u32..9) {
            let policy = Policy { last, hourly, daily };
            let once = kept(policy, &points);
            let rest: Vec<Point> = points.into_iter().filter(|point| once.contains(&point.sequence)).collect();
            prop_assert_eq!(kept(policy, &rest), once);
        }
    }
}
