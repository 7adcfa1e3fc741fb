//! `GET /status`: the database and the last restore point of it.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use backup::lineage::Lineage;
use backup::{Manifest, Repository};
use jiff::Timestamp;
use serde::Serialize;

use crate::error::ApiError;
use crate::router::Service;
use crate::store::Summary;

/// The state of the service. `null` stands for what is not known or does not exist.
#[derive(Serialize)]
pub struct Status {
    count: i64,
    /// The newest restore point of *this* database: those of an earlier lineage do not protect it.
    last_backup_file: Option<String>,
    /// Since the instant its snapshot began.
    backup_age_seconds: Option<i64>,
    backup_sequence: Option<u64>,
    backup_size_bytes: Option<u64>,
    backup_dir: Option<String>,
    /// Why the repository cannot be read.
    backup_error: Option<String>,
    database: String,
    lineage: Option<Lineage>,
    size_bytes: i64,
    version: &'static str,
    uptime_seconds: u64,
}

/// Answers the state of the database, and of its restore points as far as the repository can be read.
pub async fn status(State(service): State<Service>) -> Result<Json<Status>, ApiError> {
    let summary = service.store.summary().await?;
    let (newest, backup_error) = match newest(&service, &summary).await {
        Ok(newest) => (newest, None),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "cannot read the repository of restore points");
            (None, Some(format!("{error:#}")))
        }
    };
    Ok(Json(Status {
        count: summary.count,
        last_backup_file: newest.as_ref().map(|newest| newest.name.database_file()),
        backup_age_seconds: newest.as_ref().map(age_seconds),
        backup_sequence: newest.as_ref().map(|newest| newest.sequence),
        backup_size_bytes: newest.as_ref().map(|newest| newest.size_bytes),
        backup_dir: service.backup_dir.as_ref().map(|directory| directory.display().to_string()),
        backup_error,
        database: service.store.path().display().to_string(),
        lineage: summary.lineage,
        size_bytes: summary.size_bytes,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: service.started.elapsed().as_secs(),
    }))
}

async fn newest(service: &Service, summary: &Summary) -> anyhow::Result<Option<Manifest>> {
    let (Some(directory), Some(lineage)) = (&service.backup_dir, &summary.lineage) else { return Ok(None) };
    let (directory, lineage) = (PathBuf::clone(directory), lineage.clone());
    // A repository may be large, or on a slow disk.
    Ok(tokio::task::spawn_blocking(move || Repository::at(directory).newest(Some(&lineage))).await??)
}

/// Never negative: a clock that was set back makes a restore point new, not one of the future.
fn age_seconds(newest: &Manifest) -> i64 {
    Timestamp::now().duration_since(newest.created_at).as_secs().max(0)
}
