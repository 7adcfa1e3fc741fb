use crate::judge::{Cause, Verdict};
use crate::report::Report;
use crate::resolution::Resolution;

/// An objective, and what was measured against it.
pub(crate) struct Objective {
    pub name: &'static str,
    /// What the objective and the measured value are called.
    pub abbreviations: [&'static str; 2],
    pub question: &'static str,
    /// In words: the objective, what was measured, and what is left of the one by the other.
    pub target: String,
    pub actual: String,
    pub margin: String,
    pub standing: Standing,
    /// In seconds: the objective, what was measured at least and at most, and what it would have been at the worst moment,
    /// where that is known.
    pub target_seconds: f64,
    pub bounds_seconds: Option<(f64, f64)>,
    pub worst_seconds: Option<f64>,
}

/// How an objective stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Met,
    Missed,
    /// Writes are not as they must be whatever the objective: no figure makes that good.
    WrongData,
    NotMeasured,
    /// The drill proves nothing, whatever was measured.
    NotJudged,
}

impl Standing {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::WrongData => "WRONG DATA",
            Self::NotMeasured => "not measured",
            Self::NotJudged => "not judged",
        }
    }

    pub(crate) fn tone(self) -> &'static str {
        match self {
            Self::Met => "pass",
            Self::Missed | Self::WrongData => "fail",
            Self::NotMeasured | Self::NotJudged => "inconclusive",
        }
    }
}

impl Objective {
    pub(super) fn time(report: &Report, resolution: Resolution) -> Self {
        let rta = report.actual.rta_seconds;
        let objective = Self::of(report, report.objectives.rto_seconds, rta.zip(rta), resolution);
        Self {
            name: "Recovery time",
            abbreviations: ["RTO", "RTA"],
            question: "How long was the service not correct?",
            ..objective
        }
    }

    pub(super) fn loss(report: &Report, resolution: Resolution) -> Self {
        let actual = &report.actual;
        let bounds = actual.rpa_seconds_min.zip(actual.rpa_seconds_max);
        let objective = Self::of(report, report.objectives.rpo_seconds, bounds, resolution);
        let is_wrong = report.causes.iter().copied().any(Cause::is_damage);
        Self {
            name: "Data loss",
            abbreviations: ["RPO", "RPA"],
            question: "How much of the last acknowledged work is gone?",
            standing: match report.everything_lost {
                Some(_) => Standing::Missed,
                None if is_wrong => Standing::WrongData,
                None => objective.standing,
            },
            actual: if report.everything_lost.is_some() { "everything".to_owned() } else { objective.actual },
            // Where nothing had to be restored, no moment would have been worse.
            worst_seconds: actual.worst_case_rpo_seconds.filter(|_| report.restore_point.is_some()),
            ..objective
        }
    }

    fn of(report: &Report, target: f64, bounds: Option<(f64, f64)>, resolution: Resolution) -> Self {
        let most = bounds.map(|(_, most)| most);
        Self {
            name: "",
            abbreviations: [""; 2],
            question: "",
            target: format!("{target} s"),
            actual: resolution.interval(bounds.map(|(least, _)| least), most),
            margin: resolution.seconds(most.map(|most| target - most)),
            standing: match most {
                _ if report.verdict == Verdict::Inconclusive => Standing::NotJudged,
                Some(most) if most <= target => Standing::Met,
                Some(_) => Standing::Missed,
                None => Standing::NotMeasured,
            },
            target_seconds: target,
            bounds_seconds: bounds,
            worst_seconds: None,
        }
    }
}
