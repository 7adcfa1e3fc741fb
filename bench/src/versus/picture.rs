//! The picture: a panel for each of the figures that decide, a line for each contender, a dot for each run.

use std::fmt::Write as _;

use super::result::{MEASURES, Measure, Results, Unit};
use crate::run::median;

/// Which of the measures are drawn, and how each is called.
const PANELS: [(usize, &str); 4] = [
    (1, "lost with the volume, seconds of acknowledged writes"),
    (2, "until the service was correct again"),
    (8, "writes a second, of what it is unprotected"),
    (10, "space on the other volume, for each write"),
];

const WIDTH: f64 = 560.0;
/// Where the axis begins, behind the names, and how long it is; behind it there is room for the median.
const AXIS: (f64, f64) = (160.0, 310.0);
const ROW: f64 = 24.0;
/// Above the rows of a panel its title, below them its scale.
const ABOVE: f64 = 34.0;
const BELOW: f64 = 32.0;
/// Okabe and Ito's, which everybody can tell apart: ours, and the others'.
const COLOURS: (&str, &str) = ("#0072b2", "#d55e00");

pub fn svg(results: &Results) -> String {
    let panel_height = ABOVE + ROW * results.contenders.len() as f64 + BELOW;
    let panels: Vec<(&Measure, &str)> = PANELS
        .iter()
        .map(|(index, title)| (&MEASURES[*index], *title))
        // What was not measured at all has no panel.
        .filter(|(measure, _)| (0..results.contenders.len()).any(|one| !results.series(measure, one).is_empty()))
        .collect();
    let height = panel_height * panels.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>The fair fight: what each protection loses, takes and \
         costs</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (number, (measure, title)) in panels.into_iter().enumerate() {
        let top = panel_height * number as f64;
        let _ = writeln!(svg, "<g transform=\"translate(0 {top})\">\n{}</g>", panel(results, measure, title));
    }
    svg + "</svg>\n"
}

fn panel(results: &Results, measure: &Measure, title: &str) -> String {
    let series: Vec<Vec<f64>> = (0..results.contenders.len()).map(|one| results.series(measure, one)).collect();
    let most = ceiling(series.iter().flatten().copied().fold(0.0, f64::max));
    let (left, length) = AXIS;
    let rows = ROW * series.len() as f64;
    let mut svg = format!("<text x=\"10\" y=\"22\" font-weight=\"bold\">{title}</text>\n");
    for step in 0..=2 {
        let (share, bottom) = (f64::from(step) / 2.0, ABOVE + rows);
        let (x, value) = (left + share * length, axis_text(measure.unit, share * most));
        let _ = writeln!(svg, "<path d=\"M{x:.1} {ABOVE}v{rows}\" stroke=\"#ccc\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{value}</text>",
            bottom + 17.0
        );
    }
    for (number, (contender, values)) in results.contenders.iter().zip(&series).enumerate() {
        let (y, name) = (ABOVE + ROW * (number as f64 + 0.5), contender.name);
        let colour = if contender.is_ours { COLOURS.0 } else { COLOURS.1 };
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>", left - 10.0, y + 4.5);
        svg += &dots(values, measure.unit, most, y, colour);
    }
    svg
}

/// A dot for each run, a stroke for their median, and what it is.
fn dots(values: &[f64], unit: Unit, most: f64, y: f64, colour: &str) -> String {
    let (left, length) = AXIS;
    let at = |value: f64| left + value / most * length;
    let mut svg = String::new();
    for value in values {
        let _ =
            writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\" opacity=\".5\"/>", at(*value));
    }
    let (x, end) = (at(median(values.to_vec())), left + length + 10.0);
    let text = if values.is_empty() { "–".to_owned() } else { unit.text(median(values.to_vec())) };
    if !values.is_empty() {
        let _ = writeln!(svg, "<path d=\"M{x:.1} {:.1}v16\" stroke=\"{colour}\" stroke-width=\"2.5\"/>", y - 8.0);
    }
    let _ = writeln!(svg, "<text x=\"{end:.1}\" y=\"{:.1}\" fill=\"{colour}\">{text}</text>", y + 4.5);
    svg
}

fn axis_text(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds => format!("{value} s"),
        other => other.text(value),
    }
}

/// The next of 1, 2, 5, 10, 20 … from a value on.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_with_a_round_number_that_nothing_exceeds() {
        for (value, expected) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (1.01, 2.0), (4.2, 5.0), (73.0, 100.0)] {
            assert!((ceiling(value) - expected).abs() < 1e-9, "{value}: {}", ceiling(value));
        }
    }
}
