//! The drills of one call, beside each other and in figures: for the terminal, `summary.md` and `summary.html` for reading,
//! `summary.json` for programs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use maud::html;
use serde::{Deserialize, Serialize};

use super::essence::{Essence, Series};
use super::page::{document, sections};
use super::table::draw;
use super::tally::Tally;
use super::view::{Column, Row, Section, Table};
use super::{Report, lines, markdown};
use crate::judge::Verdict;
use crate::resolution::Resolution;

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
    tally: Tally,
    /// The worst.
    verdict: Verdict,
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
            if series.iter().all(|group| group.tally.series != drill.essence.series) {
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
        let repeated = self.series.iter().filter(|group| group.tally.runs > 1);
        let repeated = repeated.map(|group| format!("{}\n{}", group.head(), draw(&group.tally.table())));
        let columns = [
            Column::text("scenario"),
            Column::text("recovery"),
            Column::number("RTA"),
            Column::number("RPA"),
            Column::number("lost"),
            Column::text("verdict"),
        ];
        let rows = self.drills.iter().map(|Drill { essence, .. }| {
            let (Essence { actual, series, .. }, resolution) = (essence, self.resolution());
            // Of the data loss the upper bound, which counts: the names of scenarios leave no room for both.
            let [rta, rpa] = [actual.rta_seconds, actual.rpa_seconds_max].map(|value| resolution.seconds(value));
            let (scenario, recovery) = (series.scenario.clone(), series.recovery.to_string());
            Row::from([scenario, recovery, rta, rpa, lost(essence), essence.shown_verdict()])
        });
        lines(repeated.chain([draw(&Table::new(columns, rows))]))
    }

    /// `summary.md`.
    pub(super) fn markdown(&self) -> String {
        let head = format!("# {}\n\n{}\n", self.title(), self.headline());
        lines([head].into_iter().chain(self.sections().iter().map(markdown::section)))
    }

    /// `summary.html`.
    pub(super) fn page(&self) -> String {
        let all_as_expected = self.drills.iter().all(|drill| drill.essence.expected.met);
        let content = html! {
            header.(if all_as_expected { "pass" } else { "fail" }) {
                div { h1 { (self.title()) } p.headline { (self.headline()) } }
            }
            main { (sections(&self.sections())) }
        };
        document(&self.title(), content)
    }

    fn title(&self) -> String {
        format!("{} drills on {}", self.drills.len(), self.platform)
    }

    fn headline(&self) -> String {
        let as_expected = self.drills.iter().filter(|drill| drill.essence.expected.met).count();
        let counted = |count: fn(&Essence) -> Option<usize>| -> usize {
            self.drills.iter().filter_map(|drill| count(&drill.essence)).sum()
        };
        let (acknowledged, lost) = (counted(|run| run.acknowledged), counted(|run| run.lost));
        let drills = self.drills.len();
        format!(
            "{as_expected} of {drills} came out as expected. Of {acknowledged} acknowledged writes, {lost} were lost."
        )
    }

    fn resolution(&self) -> Resolution {
        Resolution::coarsest(self.drills.iter().map(|drill| drill.essence.resolution_seconds))
    }

    fn sections(&self) -> Vec<Section> {
        let every =
            Section { heading: "Every drill".to_owned(), table: Some(self.every_drill()), ..Section::default() };
        let groups = self.series.iter().map(|group| group.section(&self.drills));
        [every].into_iter().chain(groups).collect()
    }

    /// A row for each drill.
    fn every_drill(&self) -> Table {
        let columns = [
            Column::text("run"),
            Column::text("scenario"),
            Column::text("recovery"),
            Column::text("verdict"),
            Column::number("RTA"),
            Column::number("RPA"),
            Column::number("acknowledged"),
            Column::number("lost"),
        ];
        let rows = self.drills.iter().map(|Drill { essence, .. }| {
            let (actual, series, resolution) = (&essence.actual, &essence.series, self.resolution());
            let cells = [
                essence.run.clone(),
                series.scenario.clone(),
                series.recovery.to_string(),
                essence.shown_verdict(),
                resolution.seconds(actual.rta_seconds),
                resolution.interval(actual.rpa_seconds_min, actual.rpa_seconds_max),
                count(essence.acknowledged),
                lost(essence),
            ];
            Row { folder: Some(essence.folder_name()), ..Row::from(cells) }
        });
        Table::new(columns, rows)
    }
}

impl Group {
    fn of(series: &Series, drills: &[Drill]) -> Self {
        let runs: Vec<&Essence> =
            drills.iter().map(|drill| &drill.essence).filter(|essence| essence.series == *series).collect();
        let verdict = runs.iter().map(|run| run.verdict).max().unwrap_or(Verdict::Inconclusive);
        Self { tally: Tally::of(series, &runs), verdict }
    }

    fn head(&self) -> String {
        format!("{}: {}, {}", self.tally.series, self.verdict, self.tally.passes())
    }

    /// Its figures, and every reason why a run did not pass: the limit that it shows, or what went wrong.
    fn section(&self, drills: &[Drill]) -> Section {
        let runs = drills.iter().map(|drill| &drill.essence).filter(|essence| essence.series == self.tally.series);
        let said =
            |run: &Essence| run.expected.limit.clone().into_iter().chain(run.reasons.clone()).collect::<Vec<_>>();
        let notes: BTreeSet<String> = runs.flat_map(said).collect();
        Section {
            heading: self.head(),
            table: Some(self.tally.table()),
            notes: notes.into_iter().collect(),
            ..Section::default()
        }
    }
}

impl Drill {
    fn of((report, folder): &(Report, PathBuf)) -> Self {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Self { essence: report.essence(), report: format!("../{name}/report.md") }
    }
}

fn lost(essence: &Essence) -> String {
    count(essence.lost)
}

fn count(count: Option<usize>) -> String {
    count.map_or("–".to_owned(), |count| count.to_string())
}
