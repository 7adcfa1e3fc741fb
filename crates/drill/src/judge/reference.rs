//! Random histories, judged by the definitions spelled out slowly: every write held against every other.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::trial::{Drill, manifest, message, ms, refused, restored, token};
use super::{Cause, Verdict};
use crate::witness::event::Event;
use crate::witness::record::{Outcome, Protected, Write};

const REQUESTED: u64 = 2000;
const EFFECTIVE: u64 = 2050;
const RECOVERED: u64 = 3000;

/// One write of a history: when it was sent, how long it took, how it ended, how often it is there.
type Fate = (u64, u64, u8, usize);

/// A history: writes in the order of their commits, and how many of them the restore point holds.
fn history() -> impl Strategy<Value = (Vec<Fate>, usize)> {
    // Most are acknowledged, and there once.
    let copies = prop_oneof![6 => Just(1_usize), 5 => Just(0), 1 => Just(2)];
    let fate = (0..4000_u64, 0..150_u64, 0..8_u8, copies);
    proptest::collection::vec(fate, 1..14).prop_flat_map(|mut fates| {
        fates.sort_by_key(|(sent, took, ..)| sent + took);
        let held = 0..=fates.len();
        (Just(fates), held)
    })
}

fn drill((fates, held): &(Vec<Fate>, usize), may_lose: bool) -> Drill {
    let mut drill = Drill::empty();
    let mut found = Vec::new();
    for (seq, (sent, took, outcome, copies)) in (0..).zip(fates) {
        let outcome = match outcome {
            0 => refused(),
            1 => Outcome::Indeterminate { reason: String::new() },
            _ => Outcome::Acknowledged { id: i64::try_from(seq).unwrap() + 1 },
        };
        drill.record.writes.push(Write { seq, token: token(seq), sent: ms(*sent), done: ms(sent + took), outcome });
        found.extend(std::iter::repeat_n(message(&token(seq)), *copies));
    }
    let (began, published) = (drill.clock.utc(ms(1)), drill.clock.utc(ms(2)));
    let manifest = manifest(1, began, published, i64::try_from(*held).unwrap());
    drill.record.restore_points.push(Protected { manifest: manifest.clone(), began: ms(1), published: ms(2) });
    drill.restored = Some(restored(manifest));
    drill.found = Some(found);
    drill.may_lose = may_lose;
    for (event, at) in [
        (Event::E0, 0),
        (Event::D0, REQUESTED),
        (Event::D1, EFFECTIVE),
        (Event::S3, RECOVERED),
        (Event::V, 5000),
        (Event::X, 5001),
    ] {
        drill.timeline.add(event, ms(at), "");
    }
    drill
}

/// What must be said against it, by the definitions; `None` if nothing was acknowledged.
fn causes((fates, held): &(Vec<Fate>, usize), may_lose: bool) -> Option<BTreeSet<String>> {
    let acknowledged = |fate: &Fate| fate.2 > 1;
    let lost = |fate: &Fate| acknowledged(fate) && fate.3 == 0;
    let before = |fate: &Fate| acknowledged(fate) && fate.0 < EFFECTIVE;
    let mut said = BTreeSet::new();
    let mut say = |cause: Cause, wrong: bool| wrong.then(|| said.insert(format!("{cause:?}")));
    for (number, fate) in fates.iter().enumerate() {
        let (sent, _, outcome, copies) = *fate;
        say(Cause::Lost, !may_lose && lost(fate));
        say(Cause::LostAfterFault, lost(fate) && (EFFECTIVE..RECOVERED).contains(&sent));
        say(Cause::LostAfterRecovery, lost(fate) && sent >= RECOVERED);
        say(Cause::LostThoughHeld, before(fate) && lost(fate) && number < *held);
        say(Cause::Denied, outcome == 0 && copies > 0);
        say(Cause::Duplicates, copies > 1);
        for newer in &fates[number..] {
            let survived = before(newer) && newer.3 > 0 && newer.0 + newer.1 < REQUESTED;
            say(Cause::Torn, before(fate) && lost(fate) && survived);
        }
        // The reach of the loss: to the last survivor before the first loss, or to the first write of all.
        if before(fate) && lost(fate) && !fates[..number].iter().any(|older| before(older) && lost(older)) {
            let survivor = fates[..number].iter().rev().find(|older| before(older));
            let reach = survivor.map_or(sent, |survivor| survivor.0 + survivor.1);
            say(Cause::RpoMissed, EFFECTIVE.saturating_sub(reach) > 1500);
        }
    }
    fates.iter().any(acknowledged).then_some(said)
}

/// Whether something is there that the restore point cannot have held.
fn contradicts((fates, held): &(Vec<Fate>, usize)) -> bool {
    let newer = |fate: &Fate| fate.2 > 1 && fate.0 + fate.1 < REQUESTED && fate.3 > 0;
    fates[*held..].iter().any(newer)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_on_random_histories_is_that_of_the_definitions(history in history(), may_lose: bool) {
        let judgement = drill(&history, may_lose).judged();
        let found: BTreeSet<String> = judgement.causes.iter().map(|cause| format!("{cause:?}")).collect();
        let Some(expected) = causes(&history, may_lose) else {
            let damaged = judgement.verdict == Verdict::Fail;
            prop_assert!(judgement.verdict == Verdict::Inconclusive || damaged, "{:?}", judgement.reasons);
            return Ok(());
        };
        let only_objectives = expected.iter().all(|cause| cause == "RpoMissed");
        if only_objectives && contradicts(&history) {
            prop_assert_eq!(judgement.verdict, Verdict::Inconclusive, "{:?}", judgement.reasons);
        } else {
            prop_assert_eq!(judgement.verdict == Verdict::Pass, expected.is_empty());
            prop_assert_eq!(found, expected, "{:?}", judgement.reasons);
        }
    }
}
