//! A figure over the runs of a series, as SVG.

use maud::{Markup, Render, html};

use crate::report::{Essence, Figure};
use crate::resolution::Resolution;

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = HEIGHT - 24.0;

/// A chart: time goes to the right, more is worse.
pub(super) struct Chart {
    title: String,
    description: String,
    /// Place, tone and words of each run that measured it.
    dots: Vec<(f64, f64, &'static str, String)>,
    line: String,
    /// Heights that are written at the side.
    marks: Vec<(f64, String)>,
    objective: Option<f64>,
    first: String,
    last: String,
}

impl Chart {
    /// Draws a figure. The objective is drawn where it is near enough to what was measured.
    pub(super) fn of(
        figure: &Figure,
        objective: impl Fn(&Essence) -> f64,
        runs: &[&Essence],
        resolution: Resolution,
    ) -> Self {
        let values: Vec<Option<f64>> = runs.iter().map(|run| (figure.of)(&run.actual)).collect();
        let greatest = values.iter().flatten().copied().fold(0.0, f64::max);
        let target = runs.last().map(|run| objective(run));
        let drawn = target.filter(|target| *target <= greatest * 3.0);
        let full = drawn.map_or(greatest, |target| greatest.max(target)).max(0.001) * 1.1;
        let y = |value: f64| BOTTOM - value / full * (BOTTOM - TOP);
        #[expect(clippy::cast_precision_loss, reason = "a few dozen runs")]
        let x = |index: usize| match runs.len() {
            1 => f64::midpoint(LEFT, RIGHT),
            several => LEFT + 8.0 + index as f64 / (several - 1) as f64 * (RIGHT - LEFT - 16.0),
        };
        let dot = |(index, value): (usize, &Option<f64>)| {
            let (run, value) = (runs[index], (*value)?);
            let words = format!("{}: {}, {}", run.run, resolution.seconds(Some(value)), run.shown_verdict());
            Some((x(index), y(value), run.tone(), words))
        };
        let dots: Vec<(f64, f64, &'static str, String)> = values.iter().enumerate().filter_map(dot).collect();
        let line: Vec<String> = dots.iter().map(|(x, y, ..)| format!("{x:.1} {y:.1}")).collect();
        let day =
            |run: Option<&&Essence>| run.map_or_else(String::new, |run| run.started_at.strftime("%F").to_string());
        let said = target.map_or_else(String::new, |target| format!(", objective {target} s"));
        Self {
            title: format!("{}{said}", figure.label),
            description: dots.iter().map(|(.., words)| words.as_str()).collect::<Vec<_>>().join("; "),
            line: format!("M{}", line.join("L")),
            marks: [0.0, greatest / 2.0, greatest].map(|value| (y(value), resolution.seconds(Some(value)))).into(),
            objective: drawn.map(y),
            first: day(runs.first()),
            last: day(runs.last()),
            dots,
        }
    }
}

impl Render for Chart {
    fn render(&self) -> Markup {
        html! {
            svg.timeline.chart xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { (self.title) }
                desc { (self.description) }
                text.heading-small x="0" y="14" { (self.title) }
                @for (y, label) in &self.marks {
                    g.grid { path d={ "M" (LEFT) " " (y) "H" (RIGHT) } {} }
                    g.axis { text x=(LEFT - 6.0) y=(y + 4.0) text-anchor="end" { (label) } }
                }
                @if let Some(y) = self.objective { path.objective d={ "M" (LEFT) " " (y) "H" (RIGHT) } {} }
                @if self.dots.len() > 1 { path.trend d=(self.line) {} }
                @for (x, y, tone, words) in &self.dots {
                    circle.(tone) cx=(x) cy=(y) r="4" { title { (words) } }
                }
                g.axis {
                    text x=(LEFT) y=(HEIGHT - 6.0) { (self.first) }
                    @if self.first != self.last { text x=(RIGHT) y=(HEIGHT - 6.0) text-anchor="end" { (self.last) } }
                }
            }
        }
    }
}
