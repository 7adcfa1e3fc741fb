//! A panel as SVG.

use maud::{Markup, Render, html};

use super::panel::{Diamond, Flag, Panel, Span};

/// Height of the lanes below the events, down to the axis.
const LANES: f64 = 140.0;

impl Render for Panel {
    fn render(&self) -> Markup {
        let (top, axis) = (self.top, self.top + LANES);
        html! {
            svg.timeline xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (self.width) " " (self.height) }
                width=(self.width) height=(self.height) role="img"
                aria-labelledby={ (self.id) "-title " (self.id) "-description" } {
                title id={ (self.id) "-title" } { (self.title) }
                desc id={ (self.id) "-description" } { (self.description) }
                @if let Some(window) = &self.highlight {
                    rect.window x=(window.x) y=(top) width=(window.width) height=(LANES) { title { (window.title) } }
                }
                g.grid { @for (x, _) in &self.ticks { path d={ "M" (x) " " (top) "V" (axis) } {} } }
                g.flags { @for flag in &self.flags { path d={ "M" (flag.x) " " (flag.y - 8.0) "V" (axis) } {} } }
                g transform={ "translate(0 " (top + 4.0) ")" } { (self.service()) }
                path.acknowledged d=(self.acknowledged) { title { "acknowledged writes" } }
                path.failed d=(self.failed) { title { "writes refused, or with an unknown outcome" } }
                path.lost d=(self.lost) { title { "acknowledged writes that are lost" } }
                g transform={ "translate(0 " (top + 82.0) ")" } { @for point in &self.points { (point) } }
                g transform={ "translate(0 " (top + 102.0) ")" } { @for span in &self.spans { (span) } }
                g.flags { @for flag in &self.flags { (flag) } }
                g.axis {
                    path d={ "M" (self.edge) " " (axis) "H" (self.width - self.edge) } {}
                    @for (x, label) in &self.ticks {
                        path d={ "M" (x) " " (axis) "v5" } {}
                        text x=(x) y=(axis + 19.0) text-anchor="middle" { (label) }
                    }
                }
            }
        }
    }
}

impl Panel {
    /// What nobody looked at stays as it is painted first.
    fn service(&self) -> Markup {
        html! {
            rect.unseen x=(self.edge) width=(self.width - 2.0 * self.edge) height="24" {}
            @for bar in &self.bands {
                rect class=(bar.class) x=(bar.x) width=(bar.width) height="24" { title { (bar.title) } }
                @if !bar.label.is_empty() {
                    text.in-band x=(bar.x + bar.width / 2.0) y="16" text-anchor="middle" { (bar.label) }
                }
            }
        }
    }
}

impl Render for Diamond {
    fn render(&self) -> Markup {
        html! {
            g class=(self.class) {
                path.taking d={ "M" (self.x) " 0H" (self.to) } {}
                path.snapshot d={ "M" (self.x) " -6l5 6l-5 6l-5 -6z" } {}
                title { (self.title) }
            }
        }
    }
}

impl Render for Span {
    fn render(&self) -> Markup {
        html! {
            g class=(self.class) {
                path.span d={ "M" (self.x) " -4v8M" (self.x) " 0H" (self.to) "M" (self.to) " -4v8" } {}
                text x=(self.text_x) y=(self.text_y) text-anchor=(self.anchor) { (self.text) }
            }
        }
    }
}

impl Render for Flag {
    fn render(&self) -> Markup {
        html! {
            circle cx=(self.x) cy=(self.y - 4.0) r="2.5" {}
            text x=(self.text_x) y=(self.y) text-anchor=(self.anchor) {
                tspan.code { (self.code) } " " (self.meaning)
            }
        }
    }
}
