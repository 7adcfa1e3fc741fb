//! When the service failed and when it was correct again, as its clients saw it.

use crate::witness::clock::Moment;
use crate::witness::record::{Outcome, Record, Seen};

/// One operation of either stream, as far as an outage is concerned.
#[derive(Clone, Copy, Debug)]
struct Operation {
    sent: Moment,
    done: Moment,
    is_write: bool,
    result: Result,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    Good,
    /// Status 200, wrong data.
    Wrong,
    Failed,
    UnderWay,
}

impl Result {
    fn is_bad(self) -> bool {
        matches!(self, Self::Wrong | Self::Failed)
    }

    fn is_answer(self) -> bool {
        matches!(self, Self::Good | Self::Wrong)
    }
}

/// An outage and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outage {
    /// First operation that failed after the fault was requested.
    pub first_failure: Option<Moment>,
    /// First answer 200 after the fault was effective.
    pub first_answer: Option<Moment>,
    /// First answer 200 with wrong data after the fault was effective.
    pub first_wrong: Option<Moment>,
    /// Both a correct read and an acknowledged write done, at the start of the first unbroken run of
    /// [`super::RUN_LENGTH`] of each.
    pub correct: Option<Moment>,
}

impl Outage {
    /// Finds the outage in a record, from when the fault was requested and when it was effective.
    pub(crate) fn of(record: &Record, requested: Moment, effective: Moment, run_length: usize) -> Self {
        let operations = operations(record);
        let after = || operations.iter().filter(|operation| operation.sent >= effective);
        let first = |wanted: fn(&Operation) -> bool| after().filter(|o| wanted(o)).map(|o| o.done).min();
        Self {
            first_failure: operations
                .iter()
                .filter(|operation| operation.done >= requested && operation.result.is_bad())
                .map(|operation| operation.done)
                .min(),
            first_answer: first(|operation| operation.result.is_answer()),
            first_wrong: first(|operation| operation.result == Result::Wrong),
            correct: steady(after(), run_length),
        }
    }
}

/// Since when reads are correct and writes acknowledged, once `run_length` of each came without a failure between.
pub(crate) fn steady_since(record: &Record, run_length: usize) -> Option<Moment> {
    steady(operations(record).iter(), run_length)
}

/// Which operations fail: the newest `count` that ended after `since` all failed or showed wrong data, of both kinds
/// together or of one of them, since a service may still do the other.
pub(crate) fn failures_in_a_row(record: &Record, since: Moment, count: usize) -> Option<&'static str> {
    let mut ended = operations(record);
    ended.retain(|operation| operation.done >= since && operation.result != Result::UnderWay);
    ended.sort_by_key(|operation| operation.done);
    let failing = |of_kind: fn(&Operation) -> bool| {
        let newest: Vec<&Operation> = ended.iter().rev().filter(|operation| of_kind(operation)).take(count).collect();
        newest.len() == count && newest.iter().all(|operation| operation.result.is_bad())
    };
    let kinds = [
        ("operations", (|_| true) as fn(&Operation) -> bool),
        ("reads", |operation| !operation.is_write),
        ("writes", |operation| operation.is_write),
    ];
    kinds.into_iter().find(|(_, of_kind)| failing(*of_kind)).map(|(what, _)| what)
}

/// The first operation since a moment that failed or showed wrong data: when that was known, and what was seen.
pub(crate) fn first_failure(record: &Record, since: Moment) -> Option<(Moment, String)> {
    let writes = record.writes.iter().filter_map(|write| match &write.outcome {
        Outcome::Acknowledged { .. } => None,
        Outcome::Refused { reason } => Some((write.done, format!("a write was refused: {reason}"))),
        Outcome::Indeterminate { reason } => Some((write.done, format!("a write was not acknowledged: {reason}"))),
    });
    let reads = record.reads.iter().filter_map(|read| match &read.seen {
        Seen::Correct => None,
        Seen::Wrong(what) => Some((read.done, format!("a read showed wrong data: {what}"))),
        Seen::Failed(what) => Some((read.done, format!("a read failed: {what}"))),
    });
    writes.chain(reads).filter(|(done, _)| *done >= since).min_by_key(|(done, _)| *done)
}

/// In the order in which operations were sent: one that hung since the outage says nothing of the service now.
fn operations(record: &Record) -> Vec<Operation> {
    let writes = record.writes.iter().map(|write| Operation {
        sent: write.sent,
        done: write.done,
        is_write: true,
        result: if write.acknowledged().is_some() { Result::Good } else { Result::Failed },
    });
    let reads = record.reads.iter().map(|read| Operation {
        sent: read.sent,
        done: read.done,
        is_write: false,
        result: match read.seen {
            Seen::Correct => Result::Good,
            Seen::Wrong(_) => Result::Wrong,
            Seen::Failed(_) => Result::Failed,
        },
    });
    // May yet fail: until its outcome is known, a run cannot go through it.
    let under_way = record.under_way.iter().map(|sent| Operation {
        sent: *sent,
        done: Moment::MAX,
        is_write: false,
        result: Result::UnderWay,
    });
    let mut all: Vec<Operation> = writes.chain(reads).chain(under_way).collect();
    all.sort_by_key(|operation| operation.sent);
    all
}

