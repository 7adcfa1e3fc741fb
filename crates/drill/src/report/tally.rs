//! The runs of a series in figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::essence::{Essence, Series};
use super::figures::{FIGURES, Spread};
use super::view::{Column, Row, Table};
use crate::judge::Verdict;
use crate::resolution::Resolution;

/// How runs of one series did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tally {
    #[serde(flatten)]
    pub series: Series,
    pub runs: usize,
    pub passed: usize,
    /// How many came to what was expected: a scenario that shows a limit is expected to fail.
    pub as_expected: usize,
    /// Least, median and greatest of each figure, by its name; `null` if no run measured it.
    pub figures: BTreeMap<&'static str, Option<Spread>>,
    #[serde(skip)]
    pub resolution: Resolution,
}

impl Tally {
    /// Of runs of a series.
    pub(crate) fn of(series: &Series, runs: &[&Essence]) -> Self {
        let figures = FIGURES.iter().map(|figure| {
            let values = runs.iter().filter_map(|run| (figure.of)(&run.actual));
            (figure.key, Spread::of(values))
        });
        Self {
            series: series.clone(),
            runs: runs.len(),
            passed: runs.iter().filter(|run| run.verdict == Verdict::Pass).count(),
            as_expected: runs.iter().filter(|run| run.expected.met).count(),
            figures: figures.collect(),
            resolution: Resolution::coarsest(runs.iter().map(|run| run.resolution_seconds)),
        }
    }

    /// How many runs passed, in words.
    pub(crate) fn passes(&self) -> String {
        let Self { runs, passed, as_expected, .. } = self;
        let limit = if as_expected == passed { String::new() } else { format!(", {as_expected} as expected") };
        format!("{passed} of {runs} runs passed{limit}")
    }

    /// The figures that were measured.
    pub(crate) fn table(&self) -> Table {
        let columns = [Column::text(""), Column::number("min"), Column::number("median"), Column::number("max")];
        let measured = FIGURES.iter().filter_map(|figure| Some((figure.label, self.figures[figure.key]?)));
        let rows = measured.map(|(label, Spread { min, median, max })| {
            let [min, median, max] = [min, median, max].map(|value| self.resolution.seconds(Some(value)));
            Row::from([label.to_owned(), min, median, max])
        });
        Table::new(columns, rows)
    }
}
