//! What makes a restore point suspect: beside its predecessor, it looks as if its database had been lost or exchanged.
//! Pure: it looks at manifests only.

use crate::{Identity, Kind, Manifest, Name, Suspicion};

/// What is suspect about `taken`, given the complete restore points before it, oldest first. The first one ever is
/// beyond suspicion, there being nothing to compare it with.
pub(crate) fn of(taken: &Manifest, earlier: &[Manifest]) -> Vec<Suspicion> {
    if let Some(name) = &taken.restored_from {
        // Somebody meant to go back: what came after that says nothing of this one.
        let restored = earlier.iter().find(|manifest| manifest.name == *name);
        return restored.map(|restored| beside(taken, restored, None)).unwrap_or_default();
    }
    let Some(predecessor) = earlier.iter().rfind(|manifest| may_share_a_place(taken, manifest)) else {
        return Vec::new();
    };
    let same = earlier.iter().rfind(|manifest| is_of_the_same(taken, manifest));
    let other = other_lineage(taken, predecessor, earlier).map(|reason| suspicion(Kind::OtherLineage, reason));
    let beside = match same {
        Some(same) => beside(taken, same, Some(predecessor)),
        None => empty(taken, [predecessor]).map(|reason| suspicion(Kind::Empty, reason)).into_iter().collect(),
    };
    other.into_iter().chain(beside).collect()
}

/// Which restore points of one database, given oldest first, are not suspect, nor come after one that is without anything
/// having been put right: neither did a restore bring an earlier state back, nor did anybody say that it is right, nor does
/// the database hold again what it held before.
pub(crate) fn trusted(manifests: &[&Manifest]) -> Vec<bool> {
    let (mut last, mut is_doubtful): (Option<&Manifest>, bool) = (None, false);
    let is_trusted_now =
        |name: &Name| manifests.iter().any(|manifest| manifest.name == *name && !manifest.is_suspect());
    let trust = manifests.iter().map(|manifest| {
        is_doubtful |= manifest.follows_suspect.as_ref().is_some_and(|suspect| !is_trusted_now(suspect));
        let is_settled = manifest.trusted_at.is_some() || manifest.restored_from.is_some();
        is_doubtful = manifest.is_suspect()
            || (is_doubtful && !is_settled && !last.is_some_and(|last| holds_again(manifest, last)));
        if !is_doubtful {
            last = Some(manifest);
        }
        !is_doubtful
    });
    trust.collect()
}

/// The suspect one that a restore point comes after, given those of its database before it, if it is not trusted for that.
pub(crate) fn followed(taken: &Manifest, earlier: &[Manifest]) -> Option<Name> {
    let same = earlier.iter().filter(|manifest| manifest.identity() == taken.identity());
    let history: Vec<&Manifest> = same.chain([taken]).collect();
    if taken.is_suspect() || trusted(&history).last() == Some(&true) {
        return None;
    }
    let suspect = |manifest: &&Manifest| manifest.is_suspect().then(|| manifest.name.clone());
    history.iter().rev().find_map(|manifest| suspect(manifest).or_else(|| manifest.follows_suspect.clone()))
}

fn holds_again(manifest: &Manifest, before: &Manifest) -> bool {
    beside(manifest, before, None).iter().all(|found| found.kind == Kind::Shrunk)
}

/// Whether both were taken from the same path, as far as is known.
fn may_share_a_place(taken: &Manifest, earlier: &Manifest) -> bool {
    let paths = taken.source.as_ref().zip(earlier.source.as_ref());
    paths.is_none_or(|(taken, earlier)| taken.path == earlier.path) || is_of_the_same(taken, earlier)
}

/// Whether both are of one database. One without a lineage may be of any such database if it is from before they were
/// told apart.
fn is_of_the_same(taken: &Manifest, earlier: &Manifest) -> bool {
    let identity = earlier.identity();
    identity == taken.identity() || (identity == Identity::Unknown && taken.lineage.is_none())
}

fn suspicion(kind: Kind, reason: String) -> Suspicion {
    Suspicion { kind, reason }
}

