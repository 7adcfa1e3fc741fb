//! What may happen.

use std::time::Duration;

use backup::retention::Policy;
use proptest::prelude::*;
use proptest::sample::Index;

/// Which of the two databases: the first has AUTOINCREMENT, the second has not.
pub type Which = usize;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A clock that is wrong is wrong by years: by less, nobody could tell.
const YEARS: i64 = 365 * 86_400;

#[derive(Clone, Debug)]
pub enum Step {
    /// Nothing, for so many seconds.
    Wait(u64),
    /// A row is stored.
    Write(Which),
    /// All rows but the last are deleted, as a service does that rotates its log.
    Truncate(Which),
    /// The database is lost, and its service makes a new one.
    MakeAnew(Which),
    /// By a clock that is wrong by so many seconds, and pruned after that by the same clock.
    Take(Which, i64, Option<Policy>),
    /// The same.
    Prune(Policy, i64),
    /// A bit of a restore point flips.
    Damage(Index),
    /// The database is lost, and what runs before its service restores it.
    Lose(Which),
    /// Somebody restores an older state on purpose.
    GoBack(Which, Index),
    Push,
    PruneRemote(Policy),
    /// Everything here is lost, and the newest restore point is fetched from elsewhere.
    Pull(Which),
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let within = prop_oneof![Just(None), (0..4 * DAY).prop_map(|seconds| Some(Duration::from_secs(seconds)))];
    (0u32..4, 0u32..4, 0u32..4, within).prop_map(|(last, hourly, daily, within)| Policy {
        last,
        hourly,
        daily,
        weekly: 0,
        within,
        since_sequence: 0,
    })
}

fn any_clock() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 1 => 5 * YEARS..30 * YEARS, 1 => -30 * YEARS..-5 * YEARS]
}

pub fn any_step() -> impl Strategy<Value = Step> {
    let which = || 0usize..2;
    prop_oneof![
        4 => prop_oneof![0..HOUR, 0..DAY, 0..7 * DAY].prop_map(Step::Wait),
        6 => which().prop_map(Step::Write),
        1 => which().prop_map(Step::Truncate),
        1 => which().prop_map(Step::MakeAnew),
        9 => (which(), any_clock(), prop::option::of(any_policy())).prop_map(|(a, b, c)| Step::Take(a, b, c)),
        3 => (any_policy(), any_clock()).prop_map(|(policy, wrong)| Step::Prune(policy, wrong)),
        1 => any::<Index>().prop_map(Step::Damage),
        2 => which().prop_map(Step::Lose),
        1 => (which(), any::<Index>()).prop_map(|(which, index)| Step::GoBack(which, index)),
        2 => Just(Step::Push),
        1 => any_policy().prop_map(Step::PruneRemote),
        1 => which().prop_map(Step::Pull),
    ]
}
