//! The judge on trial: a drill that must pass, everything that can be wrong with it, and the verdict each must get. Then
//! random histories, judged by the definitions, spelled out slowly.

use std::time::Duration;

use backup::verify::{self, Check, Checked};
use backup::{Manifest, Restored};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Cause, Judgement, Testimony, Verdict, judge};
use crate::judge::objectives::Objectives;
use crate::witness::Stop;
use crate::witness::clock::{Clock, Moment, Offset};
use crate::witness::event::{Event, Timeline};
use crate::witness::probe::Message;
use crate::witness::record::{Outcome, Protected, Read, Record, Seen, Write};

/// Everything a verdict rests on, to be damaged.
pub(super) struct Drill {
    pub clock: Clock,
    pub record: Record,
    pub timeline: Timeline,
    pub found: Option<Vec<Message>>,
    pub restored: Option<Restored>,
    pub copy_restored: Option<Manifest>,
    pub may_lose: bool,
    pub backups_on_trial: bool,
    pub is_journaled: bool,
    pub repository_lost: bool,
    pub wrong_since_request: bool,
    pub schedule: Option<Duration>,
    pub objectives: Objectives,
    pub stop: Option<Stop>,
}

pub(super) fn ms(ms: u64) -> Moment {
    Duration::from_millis(ms)
}

/// The id of the newest message in the restore point that is restored: writes 0 to 40.
const MARK: i64 = 41;

impl Drill {
    /// Ten writes and reads a second for ten seconds. Restore points at 2 s and at 4.05 s; the volume is lost at 5 s with
    /// what was written since, and the service is down for a second.
    pub(super) fn passing() -> Self {
        let mut drill = Self::empty();
        for seq in 0..100 {
            drill.operation(seq);
        }
        drill.restore_point(1, 2005, 20);
        drill.restore_point(2, 4050, MARK);
        drill.restored = Some(restored(drill.record.restore_points[1].manifest.clone()));
        let events = [
            (Event::E0, 4200),
            (Event::D0, 4990),
            (Event::D1, 5000),
            (Event::F1, 5000),
            (Event::R0, 5200),
            (Event::S3, 6000),
            (Event::V, 10_000),
            (Event::X, 11_000),
        ];
        for (event, at) in events {
            drill.timeline.add(event, ms(at), "");
        }
        let there = drill.record.writes.iter().filter(|write| !(41..60).contains(&write.seq));
        drill.found = Some(there.map(|write| message(&write.token)).collect());
        drill
    }

    /// Before anything happened.
    pub(super) fn empty() -> Self {
        Self {
            clock: Clock::start(),
            record: Record::default(),
            timeline: Timeline::default(),
            found: None,
            restored: None,
            copy_restored: None,
            may_lose: true,
            backups_on_trial: false,
            is_journaled: false,
            repository_lost: false,
            wrong_since_request: false,
            schedule: None,
            objectives: Objectives { rto: ms(2000), rpo: ms(1500) },
            stop: None,
        }
    }

    fn operation(&mut self, seq: u64) {
        let at = ms(seq * 100);
        let down = (50..60).contains(&seq);
        let id = i64::try_from(seq).unwrap() + 1;
        // What was restored gives ids out again.
        let id = if seq < 60 { id } else { id - 60 + MARK };
        let outcome = if down { refused() } else { Outcome::Acknowledged { id } };
        let seen = if down { Seen::Failed("down".into()) } else { Seen::Correct };
        if !down {
            self.record.offset.narrow(at, at + ms(2), at.as_secs_f64() + 0.001);
        }
        self.record.writes.push(Write { seq, token: token(seq), sent: at, done: at + ms(2), outcome });
        self.record.reads.push(Read { sent: at, done: at + ms(2), seen });
    }

    fn restore_point(&mut self, sequence: u64, began: u64, mark: i64) {
        let (began, published) = (ms(began), ms(began + 100));
        let manifest = manifest(sequence, self.clock.utc(began), self.clock.utc(published), mark);
        self.record.restore_points.push(Protected { manifest, began, published });
    }

