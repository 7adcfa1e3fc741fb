//! Many minutes of writes: nothing may fail, and nothing may grow but the database.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::service::MESSAGES;
use super::writing::WAL_MAX;
use super::{Setting, database};
use crate::figure::{Figure, Goal, Unit};
use crate::load::ADD;
use crate::load::{self, CONNECTIONS};
use crate::server::Server;

/// How often memory and `-wal` file are looked at.
const EVERY: Duration = Duration::from_millis(250);

/// By how much the memory may grow after the first tenth.
const FLAT: f64 = 1.2;

/// What was seen at a moment.
struct Sample {
    at: Duration,
    memory: f64,
    wal: f64,
}

/// What of a sample.
type Of = fn(&Sample) -> f64;

pub fn measure(setting: &Setting<'_>) -> Result<Vec<Figure>> {
    let path = setting.scratch.join("sustained.db");
    database::create(setting, &path, true, MESSAGES, 4)?;
    let server = Server::app(setting, &path)?;
    let seconds = setting.scale.sustained_seconds;
    let (pid, wal, began) = (server.id(), database::beside(&path, "-wal"), Instant::now());
    let (load, samples) = thread::scope(|scope| {
        // It fails if any request does.
        let load = scope.spawn(|| load::run_for(seconds, setting.scratch, server.address, ADD));
        let mut samples = Vec::new();
        while !load.is_finished() {
            samples.push(look(pid, &wal, began.elapsed())?);
            thread::sleep(EVERY);
        }
        let load = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?;
        anyhow::Ok((load?, samples))
    })?;
    server.stop()?;
    database::remove(&path)?;
    let early = Duration::from_secs(seconds.into()) / 10;
    let (first, rest): (Vec<_>, Vec<_>) = samples.iter().partition(|sample| sample.at <= early);
    ensure!(!first.is_empty() && !rest.is_empty(), "{} samples in {seconds} s are too few", samples.len());
    let most = |samples: &[&Sample], of: Of| samples.iter().map(|sample| of(sample)).fold(0.0, f64::max);
    let memory: Of = |sample| sample.memory;
    let wal: Of = |sample| sample.wal;
    let name = |what: &str| format!("{seconds} s of /add, {CONNECTIONS} connections{what}");
    let in_the_first = |of| Some((format!("in the first {} s", early.as_secs_f64()), most(&first, of)));
    Ok(vec![
        Figure {
            what: name(", none failed"),
            unit: Unit::PerSecond,
            measured: load.per_second,
            reference: None,
            goal: Goal::None,
        },
        Figure {
            what: name(", most memory"),
            unit: Unit::Bytes,
            measured: most(&rest, memory),
            reference: in_the_first(memory),
            goal: Goal::RatioAtMost(FLAT),
        },
        Figure {
            what: name(", largest -wal file"),
            unit: Unit::Bytes,
            measured: most(&rest, wal),
            reference: in_the_first(wal),
            goal: Goal::AtMost(WAL_MAX),
        },
    ])
}

fn look(pid: u32, wal: &Path, at: Duration) -> Result<Sample> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let kibibytes: f64 =
        resident.and_then(|number| number.parse().ok()).with_context(|| format!("no VmRSS in {path}"))?;
    Ok(Sample { at, memory: kibibytes * 1024.0, wal: fs::metadata(wal).map_or(0, |wal| wal.len()) as f64 })
}
