//! One time line, drawn.

use super::scale::Scale;
use super::scene::{Scene, State};
use crate::witness::event::Event;

/// Height of the row of an event.
const ROW: f64 = 17.0;
/// Width of a character of an event's text, at most.
const LETTER: f64 = 7.0;
/// Space left and right of what is drawn.
const EDGE: f64 = 14.0;

/// A time line as SVG: events above, below them the service, the writes, the restore points and what was measured.
pub(crate) struct Panel {
    /// Unique in the page.
    pub id: String,
    pub title: &'static str,
    pub description: String,
    pub width: f64,
    pub height: f64,
    pub top: f64,
    pub bands: Vec<Bar>,
    pub highlight: Option<Bar>,
    pub acknowledged: String,
    pub lost: String,
    pub failed: String,
    pub points: Vec<Diamond>,
    pub spans: Vec<Span>,
    pub flags: Vec<Flag>,
    pub ticks: Vec<(f64, String)>,
    pub edge: f64,
}

/// A stretch of time.
pub(crate) struct Bar {
    pub class: &'static str,
    pub x: f64,
    pub width: f64,
    /// Shown by a browser that points at it.
    pub title: String,
    /// Written into it, if there is room.
    pub label: &'static str,
}

/// A restore point.
pub(crate) struct Diamond {
    pub class: &'static str,
    pub x: f64,
    pub to: f64,
    pub title: String,
}

/// A measured stretch with its length.
pub(crate) struct Span {
    pub class: &'static str,
    pub x: f64,
    pub to: f64,
    pub text: String,
    pub text_x: f64,
    pub text_y: f64,
    pub anchor: &'static str,
}

/// An event: a line from its text down through everything.
pub(crate) struct Flag {
    pub x: f64,
    pub y: f64,
    pub text_x: f64,
    pub anchor: &'static str,
    pub code: String,
    pub meaning: &'static str,
}

/// What of a scene is drawn.
pub(crate) struct Frame<'a> {
    /// Unique in the page.
    pub id: String,
    pub title: &'static str,
    pub from: f64,
    pub to: f64,
    pub width: f64,
    /// A window to point out.
    pub highlight: Option<(f64, f64)>,
    pub events: &'a dyn Fn(Event) -> bool,
}

impl Panel {
    /// Draws a part of a scene.
    pub(crate) fn of(scene: &Scene, frame: &Frame) -> Self {
        let scale = Scale { from: frame.from, to: frame.to, left: EDGE, right: frame.width - EDGE };
        let flags = flags(scene, frame, &scale);
        let top = (flags.len() as f64).mul_add(ROW, 12.0);
        Self {
            id: frame.id.clone(),
            title: frame.title,
            description: description(scene, frame),
            width: frame.width,
            height: top + 166.0,
            top,
            bands: bands(scene, &scale),
            highlight: frame.highlight.map(|(from, to)| Bar {
                class: "window",
                x: scale.x(from),
                width: (scale.x(to) - scale.x(from)).max(2.0),
                title: "shown larger below".to_owned(),
                label: "",
            }),
            acknowledged: strokes(&scene.acknowledged, &scale, top + 44.0, 14.0),
            lost: strokes(&scene.lost, &scale, top + 40.0, 22.0),
            failed: strokes(&scene.failed, &scale, top + 52.0, 12.0),
            points: points(scene, &scale),
            spans: spans(scene, &scale),
            ticks: scale.ticks(if frame.width > 600.0 { 90.0 } else { 64.0 }),
            flags,
            edge: EDGE,
        }
    }
}

fn description(scene: &Scene, frame: &Frame) -> String {
    let shown = |(event, at): &(Event, f64)| {
        let wanted = (frame.events)(*event) && (frame.from..=frame.to).contains(at);
        wanted.then(|| format!("{} at {}", event.meaning(), scene.resolution.seconds(Some(*at))))
    };
    let events: Vec<String> = scene.events.iter().filter_map(shown).collect();
    format!(
        "From {} to {} of the drill: {}. Every event is in the table of events.",
        scene.resolution.seconds(Some(frame.from)),
        scene.resolution.seconds(Some(frame.to)),
        events.join(", ")
    )
}

