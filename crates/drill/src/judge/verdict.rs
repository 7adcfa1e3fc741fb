//! The verdict: pass only where every figure is there and none speaks against it.

use std::collections::BTreeSet;
use std::fmt;

use backup::{Name, Restored};
use serde::{Deserialize, Serialize};

use super::{Interval, Loss, Reconciliation};
use crate::clock::{Clock, Moment};
use crate::event::{Event, Timeline, seconds_between};
use crate::objectives::Objectives;
use crate::probe::Message;
use crate::record::Record;
use crate::stop::Stop;

/// What a drill comes to, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Both objectives met, and no write lost that should be there.
    Pass,
    /// Nothing can be said: no steady state, the fault did not take, no final read, or the drill was stopped.
    Inconclusive,
    /// An objective missed, or data lost, invented or doubled.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Everything a verdict rests on.
pub struct Evidence<'a> {
    /// The drill's clock.
    pub clock: Clock,
    /// The run's name, part of every token.
    pub run: &'a str,
    /// What was seen.
    pub record: &'a Record,
    /// What happened.
    pub timeline: &'a Timeline,
    /// What the service holds after the recovery; `None` if it could not be read.
    pub found: Option<&'a [Message]>,
    /// The restore, if there was one.
    pub restored: Option<&'a Restored>,
    /// Whether the fault may cost data at all.
    pub may_lose: bool,
    /// The targets.
    pub objectives: Objectives,
    /// Why the drill stopped before its end, if it did.
    pub stop: Option<&'a Stop>,
}

/// The figures that the objectives are held against, in seconds; `None` was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Actual {
    /// Actual recovery time: from the fault's first effect to correct service.
    pub rta_seconds: Option<f64>,
    /// Actual data loss, lower bound.
    pub rpa_seconds_min: Option<f64>,
    /// Actual data loss, upper bound.
    pub rpa_seconds_max: Option<f64>,
    /// Time for which the service answered 200 with wrong data.
    pub false_up_seconds: Option<f64>,
    /// From the fault to the first new verified restore point.
    pub reprotection_seconds: Option<f64>,
    /// The longest stretch that a disaster could have cost, over the backup cycles seen.
    pub worst_case_rpo_seconds: Option<f64>,
}

/// Where the recovery time went, in seconds; `None` does not apply or was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phases {
    /// From the first effect to the alarm.
    pub detection: Option<f64>,
    /// From the alarm to the decision.
    pub decision: Option<f64>,
    /// From the decision to the start of the restore.
    pub preparation: Option<f64>,
    /// The restore.
    pub restore: Option<f64>,
    /// From the restored database, or from the alarm where nothing is restored, to correct service.
    pub restart: Option<f64>,
    /// From correct service to the reconciled ledger. Not part of the recovery time.
    pub verification: Option<f64>,
}

/// What the judge found.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not a pass.
    pub reasons: Vec<String>,
    /// The figures.
    pub actual: Actual,
    /// Where the time went.
    pub phases: Phases,
    /// The ledger; `None` without a final read.
    pub ledger: Option<Reconciliation>,
}

/// Judges a drill.
pub fn judge(evidence: &Evidence) -> Judgement {
    let ledger = evidence.found.map(|found| Reconciliation::of(&evidence.record.writes, found, evidence.run));
    let fault = first_effect(evidence.timeline).zip(evidence.timeline.at(Event::D1));
    let loss = ledger.as_ref().zip(fault).map(|(ledger, (first_effect, effective))| {
        let held_until = held_until(evidence, effective);
        Loss::of(&evidence.record.writes, &ledger.lost, first_effect, effective, held_until)
    });
    let actual = actual(evidence, loss.as_ref());
    let (verdict, reasons) = match inconclusive(evidence) {
        Some(reason) => (Verdict::Inconclusive, vec![reason]),
        None => match failures(evidence, &actual, ledger.as_ref(), loss.as_ref()) {
            reasons if reasons.is_empty() => (Verdict::Pass, reasons),
            reasons => (Verdict::Fail, reasons),
        },
    };
    Judgement { verdict, reasons, actual, phases: phases(evidence.timeline), ledger }
}

