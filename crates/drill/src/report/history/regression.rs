//! Whether a run is worse than another of its series.

use std::fmt;

use serde::Serialize;

use crate::report::{Essence, FIGURES};

/// How much worse a figure may be: in percent of what it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Tolerance {
    pub percent: f64,
}

/// Two runs held against each other.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// The run that is the measure.
    pub before: String,
    /// The run that is judged.
    pub after: String,
    /// What each came to, for people.
    pub verdicts: [String; 2],
    /// In percent of the figure before.
    pub tolerance_percent: f64,
    /// What may be added besides, since no moment of either run is known better.
    pub resolution_seconds: f64,
    /// Figure by figure; those that neither run measured are left out.
    pub changes: Vec<Change>,
    /// Whether the verdict or any figure is worse beyond the tolerance.
    pub regression: bool,
}

/// One figure in two runs.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    /// Its name in files.
    pub figure: &'static str,
    /// Its name for people.
    #[serde(skip)]
    pub label: &'static str,
    /// Seconds; `null` was not measured.
    pub before: Option<f64>,
    /// Seconds; `null` was not measured.
    pub after: Option<f64>,
    /// Whether it is worse beyond the tolerance, or was measured before and is not any more.
    pub regression: bool,
}

impl Comparison {
    /// Compares two runs of one series.
    ///
    /// # Errors
    /// If they are not, with what each is.
    pub(crate) fn of(before: &Essence, after: &Essence, tolerance: Tolerance) -> Result<Self, String> {
        if before.series != after.series {
            return Err(format!(
                "{} is {}, and {} is {}: they cannot be compared",
                before.run, before.series, after.run, after.series
            ));
        }
        let resolution = before.resolution_seconds + after.resolution_seconds;
        let allowed = |value: f64| value * (1.0 + tolerance.percent / 100.0) + resolution;
        let changes = FIGURES.iter().filter_map(|figure| {
            let (was, is) = ((figure.of)(&before.actual), (figure.of)(&after.actual));
            was.or(is)?;
            let regression = was.is_some_and(|was| is.is_none_or(|is| is > allowed(was)));
            Some(Change { figure: figure.key, label: figure.label, before: was, after: is, regression })
        });
        let changes: Vec<Change> = changes.collect();
        // A scenario that shows a limit fails as expected: what counts is whether that is still so.
        let worse = after.verdict > before.verdict || before.expected.met && !after.expected.met;
        let regression = worse || changes.iter().any(|change| change.regression);
        Ok(Self {
            before: before.run.clone(),
            after: after.run.clone(),
            verdicts: [before.shown_verdict(), after.shown_verdict()],
            tolerance_percent: tolerance.percent,
            resolution_seconds: resolution,
            changes,
            regression,
        })
    }
}

impl std::str::FromStr for Tolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
        let percent = number.filter(|percent: &f64| percent.is_finite() && *percent >= 0.0);
        percent.map(|percent| Self { percent }).ok_or_else(|| "not a percentage, for example 25%".to_owned())
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(verdict: &str, rta: Option<f64>) -> Essence {
        let run = json!({
            "schema_version": 1, "run": "r", "started_at": "2026-11-22T21:46:04Z", "scenario": "kill-pvc", "platform": "local",
            "recovery": "runbook", "verdict": verdict, "reasons": [],
            "expected": {"verdict": "pass", "limit": null, "met": verdict == "pass"},
            "objectives": {"rto_seconds": 60.0, "rpo_seconds": 75.0},
            "actual": {"rta_seconds": rta, "rpa_seconds_max": 2.0}, "phases": {},
            "acknowledged": 80, "lost": 20, "resolution_seconds": 0.05, "drill_version": "0.1.0"
        });
        serde_json::from_value(run).unwrap()
    }

    fn regression(before: (&str, Option<f64>), after: (&str, Option<f64>)) -> bool {
        let tolerance = Tolerance { percent: 25.0 };
        Comparison::of(&run(before.0, before.1), &run(after.0, after.1), tolerance).unwrap().regression
    }

    #[test]
    fn worse_than_the_tolerance_and_the_resolution_is_a_regression() {
        for (after, expected) in [(0.1, false), (1.0, false), (1.34, false), (1.36, true), (9.0, true)] {
            assert_eq!(regression(("pass", Some(1.0)), ("pass", Some(after))), expected, "1.0 s, then {after} s");
        }
        assert!(!regression(("pass", Some(0.0)), ("pass", Some(0.1))), "nobody can tell these apart");
    }

    #[test]
    fn a_worse_verdict_or_a_figure_that_is_missing_is_a_regression() {
        assert!(regression(("pass", Some(1.0)), ("fail", Some(1.0))));
        assert!(regression(("pass", Some(1.0)), ("inconclusive", Some(1.0))));
        assert!(!regression(("fail", Some(1.0)), ("pass", Some(1.0))));
        assert!(regression(("pass", Some(1.0)), ("pass", None)));
        assert!(!regression(("pass", None), ("pass", Some(1.0))));
    }

    #[test]
    fn a_limit_that_is_not_shown_any_more_is_a_regression() {
        let (limit, mut other) = (run("fail", Some(1.0)), run("fail", Some(1.0)));
        other.expected.met = true;
        let tolerance = Tolerance { percent: 25.0 };
        assert!(!Comparison::of(&other, &other, tolerance).unwrap().regression);
        assert!(Comparison::of(&other, &limit, tolerance).unwrap().regression);
    }

    #[test]
    fn runs_of_different_series_are_not_compared() {
        let mut other = run("pass", Some(1.0));
        other.series.platform = "kubernetes".to_owned();
        let refused = Comparison::of(&run("pass", Some(1.0)), &other, Tolerance { percent: 25.0 }).unwrap_err();
        assert!(refused.contains("kill-pvc on kubernetes, runbook recovery"), "{refused}");
    }

    #[test]
    fn a_tolerance_is_a_percentage() {
        assert_eq!("25%".parse(), Ok(Tolerance { percent: 25.0 }));
        assert_eq!("7.5".parse(), Ok(Tolerance { percent: 7.5 }));
        for wrong in ["-1%", "much", "", "inf"] {
            assert!(wrong.parse::<Tolerance>().is_err(), "{wrong}");
        }
    }
}