    fn found(&mut self) -> &mut Vec<Message> {
        self.found.as_mut().unwrap()
    }

    fn lose(&mut self, seqs: impl IntoIterator<Item = u64>) {
        let lost: Vec<String> = seqs.into_iter().map(token).collect();
        self.found().retain(|message| !lost.contains(&message.message));
    }

    fn find(&mut self, seq: u64) {
        self.found().push(message(&token(seq)));
    }

    fn shift_manifest(&mut self, by: SignedDuration) {
        let manifest = &mut self.restored.as_mut().unwrap().restore_point;
        (manifest.created_at, manifest.verified_at) = (manifest.created_at + by, manifest.verified_at + by);
    }

    fn without(&mut self, event: Event) {
        let kept: Vec<_> = self.timeline.iter().filter(|happened| happened.event != event).cloned().collect();
        self.timeline = Timeline::default();
        for happened in kept {
            self.timeline.add(happened.event, happened.at, happened.note);
        }
    }

    fn again(&mut self, event: Event, at: u64) {
        self.without(event);
        self.timeline.add(event, ms(at), "");
    }

    pub(super) fn judged(&self) -> Judgement {
        judge(&Testimony {
            clock: self.clock,
            run: "r",
            record: &self.record,
            timeline: &self.timeline,
            found: self.found.as_deref(),
            restored: self.restored.as_ref(),
            copy_restored: self.copy_restored.as_ref(),
            may_lose: self.may_lose,
            backups_on_trial: self.backups_on_trial,
            is_journaled: self.is_journaled,
            repository_lost: self.repository_lost,
            wrong_since_request: self.wrong_since_request,
            schedule: self.schedule,
            objectives: self.objectives,
            stop: self.stop.as_ref(),
        })
    }
}

pub(super) fn token(seq: u64) -> String {
    format!("drill/r/{seq}")
}

pub(super) fn message(text: &str) -> Message {
    Message { id: 0, message: text.to_owned() }
}

pub(super) fn refused() -> Outcome {
    Outcome::Refused { reason: "down".into() }
}

pub(super) fn restored(restore_point: Manifest) -> Restored {
    let checked = Checked { check: Check::Quick, verdict: verify::Verdict::Sound, findings: Vec::new() };
    let (rejected, suspects) = (Vec::new(), Vec::new());
    Restored {
        restore_point,
        checked,
        rejected,
        suspects,
        undone: None,
        safety_copy: None,
        bytes: 0,
        seconds: 0.0,
        live: None,
    }
}

/// A manifest as `backup` writes it, of a database with one table.
pub(super) fn manifest(sequence: u64, created_at: Timestamp, verified_at: Timestamp, mark: i64) -> Manifest {
    let name = backup::Name::at(created_at);
    serde_json::from_value(json!({
        "schema_version": 1, "sequence": sequence, "name": name, "created_at": created_at, "verified_at": verified_at,
        "size_bytes": 4096, "page_size": 4096, "page_count": 1, "blake3": "", "lineage": null,
        "high_water": {"message": mark}, "sqlite_version": "", "tool_version": "",
        "durations": {"copy_seconds": 0.0, "verify_seconds": 0.0}
    }))
    .unwrap()
}

type Mutation = (&'static str, fn(&mut Drill), Verdict, &'static [Cause]);