fn steady<'a>(operations: impl Iterator<Item = &'a Operation>, run_length: usize) -> Option<Moment> {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for operation in operations {
        if operation.result != Result::Good {
            reads.clear();
            writes.clear();
            continue;
        }
        if operation.is_write { &mut writes } else { &mut reads }.push(operation.done);
        if reads.len() >= run_length && writes.len() >= run_length {
            return Some(reads[0].max(writes[0]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::witness::record::{Read, Write};

    fn ms(ms: u64) -> Moment {
        Duration::from_millis(ms)
    }

    /// A record from `(sent, done, what)`: `W` acknowledged, `w` failed, `R` correct, `r` failed, `x` wrong.
    fn record(operations: &[(u64, u64, char)]) -> Record {
        let mut record = Record::default();
        for (seq, &(sent, done, what)) in (0..).zip(operations) {
            let (sent, done) = (ms(sent), ms(done));
            let seen = match what {
                'R' => Seen::Correct,
                'x' => Seen::Wrong("sentinel missing".into()),
                'r' => Seen::Failed("refused".into()),
                _ => {
                    let outcome = match what {
                        'W' => Outcome::Acknowledged { id: 1 },
                        _ => Outcome::Refused { reason: "refused".into() },
                    };
                    record.writes.push(Write { seq, token: String::new(), sent, done, outcome });
                    continue;
                }
            };
            record.reads.push(Read { sent, done, seen });
        }
        record
    }

    #[test]
    fn an_outage_ends_where_the_unbroken_run_begins() {
        let record = record(&[
            (0, 1, 'W'),
            (5, 6, 'R'),
            (10, 11, 'w'),
            (15, 16, 'r'),
            (20, 21, 'W'),
            (25, 26, 'r'),
            (30, 31, 'W'),
            (35, 36, 'R'),
            (40, 41, 'W'),
            (45, 46, 'R'),
        ]);
        let outage = Outage::of(&record, ms(7), ms(8), 2);
        assert_eq!(outage.first_failure, Some(ms(11)));
        assert_eq!(outage.first_answer, Some(ms(21)));
        assert_eq!(outage.first_wrong, None);
        assert_eq!(outage.correct, Some(ms(36)));
    }

    #[test]
    fn the_first_failure_says_what_was_seen() {
        let record = record(&[(0, 3, 'r'), (5, 6, 'W'), (8, 20, 'w'), (10, 11, 'x'), (12, 13, 'R')]);
        let seen = |since| first_failure(&record, ms(since));
        assert_eq!(seen(0), Some((ms(3), "a read failed: refused".to_owned())));
        assert_eq!(seen(5), Some((ms(11), "a read showed wrong data: sentinel missing".to_owned())));
        assert_eq!(seen(12), Some((ms(20), "a write was refused: refused".to_owned())));
        assert_eq!(seen(21), None);
    }

    #[test]
    fn status_200_with_wrong_data_is_not_recovered() {
        let record = record(&[(10, 11, 'W'), (15, 16, 'x'), (20, 21, 'W'), (25, 26, 'x')]);
        let outage = Outage::of(&record, ms(5), ms(6), 1);
        assert_eq!(outage.first_wrong, Some(ms(16)));
        assert_eq!(outage.correct, None);
    }

    #[test]
    fn an_operation_that_hung_since_the_outage_does_not_break_the_run_after_it() {
        let record = record(&[(10, 2010, 'w'), (100, 101, 'R'), (110, 111, 'W')]);
        assert_eq!(Outage::of(&record, ms(5), ms(6), 1).correct, Some(ms(111)));
    }

    #[test]
    fn a_run_does_not_go_through_an_operation_that_is_under_way() {
        let mut record = record(&[(10, 11, 'R'), (20, 21, 'W'), (40, 41, 'R'), (50, 51, 'W')]);
        record.under_way.push(ms(30));
        assert_eq!(Outage::of(&record, ms(5), ms(6), 2).correct, None);
        assert_eq!(Outage::of(&record, ms(5), ms(6), 1).correct, Some(ms(21)));
        record.under_way.clear();
        assert_eq!(Outage::of(&record, ms(5), ms(6), 2).correct, Some(ms(21)));
    }

    #[test]
    fn answers_to_requests_sent_before_the_fault_prove_nothing() {
        let record = record(&[(4, 9, 'W'), (5, 9, 'R')]);
        assert_eq!(Outage::of(&record, ms(6), ms(7), 1).correct, None);
    }

    #[test]
    fn detection_asks_for_failures_in_a_row() {
        let seen = record(&[(10, 11, 'w'), (15, 16, 'R'), (20, 21, 'w'), (25, 26, 'r')]);
        assert!(failures_in_a_row(&seen, ms(0), 2).is_some());
        assert!(failures_in_a_row(&seen, ms(0), 3).is_none());
        assert!(failures_in_a_row(&seen, ms(22), 2).is_none());
    }
}
