//! The figures of a drill, and how people read them.

use serde::Serialize;

use crate::judge::Actual;

/// One of the figures that a drill measures, all of them in seconds; less is better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Its name in files for programs.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Where it is found.
    pub of: fn(&Actual) -> Option<f64>,
}

/// All of them, the most important first. Of the data loss, which is an interval, the upper bound counts.
pub(crate) const FIGURES: [Figure; 5] = [
    Figure { key: "rta_seconds", label: "recovery time (RTA)", of: |actual| actual.rta_seconds },
    Figure { key: "rpa_seconds_max", label: "data loss (RPA)", of: |actual| actual.rpa_seconds_max },
    Figure { key: "worst_case_rpo_seconds", label: "worst-case data loss", of: |actual| actual.worst_case_rpo_seconds },
    Figure { key: "false_up_seconds", label: "false up", of: |actual| actual.false_up_seconds },
    Figure { key: "reprotection_seconds", label: "protected again after", of: |actual| actual.reprotection_seconds },
];

/// How a figure varies over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The least.
    pub min: f64,
    /// The middle one; between two, their mean.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Over all values that were measured; `None` if none was.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { min, median, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_two() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Some(Spread { min: 1.0, median: 3.0, max: 9.0 }));
        assert_eq!(Spread::of([0.5]), Some(Spread { min: 0.5, median: 0.5, max: 0.5 }));
        assert_eq!(Spread::of([]), None);
    }
}