#[rustfmt::skip]
const LEDGERS_AND_FINAL_READS: &[Mutation] = &[
    ("nothing", |_| {}, Verdict::Pass, &[]),
    ("one old write is lost", |d| d.lose([30]), Verdict::Fail, &[Cause::RpoMissed, Cause::Torn, Cause::LostThoughHeld]),
    ("a restore point that went with its volume held it", |d| {
        d.repository_lost = true;
        d.record.elsewhere.insert(1);
        d.record.restore_points[0].manifest.high_water.insert("message".into(), 21);
        d.restored = Some(restored(d.record.restore_points[0].manifest.clone()));
        d.objectives.rpo = ms(4000);
        d.lose(21..41);
    }, Verdict::Pass, &[]),
    ("a restore point that is kept elsewhere too held it", |d| {
        d.repository_lost = true;
        d.record.elsewhere.extend([1, 2]);
        d.restored = Some(restored(d.record.restore_points[0].manifest.clone()));
        d.objectives.rpo = ms(4000);
        d.lose(20..41);
    }, Verdict::Fail, &[Cause::LostThoughHeld]),
    ("a restore point that was kept elsewhere after the theft held it", |d| {
        d.repository_lost = true;
        d.record.elsewhere.extend([1, 2]);
        d.record.robbed = Some(d.record.restore_points[1].published);
        d.record.restore_points[0].manifest.high_water.insert("message".into(), 21);
        d.restored = Some(restored(d.record.restore_points[0].manifest.clone()));
        d.objectives.rpo = ms(4000);
        d.lose(21..41);
    }, Verdict::Pass, &[]),
    ("the newest write that was held is lost", |d| d.lose([40]), Verdict::Fail, &[Cause::LostThoughHeld]),
    ("a stretch is lost", |d| d.lose(36..39), Verdict::Fail, &[Cause::Torn, Cause::LostThoughHeld]),
    ("the sentinel is lost", |d| d.lose([0]), Verdict::Fail, &[Cause::RpoMissed, Cause::Torn, Cause::LostThoughHeld]),
    ("a hole in what is lost", |d| d.find(46), Verdict::Fail, &[Cause::Torn]),
    ("an older point was restored, and says so", |d| {
        d.restored = Some(restored(d.record.restore_points[0].manifest.clone()));
        d.lose(20..41);
    }, Verdict::Fail, &[Cause::RpoMissed, Cause::LostThoughHeld]),
    ("an older point was restored, and does not say so", |d| d.lose(20..41), Verdict::Fail, &[Cause::RpoMissed, Cause::LostThoughHeld]),
    ("nothing is there", |d| d.found().clear(), Verdict::Fail, &[Cause::RpoMissed, Cause::LostAfterRecovery, Cause::LostThoughHeld]),
    ("another run's messages are there", |d| {
        for message in d.found() {
            message.message = message.message.replace("/r/", "/s/");
        }
    }, Verdict::Fail, &[Cause::RpoMissed, Cause::LostAfterRecovery, Cause::LostThoughHeld]),
    ("no final read", |d| d.found = None, Verdict::Inconclusive, &[]),
    ("a write is there twice", |d| d.find(3), Verdict::Fail, &[Cause::Duplicates]),
    ("a message that nobody sent", |d| d.find(1000), Verdict::Fail, &[Cause::Unexpected]),
    ("a message was changed", |d| d.found()[40].message.push('x'), Verdict::Fail, &[Cause::LostThoughHeld, Cause::Unexpected]),
    ("a refused write is there", |d| d.find(55), Verdict::Fail, &[Cause::Denied]),
    ("an uncertain write is there", |d| {
        d.record.writes[50].outcome = Outcome::Indeterminate { reason: String::new() };
        d.find(50);
    }, Verdict::Pass, &[]),
    ("an uncertain write is not there", |d| {
        d.record.writes[50].outcome = Outcome::Indeterminate { reason: String::new() };
    }, Verdict::Pass, &[]),
    ("acknowledged while it was down, and lost", |d| {
        d.record.writes[55].outcome = Outcome::Acknowledged { id: 51 };
    }, Verdict::Fail, &[Cause::LostAfterFault]),
    ("lost after the recovery", |d| d.lose([70]), Verdict::Fail, &[Cause::LostAfterRecovery]),
    ("the last write of all is lost", |d| d.lose([99]), Verdict::Fail, &[Cause::LostAfterRecovery]),
    ("the ledger in another order", |d| d.record.writes.reverse(), Verdict::Pass, &[]),
    ("what is there in another order", |d| d.found().reverse(), Verdict::Pass, &[]),
    ("two ids across the restore point changed places", |d| {
        d.record.writes[38].outcome = Outcome::Acknowledged { id: 45 };
        d.record.writes[44].outcome = Outcome::Acknowledged { id: 39 };
    }, Verdict::Fail, &[Cause::Torn, Cause::LostThoughHeld]),
    ("newer than the restore point, and there", |d| d.find(41), Verdict::Inconclusive, &[]),
    ("all is there, although a restore point is said to have been restored", |d| (41..50).for_each(|seq| d.find(seq)), Verdict::Inconclusive, &[]),
    ("all is there, thanks to a journal", |d| {
        d.is_journaled = true;
        (41..50).for_each(|seq| d.find(seq));
    }, Verdict::Pass, &[]),
    ("all but one is there, although a journal has all", |d| {
        (d.is_journaled, d.may_lose) = (true, false);
        (41..49).for_each(|seq| d.find(seq));
    }, Verdict::Fail, &[Cause::Lost]),
    ("the ledger is empty", |d| d.record.writes.clear(), Verdict::Fail, &[Cause::Unexpected]),
    ("no write was ever acknowledged", |d| {
        d.record.writes.iter_mut().for_each(|write| write.outcome = refused());
        d.found().clear();
    }, Verdict::Inconclusive, &[]),
    ("lost, and nothing was restored", |d| d.restored = None, Verdict::Fail, &[Cause::Lost]),
    ("another program restored what it was seen to hold", |d| {
        d.copy_restored = Some(d.restored.take().unwrap().restore_point);
        d.record.restore_points.clear();
    }, Verdict::Pass, &[]),
    ("another program restored more than that", |d| {
        d.copy_restored = Some(d.restored.take().unwrap().restore_point);
        d.record.restore_points.clear();
        (41..50).for_each(|seq| d.find(seq));
    }, Verdict::Pass, &[]),
    ("another program restored less than that", |d| {
        d.copy_restored = Some(d.restored.take().unwrap().restore_point);
        d.record.restore_points.clear();
        d.lose([40]);
    }, Verdict::Fail, &[Cause::LostThoughHeld]),
    ("another program restored a torn copy", |d| {
        d.copy_restored = Some(d.restored.take().unwrap().restore_point);
        d.record.restore_points.clear();
        d.find(46);
    }, Verdict::Fail, &[Cause::Torn]),
    ("lost to a fault that must not cost anything", |d| d.may_lose = false, Verdict::Fail, &[Cause::Lost]),
    ("a newer restore point was held, and passed over", |d| {
        d.again(Event::D0, 4500);
        d.restore_point(3, 4600, MARK + 5);
    }, Verdict::Fail, &[Cause::LostThoughHeld]),
    ("it began after the data had become wrong", |d| {
        d.again(Event::D0, 4500);
        d.restore_point(3, 4600, MARK + 5);
        d.wrong_since_request = true;
    }, Verdict::Pass, &[]),
    ("under way when the fault struck, and there", |d| {
        d.record.writes[49].done = ms(4995);
        d.find(49);
    }, Verdict::Pass, &[]),
];

