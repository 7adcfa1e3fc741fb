//! What a repository should hold, told as plainly as can be.

use std::collections::BTreeSet;

use backup::Name;
use backup::retention::Policy;

use crate::step::Which;

/// Seconds that the steps of a sequence may take themselves.
const SLACK: i64 = 60;

/// What is in a database: the last thing that was stored, and how many rows there are.
pub type State = (i64, i64);

/// A restore point.
#[derive(Clone, Debug)]
pub struct Point {
    pub name: Name,
    pub of: Which,
    pub holds: State,
    /// The true time, in seconds, at which its database last held what it holds.
    pub until: i64,
    pub is_good: bool,
    /// Of a database that was made anew after the right one was lost.
    pub is_poison: bool,
}

/// Restore points in their order.
#[derive(Clone, Debug, Default)]
pub struct Points(pub Vec<Point>);

impl Points {
    pub fn of(&self, which: Which) -> impl DoubleEndedIterator<Item = &Point> {
        self.0.iter().filter(move |point| point.of == which)
    }

    /// The restore points that a policy promises to keep of each database, by the true time.
    pub fn promised(&self, policy: &Policy) -> BTreeSet<Name> {
        [0, 1].iter().flat_map(|which| self.promised_of(*which, policy)).collect()
    }

    fn promised_of(&self, which: Which, policy: &Policy) -> BTreeSet<Name> {
        let newest_first: Vec<&Point> = self.of(which).rev().collect();
        let good = newest_first.iter().find(|point| point.is_good);
        // Where something was made anew, what may have to come back is the last one from before.
        let right = newest_first.iter().find(|point| point.is_good && !point.is_poison);
        let last = newest_first.iter().take(policy.last as usize);
        let newest = newest_first.first().map_or(0, |newest| newest.until);
        let within = newest_first.iter().filter(|point| {
            let age = newest - point.until + SLACK;
            policy.within.is_some_and(|within| age <= i64::try_from(within.as_secs()).unwrap())
        });
        let promised = last.chain(within).chain(good).chain(right);
        promised.filter(|point| point.is_good).map(|point| point.name.clone()).collect()
    }

    /// The restore point that a restore has to give; `None` if there is no good one.
    pub fn right(&self, which: Which) -> Option<&Point> {
        self.of(which).rev().find(|point| point.is_good && !point.is_poison)
    }

    pub fn has_poison(&self, which: Which) -> bool {
        self.of(which).any(|point| point.is_poison)
    }
}
