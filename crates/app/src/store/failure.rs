//! Errors of the store, and what happened to a write it did not acknowledge.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use serde::Serialize;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    #[error("{depth} writes are waiting for the disk, the maximum; try again in a second")]
    QueueFull { depth: usize },
    /// Another process holds the lock for longer than we wait.
    #[error("the database {} is locked by another process; try again in a second", .0.display())]
    Locked(PathBuf),
    #[error("the database has not responded for {seconds} s (slow disk, or another process holds a lock)")]
    TooSlow { seconds: u64 },
    /// The files at the database's path are not those that were opened. There is no way back.
    #[error("{0}; this process no longer serves it: put the database back and restart this process")]
    Lost(String),
    /// Another program changed the tables so that what is stored in them may not be kept.
    #[error("another program changed the tables of {}: found {found}; nothing is stored until the change is \
    undone", .path.display())]
    Misshapen { path: PathBuf, found: String },
    /// What is stored now would be lost with the volume, and the policy is to store nothing then.
    #[error("cannot protect new writes against the loss of the database's volume: {0}")]
    Unprotected(String),
    #[error("cannot {action} the database {}: {reason}", .path.display())]
    Refused { action: &'static str, path: PathBuf, reason: String },
    #[error("the service no longer accepts writes: it is stopping or its writer failed")]
    Stopped,
}

impl Failure {
    /// What an error of SQLite means to whoever asked.
    pub(super) fn from_sqlite(action: &'static str, path: &Path, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(path.to_owned()),
            _ => Self::Refused { action, path: path.to_owned(), reason: error.to_string() },
        }
    }

    /// Whether no waiting and no repair of the disk helps, but only a new process.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Stopped)
    }

    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::QueueFull { .. } | Self::Locked(_) | Self::TooSlow { .. } | Self::Unprotected(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It is not stored and will not be.
    Refused,
    /// It may be stored.
    Indeterminate,
}

/// Why a write was not acknowledged, and whether it may be stored all the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{failure}")]
pub(crate) struct WriteFailure {
    pub failure: Failure,
    pub outcome: Outcome,
}

impl WriteFailure {
    pub(super) fn refused(failure: Failure) -> Self {
        Self { failure, outcome: Outcome::Refused }
    }

    pub(super) fn indeterminate(failure: Failure) -> Self {
        Self { failure, outcome: Outcome::Indeterminate }
    }
}
