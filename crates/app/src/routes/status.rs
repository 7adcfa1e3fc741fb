//! `GET /status`: the database and the last restore point of it.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use backup::Manifest;
use backup::lineage::Lineage;
use backup::verify::Verdict;
use serde::Serialize;

use crate::discretion::without_directories;
use crate::error::ApiError;
use crate::protection::{self, Protection};
use crate::service::Service;
use crate::store;

/// The state of the service. `null` stands for what is not known or does not exist.
#[derive(Serialize)]
pub(crate) struct Status {
    count: i64,
    /// The newest restore point of *this* database: those of an earlier lineage do not protect it.
    last_backup_file: Option<String>,
    /// Since its snapshot began, or since the database was last seen to hold the same. Where a clock was ahead, since the
    /// last time that can be believed.
    backup_age_seconds: Option<u64>,
    backup_suspect: Option<bool>,
    /// What SQLite said of it: `sound`, `inconsistent` or `cannot-check`.
    backup_verdict: Option<Verdict>,
    backup_sequence: Option<u64>,
    backup_size_bytes: Option<u64>,
    /// Since a restore of this database was last rehearsed and found good.
    last_verified_restore_seconds: Option<u64>,
    backup_dir: Option<String>,
    /// Why the repository cannot be read, or why there is no room in it for another restore point.
    backup_error: Option<String>,
    /// What would be lost with the database now: messages, and seconds since the first of them was stored.
    exposed_messages: Option<i64>,
    exposed_seconds: Option<f64>,
    /// Whether what is acknowledged survives the loss of the volume; `null` without `--protect`.
    protection: Option<store::Status>,
    database: String,
    lineage: Option<Lineage>,
    size_bytes: i64,
    version: &'static str,
    sqlite_version: &'static str,
    uptime_seconds: u64,
}

/// Answers the state of the database, and of its restore points as far as the repository can be read. Paths are told only if
/// that was asked for.
pub(crate) async fn status(State(service): State<Arc<Service>>) -> Result<Json<Status>, ApiError> {
    let look = service.looks.look().await?;
    let Protection { summary, newest, age, rehearsed, repository_error, no_room, exposure } = &*look;
    let told = |text: String| if service.config.status_paths { text } else { without_directories(&text) };
    let path = |path: &Path| match path.file_name().filter(|_| !service.config.status_paths) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    };
    let newest = newest.as_ref();
    let repository = service.looks.repository();
    let mut protection = service.store.protection();
    if let Some(protection) = &mut protection {
        protection.reason = protection.reason.take().map(told);
    }
    Ok(Json(Status {
        count: summary.count,
        last_backup_file: newest.map(Manifest::stored_file),
        backup_age_seconds: age.map(|age| age.as_secs()),
        backup_suspect: newest.map(Manifest::is_suspect),
        backup_verdict: newest.and_then(|newest| newest.checked.as_ref()).map(|checked| checked.verdict),
        backup_sequence: newest.map(|newest| newest.sequence),
        backup_size_bytes: newest.map(|newest| newest.size_bytes),
        last_verified_restore_seconds: rehearsed.as_ref().map(|rehearsed| protection::age(rehearsed.at).as_secs()),
        backup_dir: repository.map(|repository| path(repository.path())),
        backup_error: repository_error.clone().or(no_room.clone()).map(told),
        exposed_messages: exposure.map(|exposure| exposure.messages),
        exposed_seconds: exposure.and_then(|exposure| exposure.seconds),
        protection,
        database: path(service.store.path()),
        lineage: summary.lineage.clone(),
        size_bytes: summary.size_bytes,
        version: env!("CARGO_PKG_VERSION"),
        sqlite_version: rusqlite::version(),
        uptime_seconds: service.started.elapsed().as_secs(),
    }))
}
