//! The service under load, beside Flask, which it replaces.

use anyhow::Result;

use super::{Setting, database};
use crate::figure::{Figure, Goal, Unit};
use crate::load::{self, ADD, CONNECTIONS, Load};
use crate::run::median;
use crate::server::Server;

/// What is there before the load.
pub const MESSAGES: u64 = 1000;

/// Each route, and how many times as many requests a second it has to answer.
const ROUTES: [(&str, f64); 4] = [("/", 20.0), ("/count", 20.0), ("/consultation", 10.0), (ADD, 30.0)];

/// How much less the slowest of a hundred answers has to take.
const P99: f64 = 0.1;

pub fn measure(setting: &Setting<'_>) -> Result<Vec<Figure>> {
    let (ours, theirs) = (setting.scratch.join("app.db"), setting.scratch.join("flask.db"));
    database::create(setting, &ours, true, MESSAGES, 4)?;
    database::create(setting, &theirs, false, MESSAGES, 4)?;
    let (app, flask) = (Server::app(setting, &ours)?, Server::flask(setting, &theirs)?);
    let mut figures = Vec::new();
    for (route, goal) in ROUTES {
        let (measured, compared) = load::in_turns(setting, &app, flask.as_ref(), route)?;
        let name = route.split('?').next().unwrap_or(route);
        let figure = |what: &str, unit, of: fn(&Load) -> f64, goal| {
            let middle = |loads: &[Load]| median(loads.iter().map(of).collect());
            let reference = (!compared.is_empty()).then(|| ("Flask".to_owned(), middle(&compared)));
            Figure {
                what: format!("{name}, {CONNECTIONS} connections{what}"),
                unit,
                measured: middle(&measured),
                reference,
                goal,
            }
        };
        figures.push(figure("", Unit::PerSecond, |load| load.per_second, Goal::RatioAtLeast(goal)));
        figures.push(figure(", p99", Unit::Seconds, |load| load.p99_seconds, Goal::RatioAtMost(P99)));
    }
    app.stop()?;
    flask.map_or(Ok(()), Server::stop)?;
    database::remove(&ours)?;
    database::remove(&theirs)?;
    Ok(figures)
}
