//! Taking and restoring a large database, beside `cp` and a sync, and what else there is for SQLite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Setting, database};
use crate::figure::{Figure, Goal, Unit};
use crate::run::{Cost, median, settle, timed};

/// The memory that a take and a restore may need, whatever the size.
const MEMORY_MAX: f64 = 16.0 * 1024.0 * 1024.0;

/// Bytes of a message in the large database.
const MESSAGE_BYTES: u64 = 1000;

/// Bytes of the file for each of them, its key, time and the rest of a page included.
const ROW_BYTES: u64 = 1370;

/// What a thing costs, over all its runs.
pub struct Costs {
    pub what: &'static str,
    costs: Vec<Cost>,
}

impl Costs {
    pub fn seconds(&self) -> f64 {
        median(self.costs.iter().map(|cost| cost.seconds).collect())
    }

    fn peak_bytes(&self) -> u64 {
        self.costs.iter().map(|cost| cost.peak_bytes).max().unwrap_or(0)
    }
}

pub fn measure(setting: &Setting<'_>) -> Result<Vec<Figure>> {
    let path = large(setting)?;
    let size = Unit::Bytes.text(fs::metadata(&path)?.len() as f64);
    let costs = run(setting, &path, &Thing::ALL)?;
    database::remove(&path)?;
    Ok(figures(&costs, &size))
}

/// A database of the size that the scale asks for.
pub fn large(setting: &Setting<'_>) -> Result<PathBuf> {
    let path = setting.scratch.join("large.db");
    if !path.exists() {
        database::create(setting, &path, true, setting.scale.database_bytes / ROW_BYTES, MESSAGE_BYTES)?;
    }
    Ok(path)
}

fn figures(costs: &[Costs], size: &str) -> Vec<Figure> {
    let Some(cp) = costs.iter().find(|costs| costs.what == Thing::Cp.name()).map(Costs::seconds) else {
        return Vec::new();
    };
    let goal = |what| Thing::ALL.into_iter().find(|thing| thing.name() == what).map_or(Goal::None, Thing::goal);
    let mut figures = Vec::new();
    for cost in costs.iter().filter(|cost| cost.what != Thing::Cp.name()) {
        let (what, reference) = (format!("{}, {size}", cost.what), Some(("cp + fsync".to_owned(), cp)));
        figures.push(Figure { what, unit: Unit::Seconds, measured: cost.seconds(), reference, goal: goal(cost.what) });
    }
    for cost in costs.iter().filter(|cost| cost.what.starts_with("backup")) {
        let (what, measured) = (format!("{}, peak memory", cost.what), cost.peak_bytes() as f64);
        figures.push(Figure { what, unit: Unit::Bytes, measured, reference: None, goal: Goal::AtMost(MEMORY_MAX) });
    }
    figures
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Cp,
    TakeDigest,
    TakeQuick,
    RestoreDigest,
    RestoreQuick,
    ShellBackup,
    ShellVacuum,
    LitestreamTake,
    LitestreamRestore,
}

impl Thing {
    pub const ALL: [Self; 9] = [
        Self::Cp,
        Self::TakeDigest,
        Self::TakeQuick,
        Self::RestoreDigest,
        Self::RestoreQuick,
        Self::ShellBackup,
        Self::ShellVacuum,
        Self::LitestreamTake,
        Self::LitestreamRestore,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cp => "cp and fsync",
            Self::TakeDigest => "backup take, digest",
            Self::TakeQuick => "backup take, digest and quick_check",
            Self::RestoreDigest => "backup restore, digest",
            Self::RestoreQuick => "backup restore, digest and quick_check",
            Self::ShellBackup => "sqlite3 .backup, unverified",
            Self::ShellVacuum => "sqlite3 VACUUM INTO, unverified",
            Self::LitestreamTake => "litestream replicate, first snapshot",
            Self::LitestreamRestore => "litestream restore, as it comes",
        }
    }

    fn goal(self) -> Goal {
        match self {
            Self::TakeDigest | Self::RestoreDigest => Goal::RatioAtMost(1.3),
            Self::TakeQuick => Goal::RatioAtMost(2.3),
            Self::RestoreQuick => Goal::RatioAtMost(2.5),
            _ => Goal::None,
        }
    }
}

