//! Takes a restore point: the copy of one state, verified, an atomic publication.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use crate::limits::Progress;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::copy::{self, Copied};
use crate::limits::{Deadline, Limits, WalBound};
use crate::paths::partial;
use crate::prune::Pruned;
use crate::source::{self, Snapshot};
use crate::verify::{self, Check, Checked};
use crate::versions::Versions;
use crate::{
    Durations, Error, Manifest, Name, Source, Suspicion, Writer, belongings, confirm, durable, identity, space, stored,
    suspicion,
};

#[derive(Clone, Debug)]
pub struct Request {
    pub database: PathBuf,
    /// What it is called in the repository, if not by its path.
    pub name: Option<String>,
    pub check: Check,
    /// Whether a database that has not changed since its newest restore point confirms that one, instead of being copied.
    pub confirm: bool,
    /// The level of zstd to compress with, if at all.
    pub compress: Option<i32>,
    /// How long beginning and copying may take together. The source's WAL cannot be reset meanwhile (and without
    /// WAL, others cannot commit while what they changed meanwhile is copied again).
    pub deadline: Duration,
    /// By how many bytes the source's WAL may grow meanwhile.
    pub wal_growth_max: u64,
}

impl Request {
    /// To confirm or copy a database and check it quickly, within ten minutes and 1 GiB of WAL.
    pub fn new(database: impl Into<PathBuf>) -> Self {
        let deadline = Duration::from_secs(600);
        let (check, wal_growth_max) = (Check::default(), 1 << 30);
        Self { database: database.into(), name: None, check, confirm: true, compress: None, deadline, wal_growth_max }
    }
}

/// What `backup take --json` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// What was published or confirmed.
    pub restore_point: Manifest,
    /// Whether it was there before, and holds what the database holds.
    #[serde(default)]
    pub confirmed: bool,
    /// What was pruned after that, if asked for.
    pub pruned: Option<Pruned>,
}

/// Takes a restore point and publishes it, or confirms the newest one. The source is not changed, and on an error neither
/// are the repository's restore points.
///
/// Not for a process that has connections of its own to this database without WAL: their locks would be lost.
///
/// # Errors
/// [`Error::Source`] if there is nothing to copy or the copy fails its check, [`Error::Deadline`] and
/// [`Error::WalGrowth`],
/// [`Error::Damaged`] if a manifest leaves no sequence number to follow, [`Error::Io`] and [`Error::Sqlite`] for the
/// rest (a full disk, for one).
pub fn run(writer: &Writer, request: &Request, report: &mut dyn FnMut(Progress)) -> Result<Taken, Error> {
    // From here on, no link is followed.
    let request = &Request { database: source::resolve(&request.database)?, ..request.clone() };
    let taken = match attempt(writer, request, report) {
        // Its service was started meanwhile. From now on it is read beside it.
        Err(Error::Disturbed { .. }) => attempt(writer, request, report),
        taken => taken,
    };
    let needed = || fs::metadata(&request.database).map_or(0, |database| database.len());
    taken.map_err(|error| space::explain(error, writer.repository().path(), needed()))
}

fn attempt(writer: &Writer, request: &Request, report: &mut dyn FnMut(Progress)) -> Result<Taken, Error> {
    let deadline = Deadline { began: Instant::now(), limit: request.deadline };
    let scratch = writer.repository().path();
    let snapshot = source::begin_without_a_trace(&request.database, request.deadline, scratch)?;
    let earlier = writer.repository().manifests()?;
    let source = recognize(request, &snapshot, &earlier)?;
    let identity = identity::of(snapshot.content.lineage.as_ref(), Some(&source));
    let wal = WalBound::new(&request.database, request.wal_growth_max, snapshot.kept.at_rest.is_some())?;
    let limits = Limits { deadline, wal: Some(&wal) };
    if request.confirm
        && let Some(newest) = earlier.iter().rfind(|manifest| manifest.identity() == identity)
        && let Some(restore_point) =
            confirm::newest(writer, newest, (&snapshot, &source), (&request.database, request.check), limits)?
    {
        return Ok(Taken { restore_point, confirmed: true, pruned: None });
    }
    let mut name = writer.free_name(snapshot.created_at)?;
    let published = copy_and_publish((writer, &earlier), request, (snapshot, source), &mut name, limits, report);
    if published.is_err()
        && let Err(error) = writer.discard(&name)
    {
        // The next take sweeps it; what failed first matters more.
        tracing::warn!(%name, "cannot clean up: {error}");
    }
    published.map(|restore_point| Taken { restore_point, confirmed: false, pruned: None })
}

