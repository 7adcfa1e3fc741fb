//! What can go wrong, one variant for each thing a caller does differently about it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use nix::unistd::{getegid, geteuid};
use rusqlite::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::lineage::{Identity, Lineage};
use crate::{Name, exit};

/// An error of the library; [`Error::exit_code`] is what the program ends with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// SQLite refused an operation for a reason that is no damage.
    #[error("cannot {action} {}", path.display())]
    Sqlite { action: &'static str, path: PathBuf, source: rusqlite::Error },
    /// The repository's directory is not there, perhaps because its volume is not mounted.
    #[error("the repository {} does not exist; create the directory, mount its volume, or choose another with \
    --repository (BACKUP_DIR)", path.display())]
    NoRepository { path: PathBuf },
    #[error("cannot take a restore point of {}: {reason}", path.display())]
    Source {
        path: PathBuf,
        /// Why, and what to do next.
        reason: String,
    },
    #[error(
        "cannot read {}: another process kept it locked for {waited:?}; try again, or raise --deadline",
        path.display()
    )]
    SourceBusy { path: PathBuf, waited: Duration },
    /// A database that nobody used came into use while it was read.
    #[error("another process started to use {} while it was being read; try again", path.display())]
    Disturbed { path: PathBuf },
    #[error("stopped reading {} after {limit:?}, with {done} of {total} pages read; raise --deadline, or --hold for a \
    restore", path.display())]
    Deadline { path: PathBuf, limit: Duration, done: u64, total: u64 },
    /// The `-wal` file of a database grew more than it may while the database was read.
    #[error(
        "stopped reading {} with {done} of {total} pages read, because its -wal file grew by {} (limit: {}, and half \
         of the free space): raise --wal-growth, free space, or try again when there are fewer writes",
        path.display(), ByteSize(*growth), ByteSize(*limit)
    )]
    WalGrowth { path: PathBuf, growth: u64, limit: u64, done: u64, total: u64 },
    /// A restore point is not what its manifest says.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("no good restore point is left; nothing was restored: {}", list(rejected))]
    NothingGood {
        /// Each that was tried, newest first, with what is wrong with it.
        rejected: Vec<Rejected>,
    },
    #[error("another take or prune is running in {}; try again later or pass --wait", path.display())]
    RepositoryBusy { path: PathBuf },
    #[error("another restore to {} is running; wait for it to finish", path.display())]
    RestoreBusy { path: PathBuf },
    #[error("{} is in use{}; stop the programs that use it, then restore with --force", path.display(), by(*pid))]
    InUse {
        path: PathBuf,
        /// The process that holds a lock on it, where the kernel knows.
        pid: Option<u32>,
    },
    /// A database cannot be restored into while it is in use.
    #[error("cannot restore into {} while it is in use: {reason}", path.display())]
    IntoLive { path: PathBuf, reason: String },
    /// A database in use is of another lineage than what would be restored into it.
    #[error(
        "{} is of lineage {}, but the restore point is of lineage {}; choose another with --lineage, or pass --force \
         to restore it anyway (a safety copy is kept)", path.display(), id(found.as_ref()), id(restored.as_ref())
    )]
    OtherLineage { path: PathBuf, found: Option<Lineage>, restored: Option<Lineage> },
    /// A restore into a database in use would have keys given out a second time.
    #[error(
        "cannot restore into {} while it is in use: since the restore point, tables without AUTOINCREMENT gave out \
         keys that SQLite would reuse for other rows: {}; nothing was changed. If nobody relies on these keys, pass \
         --reuse-keys (a safety copy is kept)", path.display(), key_ranges(keys)
    )]
    ReusedKeys { path: PathBuf, keys: BTreeMap<String, RangeInclusive<i64>> },
    /// Others wrote a database that is to be restored into, all the time that was waited.
    #[error("other processes kept writing to {} for {waited:?}; nothing was restored; try again or raise \
    --wait", path.display())]
    LiveBusy { path: PathBuf, waited: Duration },
    #[error("no restore point fits: {reason}")]
    NoRestorePoint {
        /// What was looked for and what there is.
        reason: String,
    },
    /// Several databases have restore points here and none was chosen.
    #[error("the repository holds restore points of {} lineages; choose one with --lineage: {}", .0.len(), list(.0))]
    SeveralLineages(Vec<IdentitySummary>),
    /// The newest restore point is suspect, or follows one that is, and there is an older one that is not.
    #[error(
        "the newest restore point, {newest}, is not trusted ({reason}); the newest trusted one is {trusted} of \
         {trusted_at:.3}. Choose one: backup restore {trusted}, or backup restore {newest}; if the database is as it \
         should be, run once: backup trust {newest}"
    )]
    Suspect { newest: Name, reason: String, trusted: Name, trusted_at: Timestamp },
    /// The URL of a remote repository, or what the environment says of its store, makes no sense.
    #[error("cannot use the remote repository: {reason}")]
    RemoteAddress {
        /// Why, without the URL, which may have a password in it.
        reason: String,
    },
    /// A text that is no public key to encrypt for.
    #[error("cannot encrypt for the key in --encrypt-to: {reason}")]
    Recipient {
        /// Why, without the text, which may be a secret key.
        reason: String,
    },
    /// What is to decrypt is no key, or may not come that way.
    #[error("cannot use the secret key in --identity or BACKUP_IDENTITY: {reason}")]
    Identity {
        /// Why, without the text, which may be a secret key.
        reason: String,
    },
    /// The store of a remote repository did not do what it was asked for.
    #[error("cannot {action} {object}: {reason}")]
    Remote {
        action: &'static str,
        /// The object or the repository it was tried on, as a URL.
        object: String,
        reason: String,
    },
    /// A remote restore point cannot be read with the keys there are.
    #[error(
        "{object} is encrypted, and no given key decrypts it; give the secret key of one of its recipients with \
         --identity"
    )]
    Sealed { object: String },
    /// Something else has the name of a restore point that is to be pushed or pulled.
    #[error("{there} is a different restore point with the same name: {reason}; it was not changed")]
    OtherContent { there: String, reason: String },
    /// The records of a remote repository are not those that were seen of it, or not in the order they should be in.
    #[error("{remote} changed unexpectedly: {reason}")]
    History {
        remote: String,
        /// How it differs, from when, and what to do next.
        reason: String,
    },
    #[error("{} exists; pass --force to replace it (a safety copy is kept)", path.display())]
    DestinationExists { path: PathBuf },
}

