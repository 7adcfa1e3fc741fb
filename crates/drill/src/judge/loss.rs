//! How far back the loss reaches, and whether it has the shape that a restore gives it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::event::seconds_between;
use crate::record::Write;

/// The actual data loss in seconds: known only as an interval, since writes are discrete. The recovery point lies
/// between the last acknowledged write that survived and the first that did not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// From the first lost write to the fault's first effect.
    pub min: f64,
    /// From the last surviving write to the fault's first effect.
    pub max: f64,
}

/// The loss of one drill. Writes are named by their number in the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The actual recovery point, zero if nothing is lost.
    pub rpa: Interval,
    /// Writes that survived although an older one is lost: the copy is torn.
    pub holes: BTreeSet<u64>,
    /// Lost although sent after the fault was effective.
    pub after_fault: BTreeSet<u64>,
    /// Lost although acknowledged before the snapshot that should have been restored began.
    pub held: BTreeSet<u64>,
}

impl Loss {
    /// Measures how far the loss reaches back from the first effect of the fault: where a service is stopped before
    /// its volume goes, the time it was down is outage, not loss.
    ///
    /// Whatever was sent once the fault was effective must not be lost at all.
    /// `held_until` is when the snapshot of the newest good restore point began: all that was acknowledged before
    /// it must still be there.
    pub fn of(
        writes: &[Write],
        lost: &BTreeSet<u64>,
        first_effect: Moment,
        effective: Moment,
        held_until: Option<Moment>,
    ) -> Self {
        // Ids are given in commit order; acknowledgements of one group may arrive in any.
        let mut before: Vec<(i64, &Write)> = writes
            .iter()
            .filter(|write| write.sent < effective)
            .filter_map(|write| Some((write.acknowledged()?, write)))
            .collect();
        before.sort_by_key(|(id, _)| *id);
        let before: Vec<&Write> = before.into_iter().map(|(_, write)| write).collect();
        let is_lost = |write: &&Write| lost.contains(&write.seq);
        let first_lost = before.iter().position(is_lost);

        Self {
            rpa: first_lost.map_or(Interval { min: 0.0, max: 0.0 }, |first| interval(&before, first, first_effect)),
            holes: first_lost.map_or_else(BTreeSet::new, |first| {
                before[first..].iter().filter(|write| !is_lost(write)).map(|write| write.seq).collect()
            }),
            after_fault: writes.iter().filter(|write| write.sent >= effective).filter(is_lost).map(|w| w.seq).collect(),
            held: before
                .iter()
                .filter(|write| is_lost(write) && held_until.is_some_and(|until| write.done < until))
                .map(|write| write.seq)
                .collect(),
        }
    }
}

fn interval(before: &[&Write], first_lost: usize, first_effect: Moment) -> Interval {
    // With no survivor at all, the loss reaches back to before the first write was tried.
    let survived = first_lost.checked_sub(1).map_or(before[0].sent, |last| before[last].done);
    let age = |moment| seconds_between(moment, first_effect).max(0.0);
    Interval { min: age(before[first_lost].done), max: age(survived) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Outcome;

    const FAULT: Duration = Duration::from_millis(8500);

    #[test]
    fn a_service_that_was_stopped_first_does_not_make_the_loss_longer() {
        let stopped = Duration::from_millis(8200);
        let loss = Loss::of(&writes(), &[6, 7, 8].into(), stopped, FAULT, None);
        assert!((loss.rpa.max - 3.2).abs() < 1e-9);
    }

    /// Writes 0 to 9, acknowledged one a second at seconds 0 to 9; the fault is effective at 8.5.
    fn writes() -> Vec<Write> {
        (0..10)
            .map(|seq| {
                let at = Duration::from_secs(seq);
                let outcome = Outcome::Acknowledged { id: i64::try_from(seq).unwrap() + 1 };
                Write { seq, token: format!("drill/r/{seq}"), sent: at, done: at, outcome }
            })
            .collect()
    }

    fn loss(lost: &[u64], held_until: Option<u64>) -> Loss {
        let held_until = held_until.map(Duration::from_secs);
        Loss::of(&writes(), &lost.iter().copied().collect(), FAULT, FAULT, held_until)
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
    fn a_write_lost_after_the_fault_is_named() {
        assert_eq!(loss(&[9], None).after_fault, [9].into());
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
        let loss = Loss::of(&writes, &[6, 7, 8].into(), FAULT, FAULT, None);
        assert!(loss.holes.is_empty());
    }
}
