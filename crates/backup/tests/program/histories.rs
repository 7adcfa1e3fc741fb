//! Random histories of a repository: whatever happened, the newest good restore point of each database is there and is
//! what a restore gives.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use backup::lineage::{self, Lineage};
use backup::prune::{self, Mode, Pruned};
use backup::restore::{self, Choice};
use backup::retention::Policy;
use backup::take;
use backup::verify::Check;
use proptest::prelude::*;
use rusqlite::Connection;

use crate::stage::{Stage, create, ids, insert, up_to};

/// Another test may be starting a program this very moment, which has the lock too until it is that program.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
enum Event {
    /// Of a database that has changed, or perhaps not.
    Take {
        changed: bool,
        compress: bool,
    },
    /// The database is lost, and the service starts with an empty one.
    Poison,
    /// A bit flips in the stored file of a restore point, so many before the newest.
    Damage(usize),
    Prune {
        last: u32,
        max_space: Option<u64>,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let take = (proptest::bool::weighted(0.8), any::<bool>());
    let prune = (0u32..3, proptest::option::of(0u64..200_000));
    prop_oneof![
        5 => take.prop_map(|(changed, compress)| Event::Take { changed, compress }),
        1 => Just(Event::Poison),
        3 => (0usize..3).prop_map(Event::Damage),
        3 => prune.prop_map(|(last, max_space)| Event::Prune { last, max_space }),
    ]
}

/// What is true of the repository.
struct World {
    stage: Stage,
    connection: Connection,
    /// The rows of each restore point whose file is as it was written, by lineage and sequence.
    good: BTreeMap<Lineage, BTreeMap<u64, Vec<i64>>>,
    greatest: u64,
}

impl World {
    fn new() -> Self {
        let stage = Stage::in_memory();
        let connection = create(&stage.database);
        Self { stage, connection, good: BTreeMap::new(), greatest: 0 }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Take { changed, compress } => {
                insert(&self.connection, u32::from(*changed));
                self.take(*compress);
            }
            Event::Poison => {
                self.stage.lose_database();
                self.connection = create(&self.stage.database);
            }
            Event::Damage(age) => self.damage(*age),
            Event::Prune { last, max_space } => {
                let writer = self.stage.repository.writer(PATIENCE).unwrap();
                let policy = Policy { last: *last, ..Policy::default() };
                self.pruned(&prune::run(&writer, policy, *max_space, None, Mode::Remove).unwrap());
            }
        }
    }

    fn take(&mut self, compress: bool) {
        let writer = self.stage.repository.writer(PATIENCE).unwrap();
        let mut request = take::Request::new(&self.stage.database);
        request.compress = compress.then_some(1);
        let taken = take::run(&writer, &request, &mut |_| {}).unwrap();
        let sequence = taken.restore_point.sequence;
        assert!(sequence > self.greatest || taken.confirmed && sequence == self.greatest, "{sequence}");
        self.greatest = sequence;
        let lineage = lineage::read(&self.connection).unwrap().unwrap();
        self.good.entry(lineage).or_default().insert(sequence, ids(&self.stage.database));
    }

    fn damage(&mut self, age: usize) {
        let manifests = self.stage.repository.manifests().unwrap();
        let Some(manifest) = manifests.iter().rev().nth(age) else { return };
        let path = self.stage.repository.stored_file(manifest);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
        let good = self.good.get_mut(manifest.lineage.as_ref().unwrap()).unwrap();
        // A bit that flips twice is as it was.
        if good.remove(&manifest.sequence).is_none() {
            good.insert(manifest.sequence, up_to(manifest.high_water.get("message").copied().unwrap_or(0)));
        }
    }

    fn pruned(&mut self, pruned: &Pruned) {
        let kept: Vec<u64> = self.stage.sequences();
        assert_eq!(pruned.kept.len(), kept.len());
        for (lineage, good) in &mut self.good {
            let newest = good.last_key_value().map(|(sequence, _)| *sequence);
            assert!(newest.is_none_or(|newest| kept.contains(&newest)), "{newest:?} of {lineage} went: {kept:?}");
            good.retain(|sequence, _| kept.contains(sequence));
        }
    }

    /// A restore of each lineage gives its newest good restore point.
    fn check(&self) {
        for (lineage, good) in &self.good {
            let database = self.stage.path("restored.db");
            let request = restore::Request {
                database: database.clone(),
                choice: Choice::Latest,
                lineage: Some(lineage.as_str().parse().unwrap()),
                source_name: None,
                force: false,
                check: Some(Check::None),
            };
            let restored = restore::run(&self.stage.repository, &request, &mut |_| {});
            match good.last_key_value() {
                Some((sequence, rows)) => {
                    assert_eq!((restored.unwrap().restore_point.sequence, &ids(&database)), (*sequence, rows));
                    fs::remove_file(database).unwrap();
                }
                None => assert!(restored.is_err()),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_newest_good_restore_point_of_each_database_stays_and_is_restored(
        events in proptest::collection::vec(event(), 10..30)
    ) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
            world.check();
        }
    }
}
