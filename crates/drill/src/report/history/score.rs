//! How a series does, over all its runs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::{Essence, FIGURES, Figure, Series, Tally};

/// The newest runs that a trend shows.
const TREND: usize = 30;

/// The newest runs that are named: as many as fit into a line of 80 characters.
const NEWEST: usize = 3;

/// A series over all its runs.
#[derive(Debug, Serialize)]
pub(crate) struct Score {
    #[serde(flatten)]
    pub tally: Tally,
    /// The newest run.
    pub last_run: String,
    /// The newest runs, the newest first.
    pub newest: Vec<String>,
    /// The verdict of the newest, for people.
    pub last_verdict: String,
    /// Each figure in the newest runs, the newest last; `null` was not measured.
    pub trends: BTreeMap<&'static str, Vec<Option<f64>>>,
}

impl Score {
    /// Of runs in the order in which they ended; there must be one.
    pub(crate) fn of<'a>(series: &Series, runs: impl Iterator<Item = &'a Essence>) -> Self {
        let runs: Vec<&Essence> = runs.collect();
        let newest = &runs[runs.len().saturating_sub(TREND)..];
        let trend = |figure: &Figure| newest.iter().map(|run| (figure.of)(&run.actual)).collect();
        Self {
            tally: Tally::of(series, &runs),
            last_run: runs.last().map_or_else(String::new, |run| run.run.clone()),
            newest: runs.iter().rev().take(NEWEST).map(|run| run.run.clone()).collect(),
            last_verdict: runs.last().map_or_else(String::new, |run| run.shown_verdict()),
            trends: FIGURES.iter().map(|figure| (figure.key, trend(figure))).collect(),
        }
    }

    /// For the terminal: fits 80 columns.
    pub(crate) fn text(&self) -> String {
        let Self { tally, last_verdict, .. } = self;
        let mut text = format!("{}\n  {}, the last one: {last_verdict}\n", tally.series, tally.passes());
        text += &format!("  newest: {}\n", self.newest.join(", "));
        for figure in FIGURES.iter().filter(|figure| tally.figures[figure.key].is_some()) {
            let median = tally.resolution.seconds(tally.figures[figure.key].map(|spread| spread.median));
            let line = sparkline(&self.trends[figure.key]);
            text += &format!("  {:<21}  median {median:>10}  {line}\n", figure.label);
        }
        text
    }
}

/// A value as the height of a block, from zero to the greatest; a dot where nothing was measured.
fn sparkline(values: &[Option<f64>]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let greatest = values.iter().flatten().copied().fold(0.0, f64::max);
    // Each block stands for an eighth of the greatest value, up to and with its upper bound.
    let fits = |value: f64, number: u8| value <= greatest * f64::from(number) / 8.0;
    let block =
        |value: f64| (1..=8).zip(BLOCKS).find(|(number, _)| fits(value, *number)).map_or('█', |(_, block)| block);
    values.iter().map(|value| value.map_or('·', block)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_goes_from_zero_to_the_greatest() {
        assert_eq!(sparkline(&[Some(0.0), Some(8.0), Some(4.0), None, Some(1.1)]), "▁█▄·▂");
        assert_eq!(sparkline(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(sparkline(&[None, None]), "··");
    }
}
