//! How far back the loss reaches, and whether it has the shape that a restore gives it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::witness::clock::Moment;
use crate::witness::event::seconds_between;
use crate::witness::record::Write;

/// The actual data loss in seconds: known only as an interval, since writes are discrete. The recovery point lies
/// between the last acknowledged write that survived and the first that did not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interval {
    /// From the first lost write to the fault's first effect.
    pub min: f64,
    /// From the last surviving write to the fault's first effect.
    pub max: f64,
}

/// The moments that divide a drill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    /// The fault was requested.
    pub requested: Moment,
    /// It first had an effect, on the platform or on a client: where a service is stopped before its volume goes, the
    /// time it was down is outage, not loss.
    pub first_effect: Moment,
    pub effective: Moment,
    /// The service was correct again, if it was.
    pub recovered: Option<Moment>,
}

/// What a right recovery brings back at least.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// All that was acknowledged before this: when the snapshot of the newest good restore point began.
    pub until: Option<Moment>,
    /// All up to this id: the high-water mark of the restore point that was restored.
    pub up_to: Option<i64>,
}

/// The loss of one drill. Writes are named by their number in the run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loss {
    /// The actual recovery point, zero if nothing is lost.
    pub rpa: Interval,
    /// Lost, and sent before the fault was effective: all that a restore may cost.
    pub before_fault: BTreeSet<u64>,
    /// Lost although sent between the fault and the recovery: the service acknowledged what it did not keep.
    pub after_fault: BTreeSet<u64>,
    /// Lost although sent to the service that had recovered.
    pub after_recovery: BTreeSet<u64>,
    /// Writes that survived although an older one is lost: the copy is torn.
    pub holes: BTreeSet<u64>,
    /// Lost although a restore point held them that was there to be restored.
    pub held: BTreeSet<u64>,
}

impl Loss {
    /// Measures how far the loss reaches back, and what no restore explains.
    pub(crate) fn of(writes: &[Write], lost: &BTreeSet<u64>, moments: Moments, held: Held) -> Self {
        let Moments { requested, first_effect, effective, recovered } = moments;
        let before = before(writes, effective);
        let is_lost = |write: &&Write| lost.contains(&write.seq);
        let is_held = |id: i64, write: &Write| {
            held.up_to.is_some_and(|mark| id <= mark) || held.until.is_some_and(|until| write.done < until)
        };
        let first_lost = before.iter().position(|(_, write)| is_lost(write));
        let newer = first_lost.map_or(&[][..], |first| &before[first..]);
        let lost_when = |matches: &dyn Fn(Moment) -> bool| {
            writes.iter().filter(|write| is_lost(write) && matches(write.sent)).map(|write| write.seq).collect()
        };
        let has_recovered = |sent: Moment| recovered.is_some_and(|recovered| sent >= recovered);
        Self {
            rpa: first_lost.map_or(Interval { min: 0.0, max: 0.0 }, |first| interval(&before, first, first_effect)),
            before_fault: lost_when(&|sent| sent < effective),
            after_fault: lost_when(&|sent| sent >= effective && !has_recovered(sent)),
            after_recovery: lost_when(&|sent| sent >= effective && has_recovered(sent)),
            // One that was under way when the fault struck may have come after it.
            holes: seqs(newer.iter().filter(|(_, write)| !is_lost(write) && write.done < requested)),
            held: seqs(before.iter().filter(|(id, write)| is_lost(write) && is_held(*id, write))),
        }
    }
}

/// What was acknowledged and sent before a moment, in the order of commits: acknowledgements of one group may arrive in
/// any.
pub(super) fn before(writes: &[Write], effective: Moment) -> Vec<(i64, &Write)> {
    let mut before: Vec<(i64, &Write)> = writes
        .iter()
        .filter(|write| write.sent < effective)
        .filter_map(|write| Some((write.acknowledged()?, write)))
        .collect();
    before.sort_by_key(|(id, _)| *id);
    before
}

fn seqs<'a>(writes: impl Iterator<Item = &'a (i64, &'a Write)>) -> BTreeSet<u64> {
    writes.map(|(_, write)| write.seq).collect()
}