fn inconclusive(evidence: &Evidence) -> Option<String> {
    let missing = |event| evidence.timeline.at(event).is_none();
    let stopped = evidence.stop.filter(|stop| !matches!(stop, Stop::NotRecovered(_)));
    if let Some(stop) = stopped {
        Some(stop.to_string())
    } else if missing(Event::E0) {
        Some("no steady state before the fault".to_owned())
    } else if missing(Event::D1) {
        Some("the fault did not take effect".to_owned())
    } else if !missing(Event::S3) && evidence.found.is_none() {
        Some("the service could not be read to the end after the recovery".to_owned())
    } else {
        None
    }
}

fn failures(evidence: &Evidence, actual: &Actual, ledger: Option<&Reconciliation>, loss: Option<&Loss>) -> Vec<String> {
    if let Some(stop) = evidence.stop {
        return vec![stop.to_string()];
    }
    let Some(rta) = actual.rta_seconds else {
        return vec!["the service was not correct for long enough after the fault".to_owned()];
    };
    let mut reasons = Vec::new();
    let (rto, rpo) = (evidence.objectives.rto.as_secs_f64(), evidence.objectives.rpo.as_secs_f64());
    if rta > rto {
        reasons.push(format!("RTO missed: recovery took {rta:.3} s, objective {rto} s"));
    }
    match (ledger, loss) {
        (Some(ledger), Some(loss)) => {
            if loss.rpa.max > rpo {
                let Interval { min, max } = loss.rpa;
                let lost = ledger.lost.len();
                reasons.push(format!(
                    "RPO missed: {lost} acknowledged writes of the last {min:.3} to {max:.3} s lost, objective {rpo} s"
                ));
            }
            reasons.extend(damage(evidence, ledger, loss));
        }
        _ => reasons.push("the ledger was not reconciled".to_owned()),
    }
    if actual.reprotection_seconds.is_none() {
        reasons.push("no new verified restore point after the recovery: the service is unprotected".to_owned());
    }
    reasons
}

/// What no objective excuses.
fn damage(evidence: &Evidence, ledger: &Reconciliation, loss: &Loss) -> Vec<String> {
    let no_loss: BTreeSet<u64> = BTreeSet::new();
    let lost_at_all = if evidence.may_lose { &no_loss } else { &ledger.lost };
    let counts = [
        (lost_at_all, "acknowledged writes lost, although this fault must not lose any"),
        (&loss.holes, "acknowledged writes survive that are newer than a lost one: the restored copy is torn"),
        (&loss.after_fault, "writes lost that were acknowledged after the fault"),
        (&loss.held, "acknowledged writes lost that a newer good restore point held"),
        (&ledger.denied, "refused writes are stored nevertheless"),
        (&ledger.duplicates, "writes are stored more than once"),
    ];
    let mut reasons: Vec<String> = counts
        .into_iter()
        .filter(|(writes, _)| !writes.is_empty())
        .map(|(writes, what)| format!("{} {what} (numbers {})", writes.len(), first_few(writes)))
        .collect();
    if let Some(first) = ledger.unexpected.first() {
        reasons.push(format!("{} messages of this run that nobody sent, e.g. {first:?}", ledger.unexpected.len()));
    }
    reasons
}

