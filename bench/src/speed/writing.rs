//! What those who write notice while a large database is taken, beside what they notice of a `cp` of it.

mod clients;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use self::clients::Clients;
use super::{Setting, copying, database};
use crate::figure::{Figure, Goal, Unit};
use crate::run::{median, settle, timed, timed_beside};
use crate::server::Server;

/// Durable writes a second.
const RATE: u32 = 1000;

/// The longest wait that a take may cause, in seconds.
const STALL_MAX: f64 = 0.1;

/// The size that the `-wal` file may reach.
pub const WAL_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// What was noticed while something ran beside.
struct Noticed {
    p99: f64,
    worst: f64,
    /// The greatest size of the `-wal` file.
    wal_bytes: f64,
}

pub fn measure(setting: &Setting<'_>) -> Result<Vec<Figure>> {
    let path = copying::large(setting)?;
    let (repository, copy, wal) =
        (setting.scratch.join("repository"), setting.scratch.join("copy.db"), database::beside(&path, "-wal"));
    let (mut takes, mut copies) = (Vec::new(), Vec::new());
    for _ in 0..setting.scale.runs {
        fs::create_dir_all(&repository)?;
        settle(setting.scratch)?;
        let mut take = Command::new(setting.programs.path("backup"));
        take.args(["take", "--copy-unchanged", "--database"]).arg(&path).arg("--repository").arg(&repository);
        takes.push(beside(setting, &path, |look| timed_beside(&mut take, || look(&wal)).map(drop))?);
        fs::remove_dir_all(&repository)?;
        settle(setting.scratch)?;
        copies.push(beside(setting, &path, |look| {
            timed_beside(Command::new("cp").arg(&path).arg(&copy), || look(&wal))?;
            timed(Command::new("sync").arg(&copy)).map(drop)
        })?);
        database::remove(&copy)?;
    }
    let of = |noticed: &[Noticed], what: fn(&Noticed) -> f64| median(noticed.iter().map(what).collect());
    let figure = |what: &str, unit, pick: fn(&Noticed) -> f64, goal| {
        let what = format!("{what} of {RATE} writes a second during a take");
        let reference = Some(("during cp + fsync".to_owned(), of(&copies, pick)));
        Figure { what, unit, measured: of(&takes, pick), reference, goal }
    };
    Ok(vec![
        figure("p99", Unit::Seconds, |noticed| noticed.p99, Goal::RatioAtMost(2.0)),
        figure("longest", Unit::Seconds, |noticed| noticed.worst, Goal::AtMost(STALL_MAX)),
        figure("-wal file", Unit::Bytes, |noticed| noticed.wal_bytes, Goal::AtMost(WAL_MAX)),
    ])
}

/// Writes all the time while `work` runs, which has to look at the `-wal` file now and then.
fn beside(
    setting: &Setting<'_>,
    path: &Path,
    work: impl FnOnce(&mut dyn FnMut(&Path)) -> Result<()>,
) -> Result<Noticed> {
    let server = Server::app(setting, path)?;
    let clients = Clients::start(server.address, RATE)?;
    let mut wal_bytes = 0;
    let began = Instant::now();
    let worked = work(&mut |wal| wal_bytes = wal_bytes.max(fs::metadata(wal).map_or(0, |wal| wal.len())));
    let mut waits = clients.stop(began, Instant::now())?;
    worked?;
    server.stop()?;
    waits.sort_by(f64::total_cmp);
    // There is at least one.
    let last = waits.len() - 1;
    Ok(Noticed { p99: waits[last * 99 / 100], worst: waits[last], wal_bytes: wal_bytes as f64 })
}
