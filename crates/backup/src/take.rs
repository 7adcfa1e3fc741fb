//! Takes a restore point: one held read transaction, a verified copy, an atomic publication.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use crate::pages::Progress;

use serde::{Deserialize, Serialize};

use crate::pages::{Deadline, Limits};
use crate::prune::Pruned;
use crate::repository::partial;
use crate::source::{self, Snapshot};
use crate::verify::{self, Check};
use crate::{
    Durations, Error, Manifest, Name, SCHEMA_VERSION, Suspicion, Writer, confirm, copy, durable, space, stored,
    suspicion, wal,
};

/// What to take and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The live database.
    pub database: PathBuf,
    /// How thoroughly SQLite checks the copy.
    pub check: Check,
    /// Whether a database that has not changed since its newest restore point confirms that one, instead of being copied.
    pub confirm: bool,
    /// The level of zstd to compress with, if at all.
    pub compress: Option<i32>,
    /// How long beginning and copying may take together. The source's WAL cannot be reset meanwhile (and without
    /// WAL, nobody can write meanwhile).
    pub deadline: Duration,
    /// By how many bytes the source's WAL may grow meanwhile.
    pub wal_growth_max: u64,
}

impl Request {
    /// To confirm or copy a database and check it quickly, within ten minutes and 1 GiB of WAL.
    pub fn new(database: impl Into<PathBuf>) -> Self {
        let deadline = Duration::from_secs(600);
        let (check, wal_growth_max) = (Check::default(), 1 << 30);
        Self { database: database.into(), check, confirm: true, compress: None, deadline, wal_growth_max }
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
/// # Errors
/// [`Error::Source`] if there is nothing to copy or the copy fails its check, [`Error::Deadline`] and
/// [`Error::WalGrowth`],
/// [`Error::Damaged`] if a manifest leaves no sequence number to follow, [`Error::Io`] and [`Error::Sqlite`] for the
/// rest (a full disk, for one).
pub fn run(writer: &Writer, request: &Request, report: &mut dyn FnMut(Progress)) -> Result<Taken, Error> {
    let needed = || fs::metadata(&request.database).map_or(0, |database| database.len());
    take(writer, request, report).map_err(|error| space::explain(error, writer.repository().path(), needed()))
}

fn take(writer: &Writer, request: &Request, report: &mut dyn FnMut(Progress)) -> Result<Taken, Error> {
    let deadline = Deadline { began: Instant::now(), limit: request.deadline };
    let snapshot = source::begin(&request.database, request.deadline)?;
    let wal = wal::Bound::new(&request.database, request.wal_growth_max)?;
    let limits = Limits { deadline, wal: Some(&wal) };
    if request.confirm
        && let Some(restore_point) = confirm::newest(writer, &snapshot, &request.database, request.check, limits)?
    {
        return Ok(Taken { restore_point, confirmed: true, pruned: None });
    }
    let name = writer.free_name(snapshot.created_at)?;
    let published = copy_and_publish(writer, request, snapshot, &name, limits, report);
    if published.is_err()
        && let Err(error) = writer.discard(&name)
    {
        // The next take sweeps it; what failed first matters more.
        tracing::warn!(%name, "cannot clean up: {error}");
    }
    published.map(|restore_point| Taken { restore_point, confirmed: false, pruned: None })
}

fn copy_and_publish(
    writer: &Writer,
    request: &Request,
    snapshot: Snapshot,
    name: &Name,
    limits: Limits<'_>,
    report: &mut dyn FnMut(Progress),
) -> Result<Manifest, Error> {
    let target = partial(&writer.repository().database(name));
    durable::create_like(&request.database, &target)?;
    let Snapshot { connection, created_at, content, has_rows } = snapshot;
    let digests = copy::pages((&connection, &request.database), &target, limits, report)?;
    // The source's transaction ends here: verifying must not let its WAL grow.
    drop(connection);
    let copied = Instant::now();
    let mut manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        sequence: writer.next_sequence()?,
        name: name.clone(),
        created_at,
        verified_at: created_at,
        confirmed_at: None,
        size_bytes: fs::metadata(&target).map_err(Error::io("look at", &target))?.len(),
        page_size: content.page_size,
        page_count: content.page_count,
        blake3: digests.file,
        content_blake3: Some(digests.content),
        compressed: None,
        lineage: content.lineage,
        high_water: content.high_water,
        has_rows: Some(has_rows),
        suspicions: Vec::new(),
        sqlite_version: rusqlite::version().to_owned(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        durations: Durations { copy_seconds: (copied - limits.deadline.began).as_secs_f64(), verify_seconds: 0.0 },
    };
    durable::sync_while(&target, || {
        verify::structure(&target, &manifest, request.check).map_err(|error| blame(&request.database, error))
    })?;
    if let Some(level) = request.compress {
        let [_, compressed] = writer.repository().stored_files(name).map(|file| partial(&file));
        manifest.compressed = Some(stored::compress(&target, &compressed, &manifest, level)?);
        durable::remove(&target)?;
    }
    manifest.suspicions = suspicions(writer, &manifest)?;
    manifest.verified_at = source::now();
    manifest.durations.verify_seconds = copied.elapsed().as_secs_f64();
    writer.publish(&manifest)?;
    Ok(manifest)
}

/// What is suspect about the restore point to publish, which is logged too.
fn suspicions(writer: &Writer, manifest: &Manifest) -> Result<Vec<Suspicion>, Error> {
    let earlier = writer.repository().manifests()?;
    if earlier.is_empty() && manifest.has_rows == Some(false) {
        tracing::info!("the first restore point of this repository holds no rows");
    }
    let suspicions = suspicion::of(manifest, &earlier);
    for suspicion in &suspicions {
        tracing::warn!(name = %manifest.name, "suspect, {suspicion}");
    }
    Ok(suspicions)
}

/// A fresh copy that fails its check was copied from a damaged source.
fn blame(database: &Path, error: Error) -> Error {
    match error {
        Error::Damaged { reason, .. } => Error::Source {
            path: database.to_owned(),
            reason: format!(
                "its copy is damaged, so it is too ({reason}); restore an older point, or copy it all the same with --check none"
            ),
        },
        other => other,
    }
}
