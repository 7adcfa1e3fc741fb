//! Reads a database that nobody uses without leaving files next to it. SQLite would create `-wal` and `-shm` for its
//! reader: on a read-only volume it cannot, and those of another user lock the owner out.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use rusqlite::ErrorCode;
use tempfile::TempDir;

use crate::in_use::{self, Held, Share};
use crate::openat::Kind;
use crate::paths::exists;
use crate::versions::Versions;
use crate::{Error, openat, paths};

/// How long after it was opened a database may lack its `-wal` file.
const APPEARS_WITHIN: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(20);

const ELSEWHERE: &str = "it is in use in WAL mode, but its -wal file is missing here, so the latest commits cannot be \
                         read; if this is a container that mounts only the file, mount its directory instead";

/// What the scratch directories are called, to be known again.
const SCRATCH: &str = ".reading-";

/// Proof that a WAL database has no `-wal` file, so that all that was committed is in the database file. While it lives,
/// nobody can remove one again: whoever uses the database meanwhile is seen by the file.
pub(crate) struct AtRest {
    _held: Held,
}

impl AtRest {
    /// `None` if the database is in use, or not in WAL mode, or has side files.
    ///
    /// A process with a connection of SQLite to the database has a `-wal` file there, so its locks, which would go with
    /// any file it closes, are safe from this.
    ///
    /// # Errors
    /// [`Error::Source`] if those who use it have their `-wal` file elsewhere: without it, what is read is not what was
    /// committed.
    pub(crate) fn hold(database: &Path) -> Result<Option<Self>, Error> {
        let asked = Instant::now();
        loop {
            match Self::try_hold(database)? {
                Share::Taken(held) => return Ok(Some(Self { _held: held })),
                Share::Refused => return Ok(None),
                // It may be about to be created.
                Share::InUse if asked.elapsed() < APPEARS_WITHIN => thread::sleep(POLL),
                Share::InUse => return Err(Error::Source { path: database.to_owned(), reason: ELSEWHERE.into() }),
            }
        }
    }

    fn try_hold(database: &Path) -> Result<Share, Error> {
        let [wal, journal] = ["-wal", "-journal"].map(|suffix| paths::with_suffix(database, suffix));
        if exists(&wal)? || exists(&journal)? {
            return Ok(Share::Refused);
        }
        let file = openat::read(database).map_err(Error::io("open", database))?;
        if !Versions::are_wal(&file) {
            return Ok(Share::Refused);
        }
        let share = in_use::share(file);
        Ok(if exists(&wal)? { Share::Refused } else { share })
    }
}

/// Whether opening it through SQLite would leave side files that its owner cannot use. SQLite gives those of root away.
pub(crate) fn would_leave_traces(database: &Path) -> Result<bool, Error> {
    let owner = fs::metadata(database).map_err(Error::io("look at", database))?.uid();
    Ok(!geteuid().is_root() && geteuid().as_raw() != owner && has_lone_wal(database)?)
}

/// A `-wal` file without its index, as a crash or a copy leaves it.
fn has_lone_wal(database: &Path) -> Result<bool, Error> {
    let [wal, index] = ["-wal", "-shm"].map(|suffix| exists(&paths::with_suffix(database, suffix)));
    Ok(wal? && !index?)
}

/// Whether an error says that SQLite would have to write to recover the database, and may not.
pub(crate) fn must_be_copied(database: &Path, error: &Error) -> Result<bool, Error> {
    let Error::Sqlite { source, .. } = error else { return Ok(false) };
    let denied = matches!(source.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly));
    Ok(denied && (has_lone_wal(database)? || exists(&paths::with_suffix(database, "-journal"))?))
}

/// Copies a database that nobody uses, with what has to be recovered, to a directory of its own in `place`.
///
/// # Errors
/// [`Error::Source`] if somebody uses it, [`Error::Disturbed`] if somebody began to.
pub(crate) fn copy(database: &Path, place: &Path) -> Result<(TempDir, PathBuf), Error> {
    let Share::Taken(_held) = in_use::share(openat::read(database).map_err(Error::io("open", database))?) else {
        let reason = "it is in use, and this user cannot write the files SQLite needs next to it; run this as the \
        user who owns it, or mount its volume writable";
        return Err(Error::Source { path: database.to_owned(), reason: reason.into() });
    };
    let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(place);
    let scratch = scratch.map_err(Error::io("create a directory in", place))?;
    let copied = scratch.path().join("database");
    let before = state(database);
    for suffix in ["", "-wal", "-journal"] {
        let (from, to) = (paths::with_suffix(database, suffix), paths::with_suffix(&copied, suffix));
        let copy = openat::read(&from).and_then(|mut from| io::copy(&mut from, &mut openat::create(&to, 0o600)?));
        match copy {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copy => drop(copy.map_err(Error::io("copy for recovery", &from))?),
        }
    }
    if state(database) != before {
        return Err(Error::Disturbed { path: database.to_owned() });
    }
    Ok((scratch, copied))
}

/// What changes when somebody writes.
fn state(database: &Path) -> [Option<(u64, u64, i64, i64)>; 3] {
    let seen = |metadata: Metadata| (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec());
    ["", "-wal", "-journal"].map(|suffix| fs::symlink_metadata(paths::with_suffix(database, suffix)).ok().map(seen))
}

/// Removes what a killed process left in `place`. What another user left and this one cannot remove stops nobody.
pub(crate) fn sweep(place: &Path) -> Result<(), Error> {
    for (name, kind) in openat::list(place).map_err(Error::io("list", place))? {
        let is_scratch = kind == Kind::Directory && name.as_encoded_bytes().starts_with(SCRATCH.as_bytes());
        let path = place.join(name);
        // It follows no link either.
        if is_scratch && let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!("cannot remove {}, left by a killed take: {error}", path.display());
        }
    }
    Ok(())
}