/// Whose the snapshot is.
fn recognize(request: &Request, snapshot: &Snapshot, earlier: &[Manifest]) -> Result<Source, Error> {
    let source = Source::of(&request.database, request.name.as_deref())?;
    match &snapshot.content.lineage {
        Some(_) => Ok(source),
        None => {
            let newest_first = earlier.iter().rev().filter_map(|manifest| manifest.source.as_ref());
            source.recognized(newest_first, &snapshot.connection)
        }
    }
}

fn copy_and_publish(
    (writer, earlier): (&Writer, &[Manifest]),
    request: &Request,
    (snapshot, source): (Snapshot, Source),
    name: &mut Name,
    limits: Limits<'_>,
    report: &mut dyn FnMut(Progress),
) -> Result<Manifest, Error> {
    let mut target = partial(&writer.repository().database(name));
    let file = belongings::create_copy(&request.database, &target)?;
    let began_at = snapshot.created_at;
    // The source's transaction ends with it: verifying must not let its WAL grow.
    let Copied { created_at, content, holdings, change_counter, digests, held } =
        copy::snapshot(snapshot, &request.database, (&file, &target), limits, report)?;
    let copied = Instant::now();
    if created_at != began_at {
        let later = writer.free_name(created_at)?;
        let renamed = partial(&writer.repository().database(&later));
        durable::rename(&target, &renamed)?;
        (target, *name) = (renamed, later);
    }
    let size_bytes = file.metadata().map_err(Error::io("look at", &target))?.len();
    let place = (writer.next_sequence()?, name.clone(), created_at);
    let mut manifest = Manifest {
        content_blake3: Some(digests.content),
        lineage: content.lineage,
        source: Some(source),
        change_counter,
        tables: holdings.tables,
        high_water: content.high_water,
        has_rows: Some(holdings.has_rows),
        sqlite_version: rusqlite::version().to_owned(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        durations: Durations {
            copy_seconds: (copied - limits.deadline.began).as_secs_f64(),
            held_seconds: held.map(|held| held.as_secs_f64()),
            verify_seconds: 0.0,
        },
        ..Manifest::of(place, (size_bytes, content.page_size, content.page_count), digests.file)
    };
    manifest.checked = Some(check((&file, &target), &manifest, request)?);
    if let Some(level) = request.compress {
        let [_, compressed] = writer.repository().stored_files(name).map(|file| partial(&file));
        manifest.compressed = Some(stored::compress((&file, &target), &compressed, &manifest, level)?);
        durable::remove(&target)?;
    }
    compare(&mut manifest, writer, earlier);
    manifest.verified_at = source::now();
    manifest.durations.verify_seconds = copied.elapsed().as_secs_f64();
    writer.publish(&manifest)?;
    Ok(manifest)
}

/// Lets SQLite check the copy while it is brought to disk.
fn check((file, copy): (&File, &Path), manifest: &Manifest, request: &Request) -> Result<Checked, Error> {
    let fails = |error| Error::io("write", copy)(error);
    let hidden = Versions::hide(file).map_err(fails)?;
    let checked = durable::sync_while((file, copy), || {
        verify::own_copy(copy, manifest, request.check).map_err(|error| blame(&request.database, error))
    })?;
    hidden.map_or(Ok(()), |versions| versions.put_back(file)).map_err(fails)?;
    if request.check != Check::None
        && let Some(warning) = checked.warning()
    {
        tracing::warn!(name = %manifest.name, "it contains all rows, but {warning}");
    }
    Ok(checked)
}

/// Adds what shows beside those before it.
fn compare(manifest: &mut Manifest, writer: &Writer, earlier: &[Manifest]) {
    let before = earlier.iter().rfind(|earlier| earlier.identity() == manifest.identity());
    let told = before.map(|before| before.current_at(Timestamp::MAX));
    manifest.not_before = told.filter(|told| *told > manifest.created_at);
    manifest.restored_from = writer.repository().restored(manifest, earlier);
    manifest.suspicions = suspicions(manifest, earlier);
    manifest.follows_suspect = suspicion::followed(manifest, earlier);
}

/// What is suspect about the restore point to publish, which is logged too.
fn suspicions(manifest: &Manifest, earlier: &[Manifest]) -> Vec<Suspicion> {
    if earlier.is_empty() && manifest.has_rows == Some(false) {
        tracing::info!("the first restore point of this repository holds no rows");
    }
    let suspicions = suspicion::of(manifest, earlier);
    for suspicion in &suspicions {
        tracing::warn!(name = %manifest.name, "suspect, {suspicion}");
    }
    suspicions
}

/// A fresh copy that fails its check was copied from a damaged source.
fn blame(database: &Path, error: Error) -> Error {
    match error {
        Error::Damaged { reason, .. } => Error::Source {
            path: database.to_owned(),
            reason: format!(
                "its copy is damaged, so the database is too ({reason}); to keep its content anyway, copy it with \
                 --check none; to continue from an older state, restore one by name: see backup list"
            ),
        },
        other => other,
    }
}
