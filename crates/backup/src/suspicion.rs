//! What makes a restore point suspect: beside its predecessor, it looks as if its database had been lost or exchanged.
//! Pure: it looks at manifests only.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::Manifest;
use crate::lineage::Lineage;

/// One thing that looks wrong about a restore point. It was published all the same: whether it is wrong, only people
/// can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// What sort of thing.
    pub kind: Kind,
    /// What was expected, because of which restore point, and what was found.
    pub reason: String,
}

/// The sorts of suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Its predecessor is of another database.
    OtherLineage,
    /// It holds no rows, and its predecessor does.
    Empty,
    /// Its file is less than half of its predecessor's.
    Shrunk,
    /// A key that was given out before is to be given out again.
    RolledBack,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherLineage => "other-lineage",
            Self::Empty => "empty",
            Self::Shrunk => "shrunk",
            Self::RolledBack => "rolled-back",
        })
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind)?;
        // Anybody may have written the manifest it was read from, and this reaches terminals.
        self.reason.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => f.write_char(char),
        })
    }
}

/// What is suspect about `taken`, given the complete restore points before it, oldest first. The first one ever is
/// beyond suspicion, there being nothing to compare it with.
pub(crate) fn of(taken: &Manifest, earlier: &[Manifest]) -> Vec<Suspicion> {
    let Some(predecessor) = earlier.last() else { return Vec::new() };
    let same = earlier.iter().rfind(|manifest| manifest.lineage == taken.lineage);
    let found = [
        other_lineage(taken, predecessor, earlier).map(|reason| (Kind::OtherLineage, reason)),
        empty(taken, same.into_iter().chain([predecessor])).map(|reason| (Kind::Empty, reason)),
        same.and_then(|same| shrunk(taken, same)).map(|reason| (Kind::Shrunk, reason)),
        same.and_then(|same| rolled_back(taken, same)).map(|reason| (Kind::RolledBack, reason)),
    ];
    found.into_iter().flatten().map(|(kind, reason)| Suspicion { kind, reason }).collect()
}

fn other_lineage(taken: &Manifest, predecessor: &Manifest, earlier: &[Manifest]) -> Option<String> {
    let trusted = earlier.iter().rfind(|manifest| !manifest.is_suspect());
    // The recovery from a suspect one leads back to the lineage that was trusted before it.
    let is_back = predecessor.is_suspect() && trusted.is_some_and(|trusted| trusted.lineage == taken.lineage);
    if predecessor.lineage == taken.lineage || is_back {
        return None;
    }
    let short = |manifest: &Manifest| manifest.lineage.as_ref().map_or("none", Lineage::short).to_owned();
    Some(format!("lineage expected {} as in {}, found {}", short(predecessor), predecessor.name, short(taken)))
}

fn empty<'a>(taken: &Manifest, mut earlier: impl Iterator<Item = &'a Manifest>) -> Option<String> {
    if taken.has_rows != Some(false) {
        return None;
    }
    // One that does not say is taken to hold what people would miss.
    let held = earlier.find(|manifest| manifest.has_rows != Some(false))?;
    Some(format!("rows expected as in {}, found none", held.name))
}

fn shrunk(taken: &Manifest, same: &Manifest) -> Option<String> {
    let half = same.size_bytes.div_ceil(2);
    let name = &same.name;
    let reason = || format!("expected at least {half} bytes, half of {name}, found {}", taken.size_bytes);
    (taken.size_bytes < half).then(reason)
}

