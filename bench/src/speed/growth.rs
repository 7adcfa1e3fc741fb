//! What costs more as messages grow, and what does not.

use std::fs;

use anyhow::Result;

use super::copying::{self, Costs, Thing};
use super::{Setting, database};
use crate::figure::{Figure, Goal, Unit, table_of};
use crate::load::ADD;
use crate::load::{self, Load};
use crate::programs::say;
use crate::run::{median, settle};
use crate::server::Server;

/// Bytes of a message: what people write.
const MESSAGE_BYTES: u64 = 40;

/// By how much an answer may get slower from the smallest database to the largest.
const FLAT: f64 = 1.2;

/// The routes whose cost must not grow.
pub const ROUTES: [&str; 3] = [ADD, "/count", "/consultation"];

/// What copies a database.
pub const THINGS: [Thing; 3] = [Thing::Cp, Thing::TakeQuick, Thing::RestoreQuick];

/// What was measured of one size.
pub struct Step {
    pub messages: u64,
    pub bytes: u64,
    /// Requests a second of each route.
    pub per_second: [f64; ROUTES.len()],
    /// The same with the fewest messages, in turns with them; of the largest size alone.
    pub with_fewest: Option<[f64; ROUTES.len()]>,
    /// What each thing takes.
    pub seconds: [f64; THINGS.len()],
}

pub fn measure(setting: &Setting<'_>) -> Result<Vec<Step>> {
    let sizes = setting.scale.messages;
    let fewest =
        |messages: &u64| sizes.first().copied().filter(|fewest| sizes.last() == Some(messages) && fewest < messages);
    sizes.iter().map(|messages| step(setting, *messages, fewest(messages))).collect()
}

fn step(setting: &Setting<'_>, messages: u64, fewest: Option<u64>) -> Result<Step> {
    say(&format!("growth: {messages} messages"));
    let (path, small) = (setting.scratch.join("growth.db"), setting.scratch.join("fewest.db"));
    database::create(setting, &path, true, messages, MESSAGE_BYTES)?;
    let bytes = fs::metadata(&path)?.len();
    let costs = copying::run(setting, &path, &THINGS)?;
    let seconds =
        THINGS.map(|thing| costs.iter().find(|costs| costs.what == thing.name()).map_or(f64::NAN, Costs::seconds));
    if let Some(fewest) = fewest {
        database::create(setting, &small, true, fewest, MESSAGE_BYTES)?;
    }
    // What the copies left in memory goes to disk now, and not beside the load.
    settle(setting.scratch)?;
    let server = Server::app(setting, &path)?;
    let beside = fewest.map(|_| Server::app(setting, &small)).transpose()?;
    let (mut per_second, mut with_fewest) = ([0.0; ROUTES.len()], [0.0; ROUTES.len()]);
    for (number, route) in ROUTES.iter().enumerate() {
        // In turns: the machine is not the same minutes later.
        let (large, few) = load::in_turns(setting, &server, beside.as_ref(), route)?;
        let middle = |loads: &[Load]| median(loads.iter().map(|load| load.per_second).collect());
        (per_second[number], with_fewest[number]) = (middle(&large), middle(&few));
    }
    server.stop()?;
    beside.map_or(Ok(()), Server::stop)?;
    database::remove(&path)?;
    database::remove(&small)?;
    Ok(Step { messages, bytes, per_second, with_fewest: fewest.map(|_| with_fewest), seconds })
}

/// How much slower each route is with the most messages than with the fewest.
pub fn figures(steps: &[Step]) -> Vec<Figure> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Vec::new() };
    let Some(with_fewest) = last.with_fewest else { return Vec::new() };
    let flat = |(number, route): (usize, &&str)| Figure {
        what: format!("{}: a request with {} messages", name(route), last.messages),
        unit: Unit::Seconds,
        measured: 1.0 / last.per_second[number],
        reference: Some((format!("with {}", first.messages), 1.0 / with_fewest[number])),
        goal: Goal::RatioAtMost(FLAT),
    };
    ROUTES.iter().enumerate().map(flat).collect()
}

pub fn table(steps: &[Step]) -> String {
    let mut head = vec!["messages".to_owned(), "file".to_owned()];
    head.extend(ROUTES.map(|route| name(route).to_owned()));
    head.extend(THINGS.map(|thing| thing.name().to_owned()));
    let mut rows = vec![head];
    for step in steps {
        let mut row = vec![step.messages.to_string(), Unit::Bytes.text(step.bytes as f64)];
        row.extend(step.per_second.map(|value| Unit::PerSecond.text(value)));
        row.extend(step.seconds.map(|value| Unit::Seconds.text(value)));
        rows.push(row);
    }
    table_of(rows)
}

/// A route without its query.
pub fn name(route: &str) -> &str {
    route.split('?').next().unwrap_or(route)
}
