//! A clock that is wrong: names stay unique, and the order is that of the takes.

use backup::Manifest;
use backup::take::Taken;
use jiff::SignedDuration;

use crate::faults::Faults;
use crate::stage::{Stage, ended, ids, insert, up_to};

const HOUR: i64 = 3600;

fn take(faults: &Faults, stage: &Stage, clock: &str) -> Taken {
    let ended = ended(faults.at_another_time(stage, &["take", "--json"], clock)).expect(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn the_newest_is_the_last_one_taken_whatever_the_clock_said() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, connection) = Stage::with_rows(1);
    let mut taken: Vec<Manifest> = Vec::new();
    for clock in [0, 48 * HOUR, -24 * HOUR, -24 * HOUR, 0, -30 * 365 * 24 * HOUR] {
        insert(&connection, 1);
        taken.push(take(faults, &stage, &clock.to_string()).restore_point);
    }
    assert!(
        taken[2].created_at < taken[0].created_at && taken[0].created_at < taken[1].created_at,
        "the clock is wrong"
    );
    assert_eq!(stage.sequences(), [1, 2, 3, 4, 5, 6]);
    let copy = stage.path("copy.db");
    let at_copy = ["--database", copy.to_str().unwrap(), "--force"];
    assert_eq!(stage.restore(&at_copy).restore_point.sequence, 6);
    assert_eq!(ids(&copy), up_to(7));
    // By time: the last one taken of those whose clock said that or less.
    let time = taken[0].created_at.to_string();
    assert_eq!(stage.restore(&[&at_copy[..], &["--at", &time]].concat()).restore_point.sequence, 6);

    // A clock that was wrong expires nothing.
    for (rules, kept) in [(["--keep-within", "1h"], vec![1, 2, 3, 4, 5, 6]), (["--keep-last", "2"], vec![5, 6])] {
        let stage = stage.copy();
        let pruned = stage.run(&[&["prune"], &rules[..]].concat()).expect(0);
        assert_eq!(stage.sequences(), kept, "{rules:?}");
        assert_eq!(pruned.stderr.contains("its time is in the future"), kept.contains(&2), "{}", pruned.stderr);
    }
    let listed = stage.run(&["list"]).expect(0).stdout;
    assert_eq!(listed.matches("in the future").count(), 1, "{listed}");
}

#[test]
fn one_take_by_a_clock_that_is_ahead_expires_nothing_and_expires_in_its_turn() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, connection) = Stage::with_rows(1);
    let take_and_prune = |clock: i64| {
        insert(&connection, 1);
        let arguments = ["take", "--keep-within", "1h", "--json"];
        ended(faults.at_another_time(&stage, &arguments, &clock.to_string())).expect(0);
        stage.sequences()
    };
    take_and_prune(-2 * HOUR);
    assert_eq!(take_and_prune(-HOUR / 2), [2]);
    assert_eq!(take_and_prune(10_000 * HOUR), [2, 3], "the clock is ahead");
    assert_eq!(take_and_prune(0), [2, 3, 4], "it is right again");
    assert_eq!(take_and_prune(2 * HOUR), [5]);
}

#[test]
fn a_confirmation_counts_until_the_clock_that_told_it_turns_out_to_be_wrong() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, _connection) = Stage::with_rows(3);
    let first = take(faults, &stage, &(-HOUR).to_string()).restore_point;
    let mut current_at = first.created_at;
    for clock in [-HOUR / 2, -HOUR, -48 * HOUR, 2 * HOUR, -60, 0] {
        let again = take(faults, &stage, &clock.to_string());
        assert!(again.confirmed);
        assert_eq!((&again.restore_point.name, again.restore_point.created_at), (&first.name, first.created_at));
        let now = jiff::Timestamp::now();
        let found = again.restore_point.current_at(now);
        // A clock that is behind takes nothing back, and one that is ahead is not believed.
        assert!(found <= now && (found >= current_at || clock == 2 * HOUR), "{clock}: {found}");
        current_at = found;
    }
    assert!(current_at > first.created_at + SignedDuration::from_secs(HOUR - 60));
    stage.run(&["list"]).expect(0);
}

#[test]
fn takes_of_one_instant_have_names_of_their_own() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, connection) = Stage::with_rows(1);
    for (number, name) in
        (1..).zip(["app-20270115T080000.000Z", "app-20270115T080000.001Z", "app-20270115T080000.002Z"])
    {
        insert(&connection, 1);
        let taken = take(faults, &stage, "@1800000000").restore_point;
        assert_eq!((taken.sequence, taken.name.as_str()), (number, name));
    }
}
