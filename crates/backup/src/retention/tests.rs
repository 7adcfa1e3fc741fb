use std::collections::BTreeSet;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

const NO_POLICY: Policy = Policy { last: 0, hourly: 0, daily: 0, weekly: 0, within: None, since_sequence: 0 };

fn points(times: &[&str]) -> Vec<Point> {
    (1..).zip(times).map(|(sequence, time)| point(sequence, time)).collect()
}

fn point(sequence: u64, time: &str) -> Point {
    taken(sequence, time.parse().unwrap(), false)
}

fn taken(sequence: u64, created_at: Timestamp, suspect: bool) -> Point {
    Point {
        sequence,
        created_at,
        current_at: created_at,
        confirmed_after: None,
        not_before: None,
        is_contradicted: false,
        suspect,
    }
}

/// Later than all that is looked at here, but for one of another millennium.
fn now() -> Timestamp {
    "2026-11-22T12:00:02Z".parse().unwrap()
}

/// Why each stays, given those that are damaged, by sequence.
fn reasons(policy: Policy, points: &[Point], damaged: &[u64]) -> Vec<Vec<Reason>> {
    reasons_at(now(), policy, points, damaged)
}

fn reasons_at(now: Timestamp, policy: Policy, points: &[Point], damaged: &[u64]) -> Vec<Vec<Reason>> {
    let good = |index: usize| Ok::<_, Infallible>(!damaged.contains(&points[index].sequence));
    decide(&policy, points, now, good).unwrap_or_else(|never| match never {})
}

fn kept(policy: Policy, points: &[Point], damaged: &[u64]) -> Vec<u64> {
    kept_at(now(), policy, points, damaged)
}

fn kept_at(now: Timestamp, policy: Policy, points: &[Point], damaged: &[u64]) -> Vec<u64> {
    let decided = reasons_at(now, policy, points, damaged).into_iter().zip(points);
    decided.filter(|(reasons, _)| !reasons.is_empty()).map(|(_, point)| point.sequence).collect()
}

#[test]
fn each_rule_keeps_what_restic_keeps() {
    // 2026-11-22 is a Sunday.
    let points = points(&[
        "2026-11-08T12:00:00Z",
        "2026-11-15T23:59:59Z",
        "2026-11-16T00:00:00Z",
        "2026-11-21T22:10:00Z",
        "2026-11-21T23:59:59Z",
        "2026-11-22T00:00:00Z",
        "2026-11-22T09:05:00Z",
        "2026-11-22T09:59:59Z",
    ]);
    for (policy, expected) in [
        (Policy { last: 1, ..NO_POLICY }, vec![8]),
        (Policy { last: 2, ..NO_POLICY }, vec![7, 8]),
        (Policy { hourly: 2, ..NO_POLICY }, vec![6, 8]),
        (Policy { hourly: 4, ..NO_POLICY }, vec![4, 5, 6, 8]),
        (Policy { daily: 2, ..NO_POLICY }, vec![5, 8]),
        (Policy { daily: 9, ..NO_POLICY }, vec![1, 2, 3, 5, 8]),
        (Policy { weekly: 2, ..NO_POLICY }, vec![2, 8]),
        (Policy { weekly: 9, ..NO_POLICY }, vec![1, 2, 8]),
        (within(0), vec![8]),
        (within(54 * 60 + 58), vec![8]),
        (within(54 * 60 + 59), vec![7, 8]),
        (within(10 * 3600), vec![5, 6, 7, 8]),
        (Policy { last: 2, hourly: 2, daily: 2, weekly: 2, ..NO_POLICY }, vec![2, 5, 6, 7, 8]),
        (Policy { last: 2, hourly: 2, daily: 2, weekly: 2, since_sequence: 6, ..NO_POLICY }, vec![6, 7, 8]),
        (Policy { last: 9, since_sequence: 9, ..NO_POLICY }, vec![8]),
    ] {
        assert_eq!(kept(policy, &points, &[]), expected, "{policy:?}");
    }
}

