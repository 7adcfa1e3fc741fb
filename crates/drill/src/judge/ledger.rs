//! The ledger held against what is there after the recovery, as Jepsen's set checker does it.

use std::collections::{BTreeMap, BTreeSet};

use crate::witness::probe::Message;
use crate::witness::record::{Outcome, Write};

/// The ledger after reconciliation. Writes are named by their number in the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reconciliation {
    /// Writes that the service acknowledged.
    pub acknowledged: BTreeSet<u64>,
    /// Writes that were certainly not stored.
    pub refused: BTreeSet<u64>,
    /// Writes that may or may not have been stored.
    pub indeterminate: BTreeSet<u64>,
    /// Acknowledged and not found.
    pub lost: BTreeSet<u64>,
    /// Indeterminate and found.
    pub recovered: BTreeSet<u64>,
    /// Refused and nevertheless found: the service denied a write that it kept.
    pub denied: BTreeSet<u64>,
    /// Found more than once.
    pub duplicates: BTreeSet<u64>,
    /// Messages of this run that were found and never tried.
    pub unexpected: Vec<String>,
}

impl Reconciliation {
    /// Compares the writes of a run with the messages found. Messages of others are left aside.
    pub(crate) fn of(writes: &[Write], found: &[Message], run: &str) -> Self {
        let prefix = format!("drill/{run}/");
        let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
        for message in found.iter().filter(|message| message.message.starts_with(&prefix)) {
            *copies.entry(&message.message).or_default() += 1;
        }
        let mut result = Self::default();
        for write in writes {
            result.place(write, copies.remove(write.token.as_str()).unwrap_or(0));
        }
        result.unexpected = copies.into_keys().map(str::to_owned).collect();
        result
    }

    fn place(&mut self, write: &Write, copies: usize) {
        let (all, odd, is_odd) = match write.outcome {
            Outcome::Acknowledged { .. } => (&mut self.acknowledged, &mut self.lost, copies == 0),
            Outcome::Indeterminate { .. } => (&mut self.indeterminate, &mut self.recovered, copies > 0),
            Outcome::Refused { .. } => (&mut self.refused, &mut self.denied, copies > 0),
        };
        all.insert(write.seq);
        if is_odd {
            odd.insert(write.seq);
        }
        if copies > 1 {
            self.duplicates.insert(write.seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn write(seq: u64, outcome: Outcome) -> Write {
        let at = Duration::from_millis(seq * 100);
        Write { seq, token: format!("drill/r/{seq}"), sent: at, done: at, outcome }
    }

    fn found(token: &str) -> Message {
        Message { id: 0, message: token.to_owned() }
    }

    fn acknowledged(seq: u64) -> Write {
        write(seq, Outcome::Acknowledged { id: i64::try_from(seq).unwrap() })
    }

    #[test]
    fn each_write_ends_in_its_place() {
        let unsure = || Outcome::Indeterminate { reason: String::new() };
        let refused = || Outcome::Refused { reason: String::new() };
        let writes = [
            acknowledged(0),
            acknowledged(1),
            write(2, unsure()),
            write(3, unsure()),
            write(4, refused()),
            write(5, refused()),
            acknowledged(6),
        ];
        let found =
            ["drill/r/0", "drill/r/2", "drill/r/4", "drill/r/6", "drill/r/6", "drill/r/99", "drill/other/1", "hello"]
                .map(found);
        let result = Reconciliation::of(&writes, &found, "r");
        assert_eq!(result.acknowledged, [0, 1, 6].into());
        assert_eq!(result.lost, [1].into());
        assert_eq!(result.indeterminate, [2, 3].into());
        assert_eq!(result.recovered, [2].into());
        assert_eq!(result.refused, [4, 5].into());
        assert_eq!(result.denied, [4].into());
        assert_eq!(result.duplicates, [6].into());
        assert_eq!(result.unexpected, ["drill/r/99"]);
    }

    proptest! {
        #[test]
        fn lost_is_exactly_what_was_acknowledged_and_not_found(kept in proptest::collection::vec(any::<bool>(), 0..60)) {
            let writes: Vec<Write> = (0..kept.len() as u64).map(acknowledged).collect();
            let there: Vec<Message> =
                writes.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(write, _)| found(&write.token)).collect();
            let result = Reconciliation::of(&writes, &there, "r");
            prop_assert_eq!(result.lost.len() + there.len(), writes.len());
            prop_assert!(result.lost.iter().all(|seq| !kept[usize::try_from(*seq).unwrap()]));
            prop_assert!(result.unexpected.is_empty() && result.duplicates.is_empty());
        }
    }
}