fn rolled_back(taken: &Manifest, same: &Manifest) -> Option<String> {
    let back = |(table, mark): &(&String, &i64)| taken.high_water.get(*table).is_none_or(|found| found < *mark);
    let mut back = same.high_water.iter().filter(back);
    let (table, mark) = back.next()?;
    let found = taken.high_water.get(table).map_or("none".to_owned(), i64::to_string);
    let others = match back.count() {
        0 => String::new(),
        others => format!(", and {others} more went back"),
    };
    // Debug, because a table may be called anything, and this reaches terminals.
    Some(format!("high-water mark of {table:?} expected {mark} or more as in {}, found {found}{others}", same.name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::{Durations, Name, SCHEMA_VERSION};

    const ONE: char = '1';
    const TWO: char = '2';

    /// A healthy restore point of the lineage that is all this digit.
    fn manifest(sequence: u64, lineage: char) -> Manifest {
        let created_at = Timestamp::from_second(1_800_000_000 + i64::try_from(sequence).unwrap()).unwrap();
        Manifest {
            schema_version: SCHEMA_VERSION,
            sequence,
            name: Name::at(created_at),
            created_at,
            verified_at: created_at,
            confirmed_at: None,
            size_bytes: 40_960,
            page_size: 4096,
            page_count: 10,
            blake3: String::new(),
            content_blake3: None,
            compressed: None,
            lineage: Some(lineage.to_string().repeat(32).parse().unwrap()),
            high_water: BTreeMap::from([("message".to_owned(), 9)]),
            has_rows: Some(true),
            suspicions: Vec::new(),
            sqlite_version: String::new(),
            tool_version: String::new(),
            durations: Durations { copy_seconds: 0.0, held_seconds: None, verify_seconds: 0.0 },
        }
    }

    fn empty(sequence: u64, lineage: char) -> Manifest {
        Manifest { has_rows: Some(false), high_water: BTreeMap::new(), ..manifest(sequence, lineage) }
    }

    /// The kinds of suspicion, in the order of the restore points, each judged by those before it.
    fn kinds(mut history: Vec<Manifest>) -> Vec<Vec<Kind>> {
        for index in 0..history.len() {
            let (earlier, rest) = history.split_at_mut(index);
            rest[0].suspicions = of(&rest[0], earlier);
        }
        let kinds = |manifest: Manifest| manifest.suspicions.iter().map(|suspicion| suspicion.kind).collect();
        history.into_iter().map(kinds).collect()
    }

    #[test]
    fn a_new_deployment_is_beyond_suspicion() {
        assert_eq!(kinds(vec![empty(1, ONE), empty(2, ONE), manifest(3, ONE), manifest(4, ONE)]), vec![vec![]; 4]);
    }

    #[test]
    fn a_lost_database_is_noticed_and_its_recovery_is_welcome() {
        let history = vec![manifest(1, ONE), empty(2, TWO), empty(3, TWO), manifest(4, TWO)];
        let found = kinds(history);
        assert_eq!(found, [vec![], vec![Kind::OtherLineage, Kind::Empty], vec![], vec![]]);
        let recovered = kinds(vec![manifest(1, ONE), empty(2, TWO), manifest(3, ONE)]);
        assert_eq!(recovered[2], []);
        let exchanged = kinds(vec![manifest(1, ONE), manifest(2, TWO), manifest(3, TWO), manifest(4, ONE)]);
        assert_eq!(exchanged[1..], [vec![Kind::OtherLineage], vec![], vec![Kind::OtherLineage]]);
    }

    #[test]
    fn what_a_predecessor_held_is_looked_for_in_its_own_lineage_too() {
        let found = kinds(vec![manifest(1, ONE), empty(2, TWO), empty(3, ONE)]);
        assert_eq!(found[2], [Kind::Empty, Kind::RolledBack]);
    }

    #[test]
    fn only_less_than_half_has_shrunk() {
        let sized = |sequence, size_bytes| Manifest { size_bytes, ..manifest(sequence, ONE) };
        assert_eq!(kinds(vec![sized(1, 4097), sized(2, 2049)]), vec![vec![]; 2]);
        assert_eq!(kinds(vec![sized(1, 4097), sized(2, 2048)])[1], [Kind::Shrunk]);
        let other = Manifest { size_bytes: 512, ..manifest(2, TWO) };
        assert_eq!(kinds(vec![sized(1, 40_960), other])[1], [Kind::OtherLineage]);
    }

    #[test]
    fn marks_that_went_back_or_vanished_are_named() {
        let marks = |sequence, marks: &[(&str, i64)]| {
            let high_water = marks.iter().map(|(table, mark)| ((*table).to_owned(), *mark)).collect();
            Manifest { high_water, ..manifest(sequence, ONE) }
        };
        let before = marks(1, &[("a", 5), ("b\u{1b}", 7), ("c", 9)]);
        for (after, expected) in [
            (&[("a", 5), ("b\u{1b}", 8), ("c", 9), ("d", 1)][..], None),
            (&[("a", 5), ("b\u{1b}", 6), ("c", 9)], Some("\"b\\u{1b}\" expected 7 or more as in NAME, found 6")),
            (&[("a", 5), ("b\u{1b}", 7)], Some("\"c\" expected 9 or more as in NAME, found none")),
            (&[], Some("\"a\" expected 5 or more as in NAME, found none, and 2 more went back")),
        ] {
            let found = of(&marks(2, after), std::slice::from_ref(&before));
            let reasons: Vec<_> =
                found.iter().map(|found| found.reason.replace(before.name.as_str(), "NAME")).collect();
            let expected = expected.map(|expected| format!("high-water mark of {expected}"));
            assert_eq!(reasons, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_that_does_not_say_whether_it_holds_rows_is_taken_to() {
        let unknown = Manifest { has_rows: None, ..manifest(1, ONE) };
        let nothing = Manifest { has_rows: Some(false), ..manifest(2, ONE) };
        assert_eq!(of(&nothing, &[unknown])[0].kind, Kind::Empty);
    }
}