#[test]
fn the_order_is_by_sequence_even_if_the_clock_went_back() {
    let points = points(&["2026-11-22T09:00:00Z", "2026-11-22T12:00:00Z", "2020-01-01T00:00:00Z"]);
    assert_eq!(kept(Policy { last: 1, ..NO_POLICY }, &points, &[]), [3]);
}

fn within(seconds: u64) -> Policy {
    Policy { within: Some(Duration::from_secs(seconds)), ..NO_POLICY }
}

#[test]
fn one_of_the_future_neither_expires_the_others_nor_outlives_them() {
    let mut points = points(&["2026-11-22T10:00:00Z", "2026-11-22T11:59:00Z", "2999-01-01T00:00:00Z"]);
    assert_eq!(kept(within(60), &points, &[]), [2, 3]);
    points.push(point(4, "2026-11-22T12:00:00Z"));
    assert_eq!(kept(within(59), &points, &[]), [3, 4], "it was taken before the one that follows it");
    points.push(point(5, "2026-11-22T12:10:00Z"));
    let later = "2026-11-22T12:10:01Z".parse().unwrap();
    assert_eq!(kept_at(later, within(59), &points, &[]), [5]);
}

#[test]
fn while_the_clock_is_ahead_one_take_expires_nothing() {
    let ahead = "2999-01-01T00:00:00Z";
    let mut points = points(&["2026-11-22T10:00:00Z", "2026-11-22T11:59:00Z", ahead]);
    let while_ahead = "2999-01-01T00:00:01Z".parse().unwrap();
    assert_eq!(kept_at(while_ahead, within(60), &points, &[]), [2, 3]);
    points.push(taken(4, while_ahead, false));
    assert_eq!(kept_at(while_ahead, within(60), &points, &[]), [3, 4], "two in a row are believed");
}

#[test]
fn one_of_the_past_neither_expires_the_others_nor_goes_before_them() {
    let points =
        points(&["2026-11-22T11:59:00Z", "1970-01-01T00:00:00Z", "2026-11-22T11:59:30Z", "1970-01-01T00:00:00Z"]);
    assert_eq!(kept(within(60), &points, &[]), [1, 2, 3, 4]);
    assert_eq!(kept(within(29), &points, &[]), [2, 3, 4], "it may have been taken just before the next");
}

#[test]
fn one_that_was_confirmed_until_yesterday_is_as_good_as_taken_then() {
    let mut points = points(&["2026-10-01T09:00:00Z", "2026-10-02T09:00:00Z", "2026-11-22T12:00:00Z"]);
    points[1].current_at = "2026-11-21T12:00:00Z".parse().unwrap();
    assert_eq!(kept(within(DAY_SECONDS.unsigned_abs()), &points, &[]), [2, 3]);
    assert_eq!(kept(within(DAY_SECONDS.unsigned_abs() - 1), &points, &[]), [3]);
    assert_eq!(reasons(Policy { daily: 2, ..NO_POLICY }, &points, &[])[1], [Reason::Daily]);
    assert_eq!(kept(Policy { daily: 3, ..NO_POLICY }, &points, &[]), [2, 3], "it counts for both of its days");
    assert_eq!(kept(Policy { daily: 4, ..NO_POLICY }, &points, &[]), [1, 2, 3]);
}

#[test]
fn the_newest_good_one_stays_and_without_any_all_stay() {
    let points = points(&["2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"]);
    assert_eq!(kept(NO_POLICY, &points, &[]), [3]);
    assert_eq!(kept(NO_POLICY, &points, &[3]), [2, 3]);
    assert_eq!(reasons(NO_POLICY, &points, &[3])[1], [Reason::NewestGood]);
    assert_eq!(kept(NO_POLICY, &points, &[1, 2, 3]), [1, 2, 3]);
}

