//! Databases of the service, filled.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Setting;
use crate::run::timed;
use crate::server::Server;

const FILL: &str = include_str!("fill.py");

/// Creates a database with the service's own tables, if it is one of the service, and so many messages of so many bytes.
pub fn create(setting: &Setting<'_>, path: &Path, of_the_service: bool, messages: u64, bytes: u64) -> Result<()> {
    if of_the_service {
        Server::app(setting, path)?.stop()?;
    }
    let script = setting.scratch.join("fill.py");
    std::fs::write(&script, FILL).with_context(|| format!("cannot write {}", script.display()))?;
    let mut python = Command::new("python3");
    python.arg(&script).arg(path).args([messages.to_string(), bytes.to_string()]);
    timed(&mut python).map(drop).with_context(|| format!("cannot fill {}", path.display()))
}

/// Removes a database with what SQLite keeps beside it.
pub fn remove(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let file = beside(path, suffix);
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}
