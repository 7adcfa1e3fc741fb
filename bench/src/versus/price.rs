//! What protection costs while nothing is broken: acknowledged writes a second, and space on the other volume.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Contender, Setting};
use crate::load;
use crate::load::ADD;
use crate::server::Server;

/// So seldom that no restore point but the first is taken while the load lasts.
const NEVER: &str = "3600s";

/// The price of one protection, in one run.
pub struct Price {
    pub per_second: f64,
    pub p99_seconds: f64,
    /// On the other volume, for each write that was acknowledged.
    pub bytes_per_write: f64,
}

/// Loads the service with a contender at work, or with none.
pub fn measure(setting: &Setting, contender: Option<&Contender>) -> Result<Price> {
    let place = setting.output.join("up");
    clear(&place)?;
    let log = setting.output.join("up.log");
    let log = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut up = Command::new(setting.programs.path("drill"));
    up.args(["up", "--listen", "127.0.0.1:0", "--dir"]).arg(&place).stderr(Stdio::from(log));
    let every = format!("{}s", setting.every);
    up.args(["--backup-every", if contender.is_some() { &every } else { NEVER }]);
    up.args(contender.map_or(&[][..], |contender| &contender.arguments));
    let server = Server::announcing(up, |line| {
        let address = line.strip_prefix("http://").context("it told no URL")?.trim_end_matches('/');
        Ok(address.parse()?)
    })?;
    let load = load::run_for(setting.load_seconds, &setting.output, server.address, ADD)?;
    let space = bytes_below(&place.join("pra-backup"))?;
    server.stop()?;
    clear(&place)?;
    let load::Load { per_second, p99_seconds, requests } = load;
    Ok(Price { per_second, p99_seconds, bytes_per_write: space as f64 / requests })
}

impl Price {
    pub fn json(&self) -> Value {
        json!({"per_second": self.per_second, "p99_seconds": self.p99_seconds, "bytes_per_write": self.bytes_per_write})
    }
}

fn clear(place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    Ok(())
}

/// The sizes of all files below a directory. What goes away meanwhile is not counted.
fn bytes_below(directory: &Path) -> Result<u64> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut bytes = 0;
    for entry in entries.flatten() {
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()).unwrap_or(0),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
    }
    Ok(bytes)
}