#[test]
fn what_a_suspect_one_may_be_repaired_from_stays_until_a_newer_one_is_suspect() {
    let mut points = points(&["2026-11-22T09:00:00Z"; 6]);
    points[2].suspect = true;
    let (newest, good) = (Reason::Newest, Reason::NewestGood);
    let expected = [vec![], vec![Reason::BeforeSuspect], vec![Reason::Suspect], vec![], vec![], vec![newest, good]];
    assert_eq!(reasons(NO_POLICY, &points, &[]), expected);
    assert_eq!(kept(NO_POLICY, &points, &[2]), [1, 3, 6]);
    assert_eq!(kept(NO_POLICY, &points, &[1, 2]), [6], "a suspect one alone is worth nothing");
    assert_eq!(kept(NO_POLICY, &points, &[3, 4, 5, 6]), [2, 3, 6]);
    points[5].suspect = true;
    assert_eq!(kept(NO_POLICY, &points, &[]), [5, 6]);
    points[0].suspect = true;
    points[1].suspect = true;
    assert_eq!(kept(NO_POLICY, &points[..3], &[]), [3], "all are suspect, so none is better than the newest");
}

#[test]
fn no_file_is_read_unless_something_goes() {
    let points = points(&["2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"]);
    let asked = |policy| decide(&policy, &points, now(), Err::<bool, usize>);
    assert_eq!(asked(Policy { last: 2, ..NO_POLICY }).unwrap().len(), 2);
    assert_eq!(asked(Policy { last: 1, ..NO_POLICY }), Err(1), "the newest first");
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let within = prop::option::of((0..20 * DAY_SECONDS.unsigned_abs()).prop_map(Duration::from_secs));
    (0u32..12, 0u32..12, 0u32..12, 0u32..6, within).prop_map(|(last, hourly, daily, weekly, within)| Policy {
        since_sequence: 0,
        last,
        hourly,
        daily,
        weekly,
        within,
    })
}

/// What may happen to a lineage.
#[derive(Clone, Debug)]
enum Event {
    /// One is taken, so many seconds after what happened before, by a clock that is wrong by as many.
    Take {
        seconds: i64,
        wrong: i64,
        suspect: bool,
    },
    /// The newest is confirmed, so many seconds later.
    Confirm {
        seconds: i64,
    },
    /// One of those there are is damaged.
    Damage(prop::sample::Index),
    Prune(Policy),
}

fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let seconds = || {
        prop_oneof![
            6 => 0..2 * HOUR_SECONDS,
            2 => 0..2 * DAY_SECONDS,
            1 => 0..3 * WEEK_SECONDS,
        ]
    };
    let wrong = prop_oneof![8 => Just(0), 1 => -100 * WEEK_SECONDS..100 * WEEK_SECONDS, 1 => -90i64..90];
    let event = prop_oneof![
        12 => (seconds(), wrong, prop::bool::weighted(0.1))
            .prop_map(|(seconds, wrong, suspect)| Event::Take { seconds, wrong, suspect }),
        4 => seconds().prop_map(|seconds| Event::Confirm { seconds }),
        2 => any::<prop::sample::Index>().prop_map(Event::Damage),
        1 => any_policy().prop_map(Event::Prune),
    ];
    prop::collection::vec(event, 0..80)
}

/// The buckets of a point, as a calendar names them.
fn buckets(reason: Reason, point: &Point) -> BTreeSet<String> {
    let format = match reason {
        Reason::Hourly => "%F %H",
        Reason::Daily => "%F",
        _ => "%G %V",
    };
    [point.created_at, point.current_at].iter().map(|at| at.strftime(format).to_string()).collect()
}

