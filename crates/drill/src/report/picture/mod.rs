//! The time line of a drill as a picture: for the page, and as a file of its own.

mod draw;
mod panel;
mod scale;
mod scene;

use maud::{PreEscaped, html};

use panel::{Frame, Panel};
use scene::Scene;

use super::Report;
use crate::witness::event::Event;
use crate::witness::record::Record;

/// The whole drill, and the outage larger.
pub(super) struct Picture {
    pub overview: Panel,
    /// The outage larger, if there was one.
    pub outage: Option<Panel>,
}

/// How time lines look, light and dark; needed once wherever one is shown.
pub(super) const STYLE: &str = include_str!("timeline.css");

impl Picture {
    /// Draws it so wide that the text can be read at that width.
    pub(super) fn of(report: &Report, record: &Record, width: f64) -> Self {
        let scene = Scene::of(report, record);
        let window = outage(&scene);
        let large = |event| window.is_some() && !in_overview(event);
        let overview = Frame {
            id: format!("overview-{width}"),
            title: "The whole drill",
            from: 0.0,
            to: scene.end,
            width,
            highlight: window,
            events: &|event| !large(event),
        };
        let outage = window.map(|(from, to)| {
            let (id, title) = (format!("outage-{width}"), "The outage");
            Panel::of(&scene, &Frame { id, title, from, to, width, highlight: None, events: &|_| true })
        });
        Self { overview: Panel::of(&scene, &overview), outage }
    }

    /// As a file of its own, `timeline.svg`.
    pub(super) fn file(&self, report: &Report) -> String {
        let heading = format!("{} on {}: {}", report.scenario, report.platform, report.verdict);
        let (width, below) = (self.overview.width, self.overview.height + 60.0);
        let height = below + self.outage.as_ref().map_or(0.0, |panel| panel.height + 26.0);
        let file = html! {
            svg.timeline xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (width) " " (height) } width=(width)
                height=(height) role="img" aria-labelledby="title" {
                title id="title" { (heading) }
                style { (PreEscaped(STYLE)) }
                rect.paper width="100%" height="100%" rx="6" {}
                text.heading x="14" y="24" { (heading) }
                text x="14" y="48" { (self.overview.title) }
                svg y="52" width=(width) height=(self.overview.height) { (self.overview) }
                @if let Some(outage) = &self.outage {
                    text x="14" y=(below + 14.0) { (outage.title) }
                    svg y=(below + 18.0) width=(width) height=(outage.height) { (outage) }
                }
            }
        };
        file.into_string() + "\n"
    }
}

/// The events that structure the whole drill; the others are shown with the outage.
fn in_overview(event: Event) -> bool {
    matches!(event, Event::E0 | Event::D0 | Event::S3 | Event::V | Event::X | Event::Z)
}

/// The window of the outage: from the fault to the correct service, or to the end without one, and a margin.
fn outage(scene: &Scene) -> Option<(f64, f64)> {
    let fault = scene.at(Event::D0)?;
    let begin = scene.at(Event::F1).map_or(fault, |failed| failed.min(fault));
    let end = scene.at(Event::S3).unwrap_or(scene.end);
    let margin = ((end - begin) * 0.15).max(0.1);
    Some(((begin - margin).max(0.0), (end + margin).min(scene.end)))
}