#[rustfmt::skip]
const MOMENTS_AND_CLOCKS: &[Mutation] = &[
    ("no steady state", |d| d.without(Event::E0), Verdict::Inconclusive, &[]),
    ("the fault did not take", |d| d.without(Event::D1), Verdict::Inconclusive, &[]),
    ("never correct again", |d| d.without(Event::S3), Verdict::Fail, &[Cause::NotRecovered]),
    ("no new restore point", |d| d.without(Event::X), Verdict::Fail, &[Cause::Unprotected]),
    ("correct again too late", |d| d.again(Event::S3, 7001), Verdict::Fail, &[Cause::RtoMissed]),
    ("more lost than may be", |d| d.objectives.rpo = ms(900), Verdict::Fail, &[Cause::RpoMissed]),
    ("the backups' clock was an hour ahead", |d| d.shift_manifest(SignedDuration::from_hours(1)), Verdict::Inconclusive, &[]),
    ("the backups' clock was an hour behind", |d| d.shift_manifest(SignedDuration::from_hours(-1)), Verdict::Inconclusive, &[]),
    ("both were an hour ahead of the drill's", |d| {
        d.shift_manifest(SignedDuration::from_hours(1));
        d.record.offset = Offset::default();
        d.record.offset.narrow(ms(100), ms(102), 3600.101);
    }, Verdict::Pass, &[]),
    ("the service's clock was set meanwhile", |d| d.record.offset.narrow(ms(100), ms(102), 3600.0), Verdict::Pass, &[]),
    ("a restore point that came too late", |d| {
        d.backups_on_trial = true;
        d.without(Event::R0);
    }, Verdict::Fail, &[Cause::Exposed]),
    ("the drill was interrupted", |d| d.stop = Some(Stop::Interrupted("SIGINT")), Verdict::Inconclusive, &[]),
    ("the drill itself failed", |d| d.stop = Some(Stop::Failed(anyhow::anyhow!("no disk"))), Verdict::Inconclusive, &[]),
    ("the system did not come back", |d| d.stop = Some(Stop::NotRecovered("down".into())), Verdict::Fail, &[Cause::NotRecovered]),
    ("nothing happened at all", |d| *d = Drill::empty(), Verdict::Inconclusive, &[]),
];