/// The points of which it is believed what a clock told: it is not yet to come, and of no earlier one that is believed a
/// later time was told.
fn believed(points: &[Point], now: Timestamp) -> Vec<&Point> {
    let is_past = |at: &Timestamp| at.as_second() <= now.as_second() + 60;
    let mut believed: Vec<&Point> = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let earlier = believed.iter().map(|earlier| earlier.current_at);
        let told = points[..=index].iter().filter_map(|earlier| earlier.not_before).filter(is_past);
        if is_past(&point.current_at) && earlier.chain(told).all(|at| at <= point.current_at) {
            believed.push(point);
        }
    }
    believed
}

/// Until when a point was current, told in other words than the rules are.
fn current(point: &Point, points: &[Point], now: Timestamp) -> Timestamp {
    let believed = believed(points, now);
    if believed.contains(&point) {
        return point.current_at;
    }
    let is_past = |at: &Timestamp| at.as_second() <= now.as_second() + 60;
    let earlier = believed.iter().rfind(|other| other.sequence < point.sequence).map(|earlier| earlier.current_at);
    let told = points.iter().filter(|other| other.sequence <= point.sequence).filter_map(|other| other.not_before);
    let before = earlier.into_iter().chain(told.filter(is_past)).max().unwrap_or(Timestamp::MIN);
    let next = believed.iter().find(|other| other.sequence > point.sequence);
    let most = next.map_or(now, |next| {
        let earlier = believed.iter().filter(|other| other.sequence < next.sequence).map(|other| other.current_at);
        let told = points.iter().filter(|other| other.sequence <= next.sequence).filter_map(|other| other.not_before);
        let is_contradicted = earlier.chain(told.filter(is_past)).any(|at| at > next.created_at);
        if is_past(&next.created_at) && !is_contradicted { next.created_at } else { next.current_at }
    });
    before.max(most)
}

fn age(point: &Point, policy: Policy, points: &[Point], now: Timestamp) -> Duration {
    let longest = policy.within.map_or(0, |within| i64::try_from(within.as_secs()).unwrap()).max(DAY_SECONDS);
    let unless_leap = |before: Timestamp, at: Timestamp, newest: Timestamp| {
        if at.as_second() - before.as_second() > longest { before } else { newest }
    };
    let reference = match believed(points, now).as_slice() {
        [] => Timestamp::MIN,
        [.., newest] if newest.confirmed_after.is_some() => {
            unless_leap(newest.confirmed_after.unwrap(), newest.current_at, newest.current_at)
        }
        [only] => only.current_at,
        [.., before, newest] => unless_leap(before.current_at, newest.created_at, newest.current_at),
    };
    let seconds = reference.as_second() - current(point, points, now).as_second();
    Duration::from_secs(seconds.max(0).unsigned_abs())
}

/// Whether `reason` is one to keep `point`, told in other words than the rules are.
fn holds(reason: Reason, point: &Point, policy: Policy, (points, now): (&[Point], Timestamp), damaged: &[u64]) -> bool {
    let newer: Vec<&Point> = points.iter().filter(|other| other.sequence > point.sequence).collect();
    let is_good = |point: &Point| !damaged.contains(&point.sequence);
    // The newest of one of its buckets, and that of one of the newest buckets.
    let leads = |limit: u32| {
        let taken: BTreeSet<String> = newer.iter().flat_map(|point| buckets(reason, point)).collect();
        !buckets(reason, point).is_subset(&taken) && taken.len() < limit as usize
    };
    match reason {
        Reason::Newest => newer.is_empty(),
        Reason::Last => newer.len() < policy.last as usize,
        Reason::Hourly => leads(policy.hourly),
        Reason::Daily => leads(policy.daily),
        Reason::Weekly => leads(policy.weekly),
        Reason::Within => policy.within.is_some_and(|within| age(point, policy, points, now) <= within),
        Reason::NewestGood => is_good(point) && !newer.iter().any(|point| is_good(point)),
        Reason::Suspect => point.suspect && !newer.iter().any(|point| point.suspect),
        Reason::BeforeSuspect => {
            let suspect = newer.iter().rposition(|point| point.suspect).unwrap();
            !point.suspect && is_good(point) && !newer[..suspect].iter().any(|point| is_good(point) && !point.suspect)
        }
        Reason::NoneGood => !points.iter().any(is_good),
        // Not of a policy.
        Reason::Head => false,
    }
}