/// Each event in a row of its own, so that no text covers another.
fn flags(scene: &Scene, frame: &Frame, scale: &Scale) -> Vec<Flag> {
    let shown = scene.events.iter().filter(|(event, at)| (frame.events)(*event) && scale.shows(*at));
    (0_u32..)
        .zip(shown)
        .map(|(row, (event, at))| {
            let (x, code, meaning) = (scale.x(*at), event.code(), event.meaning());
            let length = (code.len() + meaning.len() + 1) as f64 * LETTER;
            let fits = x + 6.0 + length < scale.right;
            Flag {
                x,
                y: f64::from(row).mul_add(ROW, 14.0),
                text_x: if fits { x + 6.0 } else { (x - 6.0).max(scale.left + length) },
                anchor: if fits { "start" } else { "end" },
                code,
                meaning,
            }
        })
        .collect()
}

fn bands(scene: &Scene, scale: &Scale) -> Vec<Bar> {
    let shown = scene.bands.iter().filter(|band| band.to >= scale.from && band.from <= scale.to);
    shown
        .map(|band| {
            let (class, label) = match band.state {
                State::Up => ("up", "up"),
                State::FalseUp => ("false-up", "false up"),
                State::Down => ("down", "down"),
            };
            let (x, to) = (scale.x(band.from), scale.x(band.to));
            let width = (to - x).max(1.5);
            let title = format!(
                "{label} from {} to {}",
                scene.resolution.seconds(Some(band.from)),
                scene.resolution.seconds(Some(band.to))
            );
            let label = if width > label.len() as f64 * LETTER + 8.0 { label } else { "" };
            Bar { class, x, width, title, label }
        })
        .collect()
}

/// A stroke for each moment, one at most in half a unit: there may be thousands.
fn strokes(moments: &[f64], scale: &Scale, y: f64, height: f64) -> String {
    let mut places: Vec<f64> = moments
        .iter()
        .filter(|moment| scale.shows(**moment))
        .map(|moment| (scale.x(*moment) * 2.0).round() / 2.0)
        .collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    places.iter().map(|x| format!("M{x} {y}v{height}")).collect()
}

fn points(scene: &Scene, scale: &Scale) -> Vec<Diamond> {
    let shown = scene.points.iter().filter(|point| point.published >= scale.from && point.began <= scale.to);
    shown
        .map(|point| {
            let (class, what) = match (point.restored, point.rejected) {
                (true, _) => ("restored", ", restored"),
                (_, true) => ("rejected", ", passed over"),
                _ => ("point", ""),
            };
            let (began, published) =
                (scene.resolution.seconds(Some(point.began)), scene.resolution.seconds(Some(point.published)));
            Diamond {
                class,
                x: scale.x(point.began),
                to: scale.x(point.published),
                title: format!("{}: snapshot {began}, published {published}{what}", point.name),
            }
        })
        .collect()
}

fn spans(scene: &Scene, scale: &Scale) -> Vec<Span> {
    let loss = scene.loss.map(|stretch| (stretch, "loss", "lost", 16.0));
    let recovery = scene.recovery.map(|stretch| (stretch, "recovery", "to recover", 31.0));
    [loss, recovery]
        .into_iter()
        .flatten()
        .filter(|((from, to), ..)| *to >= scale.from && *from <= scale.to)
        .map(|((from, to), class, what, text_y)| {
            let (x, end) = (scale.x(from), scale.x(to));
            let text = format!("{} {what}", scene.resolution.seconds(Some(to - from)));
            let fits = x + text.len() as f64 * LETTER < scale.right;
            let (text_x, anchor) = if fits { (x, "start") } else { (end, "end") };
            Span { class, x, to: end.max(x + 1.5), text, text_x, text_y, anchor }
        })
        .collect()
}