fn interval(before: &[(i64, &Write)], first_lost: usize, first_effect: Moment) -> Interval {
    // With no survivor at all, the loss reaches back to before the first write was tried.
    let survived = first_lost.checked_sub(1).map_or(before[0].1.sent, |last| before[last].1.done);
    let age = |moment| seconds_between(moment, first_effect).max(0.0);
    Interval { min: age(before[first_lost].1.done), max: age(survived) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::witness::record::Outcome;

    const FAULT: Duration = Duration::from_millis(8500);

    const AT: Moments = Moments {
        requested: FAULT,
        first_effect: FAULT,
        effective: FAULT,
        recovered: Some(Duration::from_millis(9500)),
    };

    #[test]
    fn a_service_that_was_stopped_first_does_not_make_the_loss_longer() {
        let stopped = Duration::from_millis(8200);
        let loss = Loss::of(&writes(), &[6, 7, 8].into(), Moments { first_effect: stopped, ..AT }, Held::default());
        assert!((loss.rpa.max - 3.2).abs() < 1e-9);
    }

    /// Writes 0 to 10, acknowledged one a second at seconds 0 to 10; the fault is effective at 8.5, and over at 9.5.
    fn writes() -> Vec<Write> {
        (0..11)
            .map(|seq| {
                let at = Duration::from_secs(seq);
                let outcome = Outcome::Acknowledged { id: i64::try_from(seq).unwrap() + 1 };
                Write { seq, token: format!("drill/r/{seq}"), sent: at, done: at, outcome }
            })
            .collect()
    }

    fn loss(lost: &[u64], held_until: Option<u64>) -> Loss {
        let held = Held { until: held_until.map(Duration::from_secs), up_to: None };
        Loss::of(&writes(), &lost.iter().copied().collect(), AT, held)
    }

    #[test]
    fn nothing_lost_is_zero() {
        let loss = loss(&[], Some(6));
        assert_eq!(loss.rpa, Interval { min: 0.0, max: 0.0 });
        assert!(loss.holes.is_empty() && loss.after_fault.is_empty() && loss.held.is_empty());
    }

    #[test]
    fn a_lost_suffix_is_an_interval_between_survivor_and_first_lost() {
        let loss = loss(&[6, 7, 8], Some(6));
        assert_eq!(loss.rpa, Interval { min: 2.5, max: 3.5 });
        assert!(loss.holes.is_empty() && loss.after_fault.is_empty() && loss.held.is_empty());
    }

    #[test]
    fn a_survivor_after_a_lost_write_is_a_hole() {
        assert_eq!(loss(&[6, 8], None).holes, [7].into());
    }

    #[test]
    fn losses_fall_into_three_windows() {
        let loss = loss(&[8, 9, 10], None);
        assert_eq!(loss.before_fault, [8].into());
        assert_eq!(loss.after_fault, [9].into());
        assert_eq!(loss.after_recovery, [10].into());
    }

    #[test]
    fn a_survivor_that_was_under_way_when_the_fault_struck_is_no_hole() {
        let mut writes = writes();
        writes[8].done = Duration::from_millis(8600);
        assert!(Loss::of(&writes, &[6, 7].into(), AT, Held::default()).holes.is_empty());
    }

    #[test]
    fn a_lost_write_below_the_high_water_mark_of_what_was_restored_is_named() {
        // Ids are one more than the numbers of the writes.
        let held = Held { until: None, up_to: Some(6) };
        assert_eq!(Loss::of(&writes(), &[5, 6, 7, 8].into(), AT, held).held, [5].into());
    }

    #[test]
    fn a_lost_write_that_the_newest_restore_point_held_is_named() {
        assert_eq!(loss(&[4, 5, 6, 7, 8], Some(6)).held, [4, 5].into());
    }

    #[test]
    fn with_no_survivor_the_loss_reaches_back_to_the_first_write() {
        let all: Vec<u64> = (0..9).collect();
        assert_eq!(loss(&all, None).rpa, Interval { min: 8.5, max: 8.5 });
    }

    #[test]
    fn order_is_that_of_commits_not_of_acknowledgements() {
        let mut writes = writes();
        // 5 and 6 shared a commit; the answer to 6 arrived first.
        writes[5].done = Duration::from_millis(6200);
        let loss = Loss::of(&writes, &[6, 7, 8].into(), AT, Held::default());
        assert!(loss.holes.is_empty());
    }
}
