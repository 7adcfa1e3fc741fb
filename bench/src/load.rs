//! Load from wrk.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::server::Server;
use crate::speed::Setting;

const SCRIPT: &str = include_str!("load.lua");

/// Stores a message of 4 bytes, as in the workshop.
pub const ADD: &str = "/add?message=test";

/// As many clients at once.
pub const CONNECTIONS: u32 = 32;

/// What a server did under load.
#[derive(Clone, Copy)]
pub struct Load {
    pub requests: f64,
    pub per_second: f64,
    pub p99_seconds: f64,
}

/// Requests one route, again and again, and fails if any request does.
pub fn run(setting: &Setting<'_>, address: SocketAddr, route: &str) -> Result<Load> {
    run_for(setting.scale.load_seconds, setting.scratch, address, route)
}

/// The same of two servers in turns, so that both meet the same moods of the machine; of one alone if there is no other.
pub fn in_turns(
    setting: &Setting<'_>,
    server: &Server,
    other: Option<&Server>,
    route: &str,
) -> Result<(Vec<Load>, Vec<Load>)> {
    let (mut loads, mut others) = (Vec::new(), Vec::new());
    for _ in 0..setting.scale.runs {
        loads.push(run(setting, server.address, route)?);
        if let Some(other) = other {
            others.push(run(setting, other.address, route)?);
        }
    }
    Ok((loads, others))
}

/// The same for so many seconds.
pub fn run_for(seconds: u32, scratch: &Path, address: SocketAddr, route: &str) -> Result<Load> {
    let script = scratch.join("load.lua");
    std::fs::write(&script, SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
    let url = format!("http://{address}{route}");
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "2", "--connections", &CONNECTIONS.to_string(), "--duration", &format!("{seconds}s")]);
    let output = wrk.arg("--script").arg(&script).arg(&url).output().context("cannot run wrk")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(last).with_context(|| format!("wrk {url} printed: {said}"))?;
    let number = |name: &str| figures[name].as_f64().with_context(|| format!("wrk {url} told no {name}: {last}"));
    let (failed, requests) = (number("failed")?, number("requests")?);
    ensure!(failed == 0.0 && requests > 0.0, "{url}: {failed} of {requests} requests failed");
    Ok(Load { requests, per_second: requests / number("microseconds")? * 1e6, p99_seconds: number("p99")? / 1e6 })
}