#[test]
fn each_mutation_gets_its_verdict_and_its_causes() {
    let mut defects = Vec::new();
    for (what, mutate, verdict, causes) in LEDGERS_AND_FINAL_READS.iter().chain(MOMENTS_AND_CLOCKS) {
        let mut drill = Drill::passing();
        mutate(&mut drill);
        let Judgement { verdict: found, causes: found_causes, reasons, .. } = drill.judged();
        let is_explained = reasons.is_empty() == (found == Verdict::Pass);
        if found != *verdict || found_causes != *causes || !is_explained {
            defects.push(format!("{what}: expected {verdict} for {causes:?}, found {found} for {reasons:?}"));
        }
    }
    assert!(defects.is_empty(), "{}", defects.join("\n"));
}

#[test]
fn the_figures_of_a_passing_drill() {
    let actual = Drill::passing().judged().actual;
    assert_eq!(actual.rta_seconds, Some(1.0));
    assert_eq!(actual.reprotection_seconds, Some(6.0));
    let rounded = |value: Option<f64>| value.map(|value| (value * 1e3).round());
    // Between write 40, acknowledged at 4.002 s, and write 41.
    assert_eq!((rounded(actual.rpa_seconds_min), rounded(actual.rpa_seconds_max)), (Some(898.0), Some(998.0)));
    assert_eq!(rounded(actual.worst_case_rpo_seconds), Some(2145.0));
}

#[test]
fn the_worst_case_is_that_of_the_schedule_and_not_of_what_the_drill_asked_for() {
    let worst = |change: fn(&mut Drill)| {
        let mut drill = Drill::passing();
        // Each point is there 0.1 s after it began: at 2.005 and 4.05 s. The outage is from 4.99 to 6 s.
        change(&mut drill);
        drill.judged().actual.worst_case_rpo_seconds.map(|seconds| (seconds * 1e3).round())
    };
    assert_eq!(worst(|_| {}), Some(2145.0));
    // A schedule of a minute is seldom seen to go round in a drill: then the next would have come a minute later.
    assert_eq!(worst(|drill| drill.schedule = Some(ms(60_000))), Some(60_100.0));
    // Taken by the drill, it divides no gap of the schedule, nor begins one.
    assert_eq!(
        worst(|drill| {
            let first = drill.record.restore_points[0].key();
            drill.record.asked_for.insert(first);
            drill.record.age_at_start = Some(ms(58_000));
        }),
        Some(62_150.0)
    );
    // Where the schedule takes none any more, what the drill asked for shows how long that lasted at least.
    assert_eq!(
        worst(|drill| {
            let last = drill.record.restore_points[1].key();
            drill.record.asked_for.insert(last);
        }),
        Some(2145.0)
    );
}

#[test]
fn answers_200_with_wrong_data_count_as_false_up() {
    let mut drill = Drill::passing();
    drill.record.reads[55].seen = Seen::Wrong("the sentinel is missing".into());
    assert_eq!(drill.judged().actual.false_up_seconds.map(|seconds| (seconds * 1e3).round()), Some(498.0));
}
