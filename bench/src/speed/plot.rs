//! The plot of growth: two panels with logarithmic scales, as SVG.

use std::fmt::Write as _;

use super::growth::{self, ROUTES, Step, THINGS};

const PANEL: (f64, f64) = (400.0, 280.0);
/// Room for the numbers at the left, the title above, and the messages below.
const MARGIN: (f64, f64, f64) = (70.0, 50.0, 60.0);
/// Okabe and Ito's, which everybody can tell apart.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// One panel: a title, what its numbers end with, and lines with names.
struct Panel {
    title: &'static str,
    unit: &'static str,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// The plot of at least two sizes.
pub fn svg(steps: &[Step]) -> String {
    let line = |name: &str, of: &dyn Fn(&Step) -> f64| {
        (name.to_owned(), steps.iter().map(|step| (step.messages as f64, of(step))).collect())
    };
    let routes = ROUTES.iter().enumerate();
    let things = THINGS.iter().enumerate();
    let panels = [
        Panel {
            title: "requests per second",
            unit: "/s",
            lines: routes.map(|(number, route)| line(growth::name(route), &|step| step.per_second[number])).collect(),
        },
        Panel {
            title: "seconds",
            unit: " s",
            lines: things.map(|(number, thing)| line(thing.name(), &|step| step.seconds[number])).collect(),
        },
    ];
    let (left, top, bottom) = MARGIN;
    let (width, height) = (2.0 * (left + PANEL.0) + 30.0, top + PANEL.1 + bottom + 20.0 * COLOURS.len() as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>Costs against the number of messages</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let x = left + number as f64 * (left + PANEL.0);
        let _ = writeln!(svg, "<g transform=\"translate({x} {top})\">\n{}</g>", panel.svg());
    }
    svg + "</svg>\n"
}

impl Panel {
    fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let (x, y) =
            (Scale::of(points().map(|point| point.0), PANEL.0), Scale::of(points().map(|point| point.1), PANEL.1));
        let (width, height) = PANEL;
        let mut svg = format!("<text y=\"-20\" font-size=\"14\">{}</text>\n", self.title);
        for (value, at) in y.powers() {
            let at = height - at;
            let _ = writeln!(svg, "<path d=\"M0 {at:.1}h{width}\" stroke=\"#ccc\"/>");
            let _ =
                writeln!(svg, "<text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{value}{}</text>", at + 4.0, self.unit);
        }
        for (value, at) in x.powers() {
            let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>", height + 18.0);
        }
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">messages</text>", width / 2.0, height + 36.0);
        for (number, ((name, points), colour)) in self.lines.iter().zip(COLOURS).enumerate() {
            let at = |(of_x, of_y): &(f64, f64)| format!("{:.1},{:.1}", x.at(*of_x), height - y.at(*of_y));
            let path: Vec<String> = points.iter().map(at).collect();
            let (path, below) = (path.join(" "), height + 58.0 + 20.0 * number as f64);
            let _ = writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
            let _ = writeln!(svg, "<text x=\"0\" y=\"{below}\" fill=\"{colour}\">{name}</text>");
        }
        svg
    }
}

/// From the power of ten below the least value to that above the greatest.
struct Scale {
    least: i32,
    most: i32,
    length: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>, length: f64) -> Self {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        #[expect(clippy::cast_possible_truncation, reason = "powers of ten of what can be measured are small")]
        let (least, most) = (least.log10().floor() as i32, most.log10().ceil() as i32);
        Self { least, most: most.max(least + 1), length }
    }

    fn at(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.least)) / f64::from(self.most - self.least) * self.length
    }

    fn powers(&self) -> impl Iterator<Item = (f64, f64)> {
        (self.least..=self.most).map(|power| 10_f64.powi(power)).map(|value| (value, self.at(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_begins_and_ends_with_powers_of_ten() {
        let scale = Scale::of([2.0, 500.0].into_iter(), 300.0);
        assert_eq!(scale.powers().collect::<Vec<_>>(), [(1.0, 0.0), (10.0, 100.0), (100.0, 200.0), (1000.0, 300.0)]);
        assert_eq!(Scale::of([10.0, 10.0].into_iter(), 300.0).powers().count(), 2);
    }

    #[test]
    fn a_plot_has_a_line_for_whatever_was_measured() {
        let step = |messages: u64| Step {
            messages,
            bytes: messages,
            per_second: [1e4, 3e4, 2e4],
            with_fewest: None,
            seconds: [0.01, 0.02, 0.5],
        };
        let svg = svg(&[step(1000), step(10_000)]);
        assert_eq!(svg.matches("<polyline").count(), ROUTES.len() + THINGS.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
