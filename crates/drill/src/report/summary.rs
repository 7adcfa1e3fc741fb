//! The drills of one call, beside each other and in figures: for the terminal, `summary.md` for reading, `summary.json`
//! for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::essence::{Essence, Series};
use super::figures::{FIGURES, Figure, Spread, interval, seconds};
use super::table::{align_right, table};
use super::{Report, lines};
use crate::judge::Verdict;

/// What came of several drills.
#[derive(Serialize)]
pub(crate) struct Summary {
    schema_version: u32,
    /// The name of the platform.
    pub(super) platform: String,
    /// The name of the first run.
    #[serde(skip)]
    pub(super) first_run: String,
    /// By series, in the order in which the first drill of each ran.
    series: Vec<Group>,
    /// In the order in which they ran.
    drills: Vec<Drill>,
}

/// A summary in the few lines that are signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Brief {
    /// Always 1. Fields may be added; none is renamed or removed within a version.
    pub schema_version: u32,
    /// The name of the first run, by which the summary goes.
    pub first_run: String,
    /// The platform's name.
    pub platform: String,
    /// Every run, in the order in which they ran.
    pub runs: Vec<BriefRun>,
}

/// A run of a summary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BriefRun {
    /// The run's name.
    pub run: String,
    /// What it is one of.
    #[serde(flatten)]
    pub series: Series,
    pub verdict: Verdict,
    /// Whether it came as it was expected.
    pub as_expected: bool,
}

/// All drills of one series.
#[derive(Serialize)]
struct Group {
    #[serde(flatten)]
    series: Series,
    runs: usize,
    passed: usize,
    /// How many came to what was expected: a scenario that shows a limit is expected to fail.
    as_expected: usize,
    /// The worst.
    verdict: Verdict,
    /// By the figure's name; `null` if no run measured it.
    figures: BTreeMap<&'static str, Option<Spread>>,
}

/// One drill.
#[derive(Serialize)]
struct Drill {
    #[serde(flatten)]
    essence: Essence,
    /// Its own report, relative to this one.
    report: String,
}

impl Summary {
    /// Sums up the reports in these folders; `None` unless there are several.
    pub(crate) fn of(done: &[(Report, PathBuf)]) -> Option<Self> {
        let [(first, _), _, ..] = done else { return None };
        let drills: Vec<Drill> = done.iter().map(Drill::of).collect();
        let mut series: Vec<Group> = Vec::new();
        for drill in &drills {
            if series.iter().all(|group| group.series != drill.essence.series) {
                series.push(Group::of(&drill.essence.series, &drills));
            }
        }
        Some(Self { schema_version: 1, platform: first.platform.clone(), first_run: first.run.clone(), series, drills })
    }

    /// What is signed of it.
    pub(super) fn brief(&self) -> Brief {
        let runs = self.drills.iter().map(|Drill { essence, .. }| BriefRun {
            run: essence.run.clone(),
            series: essence.series.clone(),
            verdict: essence.verdict,
            as_expected: essence.expected.met,
        });
        let (first_run, platform) = (self.first_run.clone(), self.platform.clone());
        Brief { schema_version: 1, first_run, platform, runs: runs.collect() }
    }

    /// For the terminal: fits 80 columns.
    pub(crate) fn tables(&self) -> String {
        let mut side_by_side = table(["scenario", "recovery", "RTA", "RPA", "lost", "verdict"]);
        for Drill { essence, .. } in &self.drills {
            side_by_side.add_row([
                essence.series.scenario.clone(),
                essence.series.recovery.to_string(),
                seconds(essence.actual.rta_seconds),
                // The upper bound, which counts: the names of scenarios leave no room for both.
                seconds(essence.actual.rpa_seconds_max),
                lost(essence),
                essence.shown_verdict(),
            ]);
        }
        align_right(&mut side_by_side, 2..5);
        let repeated = self.series.iter().filter(|group| group.runs > 1).map(Group::table);
        lines(repeated.chain([side_by_side.to_string()]))
    }

    /// `summary.md`.
    pub(super) fn markdown(&self) -> String {
        let head = format!("# {} drills on {}\n", self.drills.len(), self.platform);
        lines([head].into_iter().chain(self.series.iter().map(Group::markdown)).chain([self.every_drill()]))
    }

    /// A row for each drill.
    fn every_drill(&self) -> String {
        let row = |Drill { essence, report }: &Drill| {
            let (actual, series) = (&essence.actual, &essence.series);
            let rpa = interval(actual.rpa_seconds_min, actual.rpa_seconds_max);
            format!(
                "| [{}]({report}) | {} | {} | {} | {} | {rpa} | {} |",
                essence.run,
                series.scenario,
                series.recovery,
                essence.shown_verdict(),
                seconds(actual.rta_seconds),
                lost(essence)
            )
        };
        let head = [
            "## Every drill\n".to_owned(),
            "| run | scenario | recovery | verdict | RTA | RPA | acknowledged and lost |".to_owned(),
            "| --- | --- | --- | --- | ---: | ---: | ---: |".to_owned(),
        ];
        lines(head.into_iter().chain(self.drills.iter().map(row)))
    }
}

impl Group {
    fn of(series: &Series, drills: &[Drill]) -> Self {
        let runs: Vec<&Essence> =
            drills.iter().map(|drill| &drill.essence).filter(|essence| essence.series == *series).collect();
        let spread = |figure: Figure| Spread::of(runs.iter().filter_map(|run| (figure.of)(&run.actual)));
        Self {
            series: series.clone(),
            runs: runs.len(),
            passed: runs.iter().filter(|run| run.verdict == Verdict::Pass).count(),
            as_expected: runs.iter().filter(|run| run.expected.met).count(),
            verdict: runs.iter().map(|run| run.verdict).max().unwrap_or(Verdict::Inconclusive),
            figures: FIGURES.map(|figure| (figure.key, spread(figure))).into(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        FIGURES.iter().map(|figure| {
            let spread = self.figures[figure.key];
            let shown = |part: fn(Spread) -> f64| seconds(spread.map(part));
            [figure.label.to_owned(), shown(|s| s.min), shown(|s| s.median), shown(|s| s.max)]
        })
    }

    fn head(&self) -> String {
        let Self { series, verdict, runs, passed, as_expected, .. } = self;
        let limit = if as_expected == passed { String::new() } else { format!(", {as_expected} as expected") };
        format!("{series}: {verdict}, {passed} of {runs} runs passed{limit}")
    }

    fn table(&self) -> String {
        let mut table = table(["", "min", "median", "max"]);
        table.add_rows(self.rows());
        align_right(&mut table, 1..4);
        format!("{}\n{table}", self.head())
    }

    fn markdown(&self) -> String {
        let head = [
            format!("## {}\n", self.head()),
            "| | min | median | max |".to_owned(),
            "| --- | ---: | ---: | ---: |".to_owned(),
        ];
        lines(head.into_iter().chain(self.rows().map(|cells| format!("| {} |", cells.join(" | ")))))
    }
}

impl Drill {
    fn of((report, folder): &(Report, PathBuf)) -> Self {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Self { essence: report.essence(), report: format!("../{name}/report.md") }
    }
}

fn lost(essence: &Essence) -> String {
    essence.lost.map_or("–".to_owned(), |lost| lost.to_string())
}