/// What is suspect beside the one before of the same database. Rows are missed that `predecessor` held, too.
fn beside(taken: &Manifest, same: &Manifest, predecessor: Option<&Manifest>) -> Vec<Suspicion> {
    let rolled_back = rolled_back(taken, same).or_else(|| behind(taken, same));
    let empty = empty(taken, [same].into_iter().chain(predecessor)).or_else(|| emptied(taken, same));
    let found = [(Kind::Empty, empty), (Kind::Shrunk, shrunk(taken, same)), (Kind::RolledBack, rolled_back)];
    found.into_iter().filter_map(|(kind, reason)| reason.map(|reason| suspicion(kind, reason))).collect()
}

fn other_lineage(taken: &Manifest, predecessor: &Manifest, earlier: &[Manifest]) -> Option<String> {
    let trusted = earlier.iter().rfind(|manifest| !manifest.is_suspect() && may_share_a_place(taken, manifest));
    // The recovery from a suspect one leads back to the lineage that was trusted before it.
    let is_back = predecessor.is_suspect() && trusted.is_some_and(|trusted| is_of_the_same(taken, trusted));
    if is_of_the_same(taken, predecessor) || is_back {
        return None;
    }
    let (expected, found) = (predecessor.identity(), taken.identity());
    Some(format!("lineage expected {} as in {}, found {}", expected.short(), predecessor.name, found.short()))
}

/// No rows at all, where the keys that were given out do not tell that they are gone in the course of things.
fn empty<'a>(taken: &Manifest, earlier: impl IntoIterator<Item = &'a Manifest>) -> Option<String> {
    if taken.has_rows != Some(false) {
        return None;
    }
    let goes_on = |held: &Manifest| !held.high_water.is_empty() && rolled_back(taken, held).is_none();
    // One that does not say is taken to hold what people would miss.
    let held = earlier.into_iter().find(|manifest| manifest.has_rows != Some(false) && !goes_on(manifest))?;
    Some(format!("rows expected as in {}, found none", held.name))
}

/// Tables that held rows and hold none. One that is emptied is none of our business; all of them, or any in a file that is
/// another than before, tell of a database that was made anew.
fn emptied(taken: &Manifest, same: &Manifest) -> Option<String> {
    let (found, expected) = (taken.tables.as_ref()?, same.tables.as_ref()?);
    let had: Vec<&String> = expected.iter().filter(|(_, table)| table.rows).map(|(name, _)| name).collect();
    let lost = |name: &&&String| !found.get(**name).is_some_and(|table| table.rows);
    let lost: Vec<&&String> = had.iter().filter(lost).collect();
    let (first, many) = (
        lost.first()?,
        match continuity(taken, same) {
            Continuity::SameFile => lost.len() == had.len() && !goes_on(taken, same),
            Continuity::Unknown => lost.len() * 2 > had.len() && !goes_on(taken, same),
            Continuity::Exchanged => true,
        },
    );
    // Debug, because a table may be called anything, and this reaches terminals.
    let reason = || {
        format!(
            "rows expected in {} tables as in {}, such as {first:?}; {} hold none",
            had.len(),
            same.name,
            lost.len()
        )
    };
    many.then(reason)
}

/// Whether the keys that were given out tell of the same database, later.
fn goes_on(taken: &Manifest, same: &Manifest) -> bool {
    !same.high_water.is_empty() && rolled_back(taken, same).is_none()
}

/// Rowids that went back, in a file that is another than before.
fn behind(taken: &Manifest, same: &Manifest) -> Option<String> {
    let (found, expected) = (taken.tables.as_ref()?, same.tables.as_ref()?);
    let lasts = || expected.iter().filter_map(|(name, table)| Some((name, table.last?, found.get(name)?.last?)));
    let back = || lasts().filter(|(_, expected, found)| found < expected);
    let (table, expected, found) = back().next()?;
    let is_behind = match continuity(taken, same) {
        Continuity::SameFile => false,
        Continuity::Unknown => back().count() * 2 > lasts().count() && same.high_water.is_empty(),
        Continuity::Exchanged => true,
    };
    let reason =
        || format!("the last row of {table:?} expected to be {expected} or more as in {}, found {found}", same.name);
    is_behind.then(reason)
}

/// What the file tells of whether it is the one from before.
enum Continuity {
    SameFile,
    /// Nothing is known, or it may have been moved.
    Unknown,
    /// It is not: what is in it began anew.
    Exchanged,
}

