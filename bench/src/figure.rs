//! What was measured, what it is compared with, and whether that is good enough.

/// One line of the table.
pub struct Figure {
    pub what: String,
    pub unit: Unit,
    pub measured: f64,
    /// What it is compared with, and that one's figure.
    pub reference: Option<(String, f64)>,
    pub goal: Goal,
}

/// What a number counts.
#[derive(Clone, Copy)]
pub enum Unit {
    PerSecond,
    Seconds,
    Bytes,
}

/// What has to be reached.
#[derive(Clone, Copy)]
pub enum Goal {
    /// It is there to compare with.
    None,
    /// At least as many times the reference.
    RatioAtLeast(f64),
    /// At most as many times the reference.
    RatioAtMost(f64),
    /// At most that, whatever the reference.
    AtMost(f64),
}

impl Figure {
    pub fn ratio(&self) -> Option<f64> {
        self.reference.as_ref().map(|(_, reference)| self.measured / reference)
    }

    /// `None` where there is no goal, or nothing to compare with.
    pub fn reached(&self) -> Option<bool> {
        match self.goal {
            Goal::None => None,
            Goal::RatioAtLeast(least) => self.ratio().map(|ratio| ratio >= least),
            Goal::RatioAtMost(most) => self.ratio().map(|ratio| ratio <= most),
            Goal::AtMost(most) => Some(self.measured <= most),
        }
    }

    fn cells(&self) -> [String; 6] {
        let reference = self.reference.as_ref().map(|(name, value)| format!("{} ({name})", self.unit.text(*value)));
        [
            self.what.clone(),
            self.unit.text(self.measured),
            reference.unwrap_or_default(),
            self.ratio().map(times).unwrap_or_default(),
            self.goal.text(self.unit),
            self.reached().map_or("", |reached| if reached { "yes" } else { "no" }).to_owned(),
        ]
    }
}

impl Unit {
    pub fn text(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Seconds if value < 0.1 => format!("{:.2} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
        }
    }
}

impl Goal {
    fn text(self, unit: Unit) -> String {
        match self {
            Self::None => String::new(),
            Self::RatioAtLeast(least) => format!(">= {least}x"),
            Self::RatioAtMost(most) => format!("<= {most}x"),
            Self::AtMost(most) => format!("<= {}", unit.text(most)),
        }
    }
}

fn times(value: f64) -> String {
    format!("{value:.2}x")
}

/// All figures as a table in Markdown, which reads well in a terminal too.
pub fn table(figures: &[Figure]) -> String {
    let head = ["what", "measured", "reference", "ratio", "goal", "reached"].map(str::to_owned);
    table_of(std::iter::once(head.to_vec()).chain(figures.iter().map(|figure| figure.cells().to_vec())).collect())
}

/// A table in Markdown, of rows as long as the first, which is the head.
pub fn table_of(rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = rows.first().map_or(0..0, |head| 0..head.len()).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text += &format!("| {} |\n", rules.join(" | "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(measured: f64, reference: Option<f64>, goal: Goal) -> Figure {
        let reference = reference.map(|value| ("cp".to_owned(), value));
        Figure { what: "take".to_owned(), unit: Unit::Seconds, measured, reference, goal }
    }

    #[test]
    fn a_goal_is_reached_or_not_or_cannot_be_told() {
        for (measured, reference, goal, expected) in [
            (13.0, Some(10.0), Goal::RatioAtMost(1.3), Some(true)),
            (13.1, Some(10.0), Goal::RatioAtMost(1.3), Some(false)),
            (300.0, Some(10.0), Goal::RatioAtLeast(30.0), Some(true)),
            (299.0, Some(10.0), Goal::RatioAtLeast(30.0), Some(false)),
            (1.0, None, Goal::RatioAtLeast(30.0), None),
            (0.1, None, Goal::AtMost(0.1), Some(true)),
            (0.2, Some(1.0), Goal::AtMost(0.1), Some(false)),
            (1.0, Some(1.0), Goal::None, None),
            (f64::NAN, Some(1.0), Goal::RatioAtMost(2.0), Some(false)),
        ] {
            assert_eq!(figure(measured, reference, goal).reached(), expected, "{measured} {reference:?}");
        }
    }

    #[test]
    fn a_table_is_markdown_with_even_columns() {
        let table = table(&[figure(1.5, Some(1.0), Goal::RatioAtMost(1.3)), figure(0.0123, None, Goal::None)]);
        assert_eq!(
            table,
            "| what | measured | reference   | ratio | goal    | reached |\n\
             | ---- | -------- | ----------- | ----- | ------- | ------- |\n\
             | take | 1.50 s   | 1.00 s (cp) | 1.50x | <= 1.3x | no      |\n\
             | take | 12.30 ms |             |       |         |         |\n"
        );
    }
}
