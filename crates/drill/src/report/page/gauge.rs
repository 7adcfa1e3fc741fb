//! An objective and what was measured, as a bar.

use maud::{Markup, Render, html};

use crate::report::Report;
use crate::report::figures::{interval, met, seconds};

/// A bar from zero to the greatest of the values it shows. Places are in percent of its length.
pub(super) struct Gauge {
    name: &'static str,
    question: &'static str,
    objective_name: &'static str,
    actual: String,
    objective: String,
    verdict: &'static str,
    class: &'static str,
    margin: String,
    /// Measured for certain.
    certain: String,
    /// Measured at most.
    at_most: String,
    /// The objective.
    target: String,
    /// The worst case, where there is one: its place and how to say it.
    worst: Option<(String, String)>,
}

impl Render for Gauge {
    fn render(&self) -> Markup {
        html! {
            article.card.(self.class) {
                h2 { (self.name) " " span.tag { (self.verdict) } }
                p.question { (self.question) }
                p.figure { (self.actual) }
                div.bar aria-hidden="true" {
                    i.at-most style={ "width:" (self.at_most) "%" } {}
                    i.certain style={ "width:" (self.certain) "%" } {}
                    @if let Some((place, _)) = &self.worst { i.worst style={ "left:" (place) "%" } {} }
                    i.target style={ "left:" (self.target) "%" } {}
                }
                p.against {
                    span { "objective (" (self.objective_name) ") " b { (self.objective) } }
                    b.margin { (self.margin) }
                }
                @if let Some((_, worst)) = &self.worst {
                    p.against { span { "at the worst moment between two backups " b { (worst) } } }
                }
            }
        }
    }
}

impl Gauge {
    /// Recovery time against its objective.
    pub(super) fn time(report: &Report) -> Self {
        let rta = report.actual.rta_seconds;
        let bar = Self::of([rta, rta], report.objectives.rto_seconds, None);
        Self {
            name: "Recovery time",
            question: "How long was the service not correct?",
            objective_name: "RTO",
            actual: seconds(rta),
            ..bar
        }
    }

    /// Data loss against its objective.
    pub(super) fn loss(report: &Report) -> Self {
        let actual = &report.actual;
        let (min, max) = (actual.rpa_seconds_min, actual.rpa_seconds_max);
        // Where nothing had to be restored, no moment would have been worse.
        let worst = actual.worst_case_rpo_seconds.filter(|_| report.restore_point.is_some());
        let bar = Self::of([min, max], report.objectives.rpo_seconds, worst);
        Self {
            name: "Data loss",
            question: "How much of the last acknowledged work is gone?",
            objective_name: "RPO",
            actual: interval(min, max),
            ..bar
        }
    }

    fn of([min, max]: [Option<f64>; 2], objective: f64, worst: Option<f64>) -> Self {
        let full = [max, worst, Some(objective)].into_iter().flatten().fold(0.0, f64::max);
        let place = |value: f64| format!("{:.2}", if full > 0.0 { value / full * 100.0 } else { 0.0 });
        let verdict = met(objective, max);
        Self {
            name: "",
            question: "",
            objective_name: "",
            actual: String::new(),
            objective: seconds(Some(objective)),
            verdict,
            class: match verdict {
                "met" => "pass",
                "MISSED" => "fail",
                _ => "inconclusive",
            },
            margin: match max {
                Some(max) if max <= objective => format!("{} to spare", seconds(Some(objective - max))),
                Some(max) => format!("{} too much", seconds(Some(max - objective))),
                None => "not measured".to_owned(),
            },
            certain: place(min.unwrap_or(0.0)),
            at_most: place(max.unwrap_or(0.0)),
            target: place(objective),
            worst: worst.map(|worst| (place(worst), seconds(Some(worst)))),
        }
    }
}