fn continuity(taken: &Manifest, same: &Manifest) -> Continuity {
    let (Some(found), Some(expected)) = (taken.change_counter, same.change_counter) else { return Continuity::Unknown };
    // A restore on record makes a new file, and its content goes on from where it was.
    let is_file = |manifest: &Manifest| manifest.source.as_ref().and_then(|source| source.file);
    let is_other = taken.restored_from.is_none()
        && is_file(taken).zip(is_file(same)).is_some_and(|(found, expected)| found != expected);
    let is_known = is_file(taken).is_some() && is_file(same).is_some();
    match is_other {
        _ if found < expected => Continuity::Exchanged,
        // The counter may stand still in WAL mode; a file that goes on does not become smaller by itself.
        true if found == expected || taken.page_count < same.page_count => Continuity::Exchanged,
        false if is_known => Continuity::SameFile,
        _ => Continuity::Unknown,
    }
}

fn shrunk(taken: &Manifest, same: &Manifest) -> Option<String> {
    let half = same.size_bytes.div_ceil(2);
    let name = &same.name;
    let reason = || format!("expected at least {half} bytes, half of {name}, found {}", taken.size_bytes);
    (taken.size_bytes < half).then(reason)
}

fn rolled_back(taken: &Manifest, same: &Manifest) -> Option<String> {
    // A table that is no longer there gives out no keys.
    let is_dropped = |table: &str| taken.tables.as_ref().is_some_and(|tables| !tables.contains_key(table));
    let back = |(table, mark): &(&String, &i64)| {
        taken.high_water.get(*table).map_or(!is_dropped(table), |found| found < *mark)
    };
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
    use crate::identity::FileId;
    use crate::{Source, Table};

    const ONE: char = '1';
    const TWO: char = '2';

    /// A healthy restore point of the lineage that is all this digit.
    fn manifest(sequence: u64, lineage: char) -> Manifest {
        let created_at = Timestamp::from_second(1_800_000_000 + i64::try_from(sequence).unwrap()).unwrap();
        Manifest {
            lineage: Some(lineage.to_string().repeat(32).parse().unwrap()),
            high_water: BTreeMap::from([("message".to_owned(), 9)]),
            has_rows: Some(true),
            ..Manifest::of((sequence, Name::at(created_at), created_at), (40_960, 4096, 10), String::new())
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
        let unknown = Manifest { has_rows: None, high_water: BTreeMap::new(), ..manifest(1, ONE) };
        assert_eq!(of(&empty(2, ONE), &[unknown])[0].kind, Kind::Empty);
    }

    #[test]
    fn a_queue_that_is_drained_is_none_of_our_business() {
        let drained = Manifest { has_rows: Some(false), ..manifest(2, ONE) };
        assert_eq!(kinds(vec![manifest(1, ONE), drained]), vec![vec![]; 2]);
    }

    const FILE: FileId = FileId { inode: 7, born_at: Timestamp::UNIX_EPOCH };

    /// Of a database without a lineage and without AUTOINCREMENT, by the last rowid of each table; zero is none.
    fn foreign(
        sequence: u64,
        (file, change_counter, page_count): (FileId, u32, u32),
        tables: &[(&str, i64)],
    ) -> Manifest {
        let table = |(name, last): &(&str, i64)| {
            ((*name).to_owned(), Table { rows: *last > 0, last: Some(*last).filter(|last| *last > 0) })
        };
        let id = Some("a".repeat(32).parse().unwrap());
        Manifest {
            lineage: None,
            source: Some(Source { id, name: None, path: "/data/app.db".to_owned(), file: Some(file) }),
            change_counter: Some(change_counter),
            page_count,
            tables: Some(tables.iter().map(table).collect()),
            high_water: BTreeMap::new(),
            ..manifest(sequence, ONE)
        }
    }

    #[test]
    fn a_database_that_was_made_anew_is_told_from_one_whose_rows_were_deleted() {
        let other = FileId { inode: 8, ..FILE };
        let before = || foreign(1, (FILE, 50, 9), &[("seed", 3), ("post", 100), ("tag", 9)]);
        for (after, expected) in [
            // Deleted on purpose.
            (((FILE, 51, 9), [3, 0, 9]), vec![]),
            (((FILE, 50, 9), [3, 0, 0]), vec![]),
            (((FILE, 60, 4), [3, 40, 9]), vec![]),
            (((FILE, 51, 9), [0, 0, 0]), vec![Kind::Empty]),
            // Made anew: at another place, and in the same file.
            (((other, 4, 4), [3, 0, 0]), vec![Kind::Empty]),
            (((other, 50, 9), [3, 1, 9]), vec![Kind::RolledBack]),
            (((FILE, 4, 4), [3, 1, 0]), vec![Kind::Empty, Kind::RolledBack]),
            (((other, 90, 9), [3, 0, 0]), vec![Kind::Empty]),
            (((other, 90, 9), [3, 1, 1]), vec![Kind::RolledBack]),
            // Moved to another volume.
            (((other, 51, 9), [3, 99, 9]), vec![]),
            (((other, 50, 9), [3, 100, 9]), vec![]),
        ] {
            let (file, [seed, post, tag]) = after;
            let taken = foreign(2, file, &[("seed", seed), ("post", post), ("tag", tag)]);
            let found: Vec<Kind> = of(&taken, &[before()]).iter().map(|found| found.kind).collect();
            assert_eq!(found, expected, "{after:?}");
        }
    }

    #[test]
    fn a_restore_on_record_is_what_the_next_one_is_compared_with() {
        let old = foreign(1, (FILE, 50, 9), &[("post", 100)]);
        let new = foreign(2, (FILE, 70, 9), &[("post", 200)]);
        let file = (FileId { inode: 8, ..FILE }, 51, 9);
        let back = |last| Manifest { restored_from: Some(old.name.clone()), ..foreign(3, file, &[("post", last)]) };
        assert_eq!(of(&back(101), &[old.clone(), new.clone()]), []);
        assert_eq!(of(&foreign(3, file, &[("post", 101)]), &[old.clone(), new.clone()])[0].kind, Kind::RolledBack);
        assert_eq!(of(&back(0), &[old.clone(), new])[0].kind, Kind::Empty);
    }

    #[test]
    fn two_databases_at_two_places_do_not_suspect_each_other() {
        let one = manifest(1, ONE);
        let at = |path: &str, manifest| Manifest {
            source: Some(Source { id: None, name: None, path: path.to_owned(), file: None }),
            ..manifest
        };
        assert_eq!(
            kinds(vec![at("/a", one.clone()), at("/b", empty(2, TWO)), at("/a", manifest(3, ONE))]),
            vec![vec![]; 3]
        );
        assert_eq!(kinds(vec![at("/a", one), at("/a", manifest(2, TWO))])[1], [Kind::OtherLineage]);
    }

    #[test]
    fn what_follows_a_suspect_one_is_trusted_once_something_is_put_right() {
        let trust = |history: &[Manifest]| trusted(&history.iter().collect::<Vec<_>>());
        let suspect = |manifest: Manifest| Manifest {
            suspicions: vec![Suspicion { kind: Kind::RolledBack, reason: String::new() }],
            ..manifest
        };
        let marks = |sequence, mark| Manifest {
            high_water: BTreeMap::from([("message".to_owned(), mark)]),
            ..manifest(sequence, ONE)
        };
        let history = [marks(1, 9), suspect(marks(2, 1)), marks(3, 2), marks(4, 9), marks(5, 10)];
        assert_eq!(trust(&history), [true, false, false, true, true]);
        let said = Manifest { trusted_at: Some(Timestamp::UNIX_EPOCH), ..history[1].clone() };
        assert_eq!(trust(&[history[0].clone(), said, history[2].clone()]), [true; 3]);
        let restored = Manifest { restored_from: Some(history[0].name.clone()), ..history[2].clone() };
        assert_eq!(trust(&[history[0].clone(), history[1].clone(), restored, marks(4, 3)]), [true, false, true, true]);
        assert_eq!(trust(&[suspect(marks(1, 1)), marks(2, 2)]), [false, false]);
        // Where the suspect one itself is not, as in a remote repository.
        assert_eq!(followed(&history[2], &history[..2]), Some(history[1].name.clone()));
        assert_eq!(followed(&history[3], &history[..3]), None);
        let follower = Manifest { follows_suspect: Some(history[1].name.clone()), ..history[2].clone() };
        assert_eq!(trust(&[history[0].clone(), follower]), [true, false]);
    }
}
