//! An objective and what was measured, as a bar.

use maud::{Markup, html};

use crate::report::view::Objective;
use crate::resolution::Resolution;

/// A bar from zero to the greatest of the values it shows. Places are in percent of its length.
pub(super) fn gauge(objective: &Objective, resolution: Resolution) -> Markup {
    let (least, most) = objective.bounds_seconds.unwrap_or_default();
    let (target, worst) = (objective.target_seconds, objective.worst_seconds);
    let full = [most, target].into_iter().chain(worst).fold(0.0, f64::max);
    let place = |value: f64| format!("{:.2}%", if full > 0.0 { value / full * 100.0 } else { 0.0 });
    let margin = objective.bounds_seconds.map(|_| match most <= target {
        true => format!("{} to spare", resolution.seconds(Some(target - most))),
        false => format!("{} too much", resolution.seconds(Some(most - target))),
    });
    html! {
        article.card.(objective.standing.tone()) {
            h2 { (objective.name) " " span.tag { (objective.standing.words()) } }
            p.question { (objective.question) }
            p.figure { (objective.actual) }
            div.bar aria-hidden="true" {
                i.at-most style={ "width:" (place(most)) } {}
                i.certain style={ "width:" (place(least)) } {}
                @if let Some(worst) = worst { i.worst style={ "left:" (place(worst)) } {} }
                i.target style={ "left:" (place(target)) } {}
            }
            p.against {
                span { "objective (" (objective.abbreviations[0]) ") " b { (objective.target) } }
                @if let Some(margin) = margin { b.margin { (margin) } }
            }
            @if worst.is_some() {
                p.against { span { "at the worst moment between two backups " b { (resolution.seconds(worst)) } } }
            }
        }
    }
}