/// What a prune owes to a lineage whatever the policy: the sequence numbers of those that must stay.
fn owed(points: &[Point], damaged: &[u64]) -> Vec<u64> {
    let good = |point: &&&Point| !damaged.contains(&point.sequence);
    let newest_first: Vec<&Point> = points.iter().rev().collect();
    let suspect = newest_first.iter().position(|point| point.suspect);
    let before = suspect.map(|suspect| newest_first[suspect..].iter().find(|point| good(point) && !point.suspect));
    let owed = [newest_first.first(), newest_first.iter().find(good), before.flatten()];
    owed.into_iter().flatten().map(|point| point.sequence).collect()
}

fn prune(policy: Policy, points: &mut Vec<Point>, now: Timestamp, damaged: &[u64]) -> Result<(), TestCaseError> {
    let decided = reasons_at(now, policy, points, damaged);
    for (point, reasons) in points.iter().zip(&decided) {
        for reason in reasons {
            let is_true = holds(*reason, point, policy, (points, now), damaged);
            prop_assert!(is_true, "{:?} of {:?} is not true", reason, point);
        }
        for rule in [Reason::Last, Reason::Hourly, Reason::Daily, Reason::Weekly, Reason::Within] {
            let is_owed = holds(rule, point, policy, (points, now), damaged);
            prop_assert_eq!(reasons.contains(&rule), is_owed, "{:?} of {:?}", rule, point);
        }
    }
    let survivors = kept_at(now, policy, points, damaged);
    for sequence in owed(points, damaged) {
        prop_assert!(survivors.contains(&sequence), "{} went, {:?} stay", sequence, survivors);
    }
    let by = |reason: Reason| decided.iter().filter(|reasons| reasons.contains(&reason)).count();
    for (reason, limit) in [
        (Reason::Last, policy.last),
        (Reason::Hourly, policy.hourly),
        (Reason::Daily, policy.daily),
        (Reason::Weekly, policy.weekly),
    ] {
        prop_assert!(by(reason) <= limit as usize, "{}", reason);
    }
    let protected = [Reason::Newest, Reason::NewestGood, Reason::Suspect, Reason::BeforeSuspect];
    prop_assert!(protected.into_iter().all(|reason| by(reason) <= 1));
    // What tells that a clock was wrong may be what goes.
    let are_believed = believed(points, now).len() == points.len();
    points.retain(|point| survivors.contains(&point.sequence));
    let again = kept_at(now, policy, points, damaged);
    prop_assert!(again == survivors || !are_believed, "a second prune removes nothing more: {:?}", again);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_a_prune_keeps_what_it_must_and_no_more(history in any_history(), last in any_policy()) {
        let (mut points, mut damaged, mut sequence, mut now) = (Vec::new(), Vec::new(), 0, 1_800_000_000);
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for event in history.into_iter().chain([Event::Prune(last)]) {
            match event {
                Event::Take { seconds, wrong, suspect } => {
                    now += seconds;
                    sequence += 1;
                    let created_at = at(now + wrong);
                    let before = points.last().map(|before: &Point| before.current_at);
                    let not_before = before.filter(|before| *before > created_at);
                    points.push(Point { not_before, ..taken(sequence, created_at, suspect) });
                }
                Event::Confirm { seconds } => {
                    now += seconds;
                    if let Some(newest) = points.last_mut() {
                        newest.confirmed_after = Some(newest.current_at);
                        newest.current_at = at(now);
                    }
                }
                Event::Damage(_) if points.is_empty() => {}
                Event::Damage(index) => damaged.push(index.get(&points).sequence),
                Event::Prune(policy) => prune(policy, &mut points, at(now), &damaged)?,
            }
        }
    }
}