/// Runs each of the things in turn, as often as the scale says. Peers that are not installed are left out.
pub fn run(setting: &Setting<'_>, path: &Path, things: &[Thing]) -> Result<Vec<Costs>> {
    let place = Place::new(setting, path)?;
    let mut all: Vec<Costs> = things.iter().map(|thing| Costs { what: thing.name(), costs: Vec::new() }).collect();
    for _ in 0..setting.scale.runs {
        for (thing, costs) in things.iter().zip(&mut all) {
            place.clear()?;
            settle(setting.scratch)?;
            costs.costs.extend(place.run(*thing)?);
        }
    }
    place.remove()?;
    all.retain(|costs| !costs.costs.is_empty());
    Ok(all)
}

/// Where copies go.
struct Place<'a> {
    setting: &'a Setting<'a>,
    database: &'a Path,
    copy: PathBuf,
    /// Holds what restores restore.
    kept: PathBuf,
    repository: PathBuf,
    replica: PathBuf,
}

impl<'a> Place<'a> {
    fn new(setting: &'a Setting<'a>, database: &'a Path) -> Result<Self> {
        let at = |name: &str| setting.scratch.join(name);
        let (copy, kept, repository, replica) = (at("copy.db"), at("kept"), at("repository"), at("replica"));
        let place = Self { setting, database, copy, kept, repository, replica };
        fs::create_dir_all(&place.kept)?;
        fs::create_dir_all(&place.repository)?;
        timed(&mut place.take(&place.kept, "none"))?;
        Ok(place)
    }

    fn clear(&self) -> Result<()> {
        database::remove(&self.copy)?;
        empty(&self.repository)
    }

    fn remove(&self) -> Result<()> {
        self.clear()?;
        for directory in [&self.kept, &self.repository, &self.replica] {
            if directory.exists() {
                fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
            }
        }
        // Litestream's own notes beside the database.
        let notes = self.database.with_file_name(format!(".{}-litestream", file_name(self.database)));
        if notes.exists() { Ok(fs::remove_dir_all(&notes)?) } else { Ok(()) }
    }

    /// `None` if what it takes is not installed.
    fn run(&self, thing: Thing) -> Result<Option<Cost>> {
        let peer = |name: &str| self.setting.peers.program(name).map(Command::new);
        match thing {
            Thing::Cp => self.cp().map(Some),
            Thing::TakeDigest => timed(&mut self.take(&self.repository, "none")).map(Some),
            Thing::TakeQuick => timed(&mut self.take(&self.repository, "quick")).map(Some),
            Thing::RestoreDigest => timed(&mut self.restore("none")).map(Some),
            Thing::RestoreQuick => timed(&mut self.restore("quick")).map(Some),
            Thing::ShellBackup => self.shell(&format!(".backup '{}'", self.copy.display())),
            Thing::ShellVacuum => self.shell(&format!("VACUUM INTO '{}'", self.copy.display())),
            Thing::LitestreamTake => {
                let Some(mut litestream) = peer("litestream") else { return Ok(None) };
                if self.replica.exists() {
                    fs::remove_dir_all(&self.replica)?;
                }
                let arguments = ["replicate", "-log-level", "error", "-once", "-force-snapshot"];
                timed(litestream.args(arguments).arg(self.database).arg(self.replica_url())).map(Some)
            }
            Thing::LitestreamRestore => {
                let Some(mut litestream) = peer("litestream") else { return Ok(None) };
                timed(litestream.args(["restore", "-o"]).arg(&self.copy).arg(self.replica_url())).map(Some)
            }
        }
    }

    fn cp(&self) -> Result<Cost> {
        let copied = timed(Command::new("cp").arg(self.database).arg(&self.copy))?;
        let synced = timed(Command::new("sync").arg(&self.copy))?;
        Ok(Cost { seconds: copied.seconds + synced.seconds, ..copied })
    }

    fn take(&self, repository: &Path, check: &str) -> Command {
        let mut take = Command::new(self.setting.programs.path("backup"));
        take.args(["take", "--copy-unchanged", "--check", check, "--database"]).arg(self.database);
        take.arg("--repository").arg(repository);
        take
    }

    fn restore(&self, check: &str) -> Command {
        let mut restore = Command::new(self.setting.programs.path("backup"));
        restore.args(["restore", "--check", check, "--database"]).arg(&self.copy);
        restore.arg("--repository").arg(&self.kept);
        restore
    }

    fn shell(&self, command: &str) -> Result<Option<Cost>> {
        let Some(shell) = self.setting.peers.program("sqlite3") else { return Ok(None) };
        timed(Command::new(shell).arg(self.database).arg(command)).map(Some)
    }

    fn replica_url(&self) -> String {
        format!("file://{}", self.replica.display())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn empty(directory: &Path) -> Result<()> {
    fs::remove_dir_all(directory)?;
    fs::create_dir(directory).with_context(|| format!("cannot create {}", directory.display()))
}