impl Error {
    /// The program's exit code for this error, see [`exit`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Sqlite { source, .. } if is_busy(source) => exit::BUSY,
            Self::Io { .. }
            | Self::Sqlite { .. }
            | Self::NoRepository { .. }
            | Self::Source { .. }
            | Self::IntoLive { .. }
            | Self::Deadline { .. }
            | Self::WalGrowth { .. } => exit::FAILED,
            Self::Damaged { .. } | Self::NothingGood { .. } => exit::DAMAGED,
            Self::RepositoryBusy { .. }
            | Self::RestoreBusy { .. }
            | Self::LiveBusy { .. }
            | Self::SourceBusy { .. }
            | Self::Disturbed { .. }
            | Self::InUse { .. } => exit::BUSY,
            Self::NoRestorePoint { .. } | Self::SeveralLineages(_) => exit::NO_RESTORE_POINT,
            Self::DestinationExists { .. }
            | Self::Suspect { .. }
            | Self::OtherLineage { .. }
            | Self::OtherContent { .. }
            | Self::History { .. }
            | Self::ReusedKeys { .. }
            | Self::Sealed { .. } => exit::REFUSED,
            Self::RemoteAddress { .. } | Self::Recipient { .. } | Self::Identity { .. } => exit::USAGE,
            Self::Remote { .. } => exit::REMOTE,
        }
    }

    /// Whether the operating system refused it to this user, which says nothing of what others may.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: explain(path, source) }
    }

    pub(crate) fn sqlite(action: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { action, path: path.to_owned(), source }
    }

    #[cfg(feature = "remote")]
    pub(crate) fn remote(action: &'static str, object: String, reason: impl fmt::Display) -> Self {
        Self::Remote { action, object, reason: reason.to_string() }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    pub name: Name,
    pub reason: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// One database of a repository, as shown to somebody who has to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySummary {
    pub identity: Identity,
    /// What people call the source of its newest one, where it is known.
    pub label: Option<String>,
    pub path: Option<String>,
    /// Its number of complete restore points.
    pub restore_points: usize,
    pub newest: Timestamp,
}

impl fmt::Display for IdentitySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} restore points, newest {:.3}", self.identity, self.restore_points, self.newest)?;
        if let Some(label) = &self.label {
            write!(f, ", from {label}")?;
        }
        f.write_str(")")
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn id(lineage: Option<&Lineage>) -> &str {
    lineage.map_or("none", Lineage::as_str)
}

fn list(items: &[impl fmt::Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(crate) fn key_ranges(keys: &BTreeMap<String, RangeInclusive<i64>>) -> String {
    let ranges = keys.iter().map(|(table, keys)| format!("{} to {} of {table:?}", keys.start(), keys.end()));
    ranges.collect::<Vec<_>>().join(", ")
}

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
}

/// Says of a refusal whose the file is and who asked, which is what tells what to do next.
fn explain(path: &Path, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let seen = path.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)));
    let Some((path, metadata)) = seen else { return error };
    let (path, mode) = (path.display(), metadata.mode() & 0o7777);
    let (uid, gid, our_uid, our_gid) = (metadata.uid(), metadata.gid(), geteuid(), getegid());
    let text = format!(
        "{error}: {path} belongs to user {uid} and group {gid} and has mode {mode:o}, but this program runs as user \
         {our_uid} and group {our_gid}; run it as user {uid}, or give user {our_uid} access"
    );
    io::Error::new(error.kind(), text)
}
