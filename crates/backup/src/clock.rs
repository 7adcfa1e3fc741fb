//! Clocks are wrong, in both directions: which times of restore points can be believed. Pure: the time is given.

use jiff::{SignedDuration, Timestamp};

/// How far the clocks of two machines that share a repository may differ without anything being said of it.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// Whether a time was told by a clock that ran ahead, if it is `now`.
pub fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > TOLERANCE
}

/// What the clock said of a restore point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// When its snapshot began.
    pub created_at: Timestamp,
    /// See [`crate::Manifest::current_at`].
    pub current_at: Timestamp,
}

/// Until when each restore point held what its database held, given in the order of their sequence. It is never said to
/// be older than it can be: not before one that was taken earlier, and where its own time is ahead, not before the next.
pub(crate) fn current(told: &[Told], now: Timestamp) -> Vec<Timestamp> {
    let mut current: Vec<Timestamp> = Vec::with_capacity(told.len());
    let mut latest = Timestamp::MIN;
    for at in told {
        if !is_ahead(at.current_at, now) {
            latest = latest.max(at.current_at);
        }
        current.push(latest);
    }
    let mut next = now;
    for (at, current) in told.iter().zip(&mut current).rev() {
        if is_ahead(at.current_at, now) {
            *current = next.max(*current);
        } else {
            next = if is_ahead(at.created_at, now) { *current } else { at.created_at };
        }
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_restore_point_is_older_than_one_before_it_nor_younger_than_one_after_it() {
        let day = |day: i64| Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap();
        for (told, expected) in [
            (vec![], vec![]),
            (vec![(1, 1), (2, 2)], vec![1, 2]),
            (vec![(1, 5), (6, 6)], vec![5, 6]),
            // The clock was ahead, and is right again.
            (vec![(1, 1), (999, 999), (3, 4)], vec![1, 3, 4]),
            (vec![(1, 1), (999, 999)], vec![1, 9]),
            (vec![(999, 999)], vec![9]),
            (vec![(1, 1), (999, 5), (6, 6)], vec![1, 5, 6]),
            // It was behind.
            (vec![(1, 1), (-999, -999), (3, 3)], vec![1, 1, 3]),
            (vec![(1, 1), (2, 2), (-999, -999)], vec![1, 2, 2]),
            (vec![(1, 1), (999, 999), (-999, -999), (4, 4)], vec![1, 1, 1, 4]),
        ] {
            let told: Vec<Told> =
                told.into_iter().map(|(from, to)| Told { created_at: day(from), current_at: day(to) }).collect();
            let expected: Vec<Timestamp> = expected.into_iter().map(day).collect();
            assert_eq!(current(&told, day(9)), expected, "{told:?}");
        }
    }

    #[test]
    fn a_minute_is_no_wrong_clock() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!is_ahead(at(1060), at(1000)) && is_ahead(at(1061), at(1000)) && !is_ahead(at(0), at(1000)));
    }
}
