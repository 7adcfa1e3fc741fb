//! Decides which times of restore points can be believed, because clocks can be fast or slow. Pure: the current time is
//! an argument.

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
    pub created_at: Timestamp,
    /// See [`crate::Manifest::current_at`].
    pub current_at: Timestamp,
    /// See [`crate::Manifest::not_before`].
    pub not_before: Option<Timestamp>,
    /// What it said of one confirmation contradicts what it said of another, or lies in the future.
    pub is_contradicted: bool,
}

/// Until when each restore point held what its database held, given in the order of their sequence; and whether the clock
/// that told it is believed. It is not if that lies in the future, or before what was told of an earlier one. The restore
/// point is then taken for as young as it can be: it was current no later than when the next one was taken.
pub(crate) fn current(told: &[Told], now: Timestamp) -> Vec<(Timestamp, bool)> {
    let mut current = Vec::with_capacity(told.len());
    let mut latest = Timestamp::MIN;
    // When each was taken, if that is believed, else until when it was current.
    let mut taken = Vec::with_capacity(told.len());
    for at in told {
        latest = latest.max(at.not_before.filter(|at| !is_ahead(*at, now)).unwrap_or(Timestamp::MIN));
        let is_begun = at.created_at >= latest && !is_ahead(at.created_at, now);
        let is_believed = at.current_at >= latest && !is_ahead(at.current_at, now) && !at.is_contradicted;
        if is_believed {
            latest = at.current_at;
        }
        current.push((latest, is_believed));
        taken.push(if is_begun { at.created_at } else { latest });
    }
    let mut next = now;
    for ((until, is_believed), taken) in current.iter_mut().zip(taken).rev() {
        if *is_believed {
            next = taken;
        } else {
            *until = next.max(*until);
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
            (vec![(1, 1), (2, 2)], vec![(1, true), (2, true)]),
            (vec![(1, 5), (6, 6)], vec![(5, true), (6, true)]),
            // The clock was ahead, and is right again.
            (vec![(1, 1), (999, 999), (3, 4)], vec![(1, true), (3, false), (4, true)]),
            (vec![(1, 1), (999, 999)], vec![(1, true), (9, false)]),
            (vec![(999, 999)], vec![(9, false)]),
            (vec![(1, 1), (999, 5), (6, 6)], vec![(1, true), (5, true), (6, true)]),
            // It was behind.
            (vec![(1, 1), (-999, -999), (3, 3)], vec![(1, true), (3, false), (3, true)]),
            (vec![(1, 1), (2, 2), (-999, -999)], vec![(1, true), (2, true), (9, false)]),
            (vec![(1, 1), (-999, 4), (5, 5)], vec![(1, true), (4, true), (5, true)]),
            (vec![(1, 1), (999, 999), (-999, -999), (4, 4)], vec![(1, true), (4, false), (4, false), (4, true)]),
        ] {
            let told: Vec<Told> = told
                .into_iter()
                .map(|(from, to)| Told {
                    created_at: day(from),
                    current_at: day(to),
                    not_before: None,
                    is_contradicted: false,
                })
                .collect();
            let expected: Vec<_> = expected.into_iter().map(|(at, is_believed)| (day(at), is_believed)).collect();
            assert_eq!(current(&told, day(9)), expected, "{told:?}");
        }
    }

    #[test]
    fn that_a_clock_was_behind_is_known_although_what_tells_it_is_gone() {
        let day = |day: i64| Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap();
        let behind = |not_before: i64| Told {
            created_at: day(1),
            current_at: day(1),
            not_before: Some(day(not_before)),
            is_contradicted: false,
        };
        let next = Told { created_at: day(6), current_at: day(6), not_before: None, is_contradicted: false };
        assert_eq!(current(&[behind(5), next], day(9))[0], (day(6), false));
        assert_eq!(current(&[behind(99), next], day(9))[0], (day(1), true), "the other clock was ahead");
    }

    #[test]
    fn a_minute_is_no_wrong_clock() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!is_ahead(at(1060), at(1000)) && is_ahead(at(1061), at(1000)) && !is_ahead(at(0), at(1000)));
    }
}