fn first_few(writes: &BTreeSet<u64>) -> String {
    let shown: Vec<String> = writes.iter().take(5).map(u64::to_string).collect();
    let more = if writes.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// When the snapshot began that a right recovery restores: the newest one published before the fault that the
/// restore did not reject as damaged. Without a restore nothing may be lost at all, so there is no such bound.
fn held_until(evidence: &Evidence, effective: Moment) -> Option<Moment> {
    let restored = evidence.restored?;
    let rejected = |name: &Name| restored.rejected.iter().any(|rejected| rejected.name == *name);
    evidence
        .record
        .restore_points
        .iter()
        .filter(|point| point.published < effective && !rejected(&point.manifest.name))
        .map(|point| point.began)
        .chain([evidence.clock.moment(restored.restore_point.current_at())])
        .max()
}

fn actual(evidence: &Evidence, loss: Option<&Loss>) -> Actual {
    let timeline = evidence.timeline;
    let since_effect = |event| Some(seconds_between(first_effect(timeline)?, timeline.at(event)?));
    Actual {
        rta_seconds: since_effect(Event::S3),
        rpa_seconds_min: loss.map(|loss| loss.rpa.min),
        rpa_seconds_max: loss.map(|loss| loss.rpa.max),
        false_up_seconds: timeline.at(Event::S3).map(|correct| false_up(evidence, correct)),
        reprotection_seconds: timeline.between(Event::D1, Event::X),
        worst_case_rpo_seconds: worst_case_rpo(evidence),
    }
}

/// When the fault first had an effect: on the platform or on a client, whichever was first.
fn first_effect(timeline: &Timeline) -> Option<Moment> {
    let effective = timeline.at(Event::D1)?;
    Some(timeline.at(Event::F1).map_or(effective, |failed| failed.min(effective)))
}

fn false_up(evidence: &Evidence, correct: Moment) -> f64 {
    let Some(effective) = evidence.timeline.at(Event::D1) else { return 0.0 };
    let outage = super::Outage::of(evidence.record, effective, effective, super::RUN_LENGTH);
    outage.first_wrong.filter(|wrong| *wrong < correct).map_or(0.0, |wrong| seconds_between(wrong, correct))
}

/// Over consecutive restore points with no fault between them: from the start of one snapshot until the next is
/// published, the first is all there is.
fn worst_case_rpo(evidence: &Evidence) -> Option<f64> {
    let outage = evidence.timeline.at(Event::D0).zip(evidence.timeline.at(Event::S3));
    evidence
        .record
        .restore_points
        .windows(2)
        .filter(|pair| outage.is_none_or(|(from, until)| pair[1].published < from || pair[0].began > until))
        .map(|pair| seconds_between(pair[0].began, pair[1].published))
        .max_by(f64::total_cmp)
}

fn phases(timeline: &Timeline) -> Phases {
    let detection = first_effect(timeline).zip(timeline.at(Event::A));
    // Where the platform restores by itself, that is part of the restart: only the new volume is seen from here.
    let first_of = |events: [Event; 2]| events.into_iter().find(|event| timeline.at(*event).is_some());
    let prepared = first_of([Event::R2, Event::R1]).unwrap_or(Event::R2);
    let restart_from = first_of([Event::R3, Event::R1]).unwrap_or(Event::A);
    Phases {
        detection: detection.map(|(from, to)| seconds_between(from, to)),
        decision: timeline.between(Event::A, Event::B),
        preparation: timeline.between(Event::B, prepared),
        restore: timeline.between(Event::R2, Event::R3),
        restart: timeline.between(restart_from, Event::S3),
        verification: timeline.between(Event::S3, Event::V),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::{Outcome, Read, Seen, Write};

    /// Ten writes and reads a second for ten seconds; the fault is effective at 5 s and costs 1 s of service.
    struct Drill {
        record: Record,
        timeline: Timeline,
        found: Option<Vec<Message>>,
        may_lose: bool,
        stop: Option<Stop>,
    }

    impl Drill {
        fn passing() -> Self {
            let mut drill = Self {
                record: Record::default(),
                timeline: Timeline::default(),
                found: None,
                may_lose: true,
                stop: None,
            };
            for seq in 0..100 {
                drill.operation(seq);
            }
            let events = [
                (Event::E0, 4000),
                (Event::D0, 4990),
                (Event::D1, 5000),
                (Event::F1, 5000),
                (Event::S3, 6000),
                (Event::V, 10_000),
                (Event::X, 11_000),
            ];
            for (event, ms) in events {
                drill.timeline.add(event, Duration::from_millis(ms), "");
            }
            let acknowledged = drill.record.writes.iter().filter_map(|write| Some((write.acknowledged()?, write)));
            drill.found = Some(acknowledged.map(|(id, write)| Message { id, message: write.token.clone() }).collect());
            drill
        }

        fn operation(&mut self, seq: u64) {
            let at = Duration::from_millis(seq * 100);
            let down = (50..60).contains(&seq);
            let reason = || "refused".to_owned();
            let outcome = match down {
                true => Outcome::Refused { reason: reason() },
                false => Outcome::Acknowledged { id: i64::try_from(seq).unwrap() },
            };
            let seen = if down { Seen::Failed(reason()) } else { Seen::Correct };
            self.record.writes.push(Write { seq, token: format!("drill/r/{seq}"), sent: at, done: at, outcome });
            self.record.reads.push(Read { sent: at, done: at, seen });
        }

        fn lose(&mut self, seqs: impl IntoIterator<Item = u64>) {
            let lost: Vec<String> = seqs.into_iter().map(|seq| format!("drill/r/{seq}")).collect();
            self.found.as_mut().unwrap().retain(|message| !lost.contains(&message.message));
        }

        fn without(mut self, event: Event) -> Self {
            let kept: Vec<_> = self.timeline.iter().filter(|happened| happened.event != event).cloned().collect();
            self.timeline = Timeline::default();
            for happened in kept {
                self.timeline.add(happened.event, happened.at, happened.note);
            }
            self
        }

        fn judged(&self) -> Judgement {
            judge(&Evidence {
                clock: Clock::start(),
                run: "r",
                record: &self.record,
                timeline: &self.timeline,
                found: self.found.as_deref(),
                restored: None,
                may_lose: self.may_lose,
                objectives: Objectives { rto: Duration::from_secs(2), rpo: Duration::from_secs(1) },
                stop: self.stop.as_ref(),
            })
        }
    }

    #[test]
    fn met_objectives_and_a_whole_ledger_pass() {
        let judgement = Drill::passing().judged();
        assert_eq!(judgement.reasons, Vec::<String>::new());
        assert_eq!(judgement.verdict, Verdict::Pass);
        assert_eq!(judgement.actual.rta_seconds, Some(1.0));
        assert_eq!(judgement.actual.reprotection_seconds, Some(6.0));
    }

    #[test]
    fn nothing_passes_by_default() {
        let nothing = Drill { record: Record::default(), timeline: Timeline::default(), ..Drill::passing() };
        assert_eq!(nothing.judged().verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_is_missing_decides_the_verdict() {
        for (event, verdict) in [
            (Event::E0, Verdict::Inconclusive),
            (Event::D1, Verdict::Inconclusive),
            (Event::S3, Verdict::Fail),
            (Event::X, Verdict::Fail),
        ] {
            assert_eq!(Drill::passing().without(event).judged().verdict, verdict, "without {event:?}");
        }
        let unread = Drill { found: None, ..Drill::passing() };
        assert_eq!(unread.judged().verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_service_that_does_not_come_back_fails_and_an_interrupted_drill_says_nothing() {
        let not_recovered = Drill { stop: Some(Stop::NotRecovered("still down".into())), ..Drill::passing() };
        assert_eq!(not_recovered.without(Event::S3).judged().verdict, Verdict::Fail);
        let interrupted = Drill { stop: Some(Stop::Interrupted("SIGINT")), ..Drill::passing() };
        assert_eq!(interrupted.judged().verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_lost_suffix_within_the_objective_passes_only_where_loss_is_allowed() {
        let mut drill = Drill::passing();
        drill.lose(45..50);
        let judgement = drill.judged();
        assert_eq!(judgement.verdict, Verdict::Pass, "{:?}", judgement.reasons);
        assert_eq!(judgement.actual.rpa_seconds_max.map(|rpa| (rpa * 1e3).round()), Some(600.0));
        drill.may_lose = false;
        assert_eq!(drill.judged().verdict, Verdict::Fail);
    }

    #[test]
    fn damage_turns_the_verdict_red_whatever_the_objective() {
        type Damage = (&'static str, fn(&mut Drill));
        let cases: [Damage; 6] = [
            ("RPO missed", |drill| drill.lose(30..50)),
            ("torn", |drill| drill.lose([46, 47, 49])),
            ("after the fault", |drill| drill.lose([70])),
            ("more than once", |drill| {
                let found = drill.found.as_mut().unwrap();
                found.push(found[3].clone());
            }),
            ("nobody sent", |drill| {
                drill.found.as_mut().unwrap().push(Message { id: 1000, message: "drill/r/1000".into() });
            }),
            ("refused writes are stored", |drill| {
                drill.found.as_mut().unwrap().push(Message { id: 1000, message: "drill/r/55".into() });
            }),
        ];
        for (reason, damage) in cases {
            let mut drill = Drill::passing();
            damage(&mut drill);
            let judgement = drill.judged();
            assert_eq!(judgement.verdict, Verdict::Fail, "{reason}");
            assert!(judgement.reasons.iter().any(|said| said.contains(reason)), "{reason}: {:?}", judgement.reasons);
        }
    }

    #[test]
    fn a_slow_recovery_misses_the_rto() {
        let mut drill = Drill::passing().without(Event::S3);
        drill.timeline.add(Event::S3, Duration::from_millis(7001), "");
        assert!(drill.judged().reasons[0].starts_with("RTO missed: recovery took 2.001 s, objective 2 s"));
    }

    #[test]
    fn answers_200_with_wrong_data_count_as_false_up() {
        let mut drill = Drill::passing();
        drill.record.reads[55].seen = Seen::Wrong("the sentinel is missing".into());
        assert_eq!(drill.judged().actual.false_up_seconds, Some(0.5));
    }
}
