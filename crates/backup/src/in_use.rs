//! Whether another process uses a database, seen from outside SQLite.

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_RDLCK, F_UNLCK, F_WRLCK, SEEK_SET, c_int, flock};

use crate::{Error, openat};

/// SQLite's PENDING, RESERVED and SHARED bytes, see "The Database File Format". A WAL connection that has read
/// anything holds SHARED until it is closed; others hold it during each transaction.
const LOCK_START: i64 = 0x4000_0000;
const LOCK_BYTES: i64 = 512;

/// A lock over all of SQLite's lock bytes.
#[derive(Debug)]
pub(crate) struct Held {
    // The lock belongs to the open file, not to the process as POSIX locks do, and goes with it.
    _file: File,
}

/// Takes hold of a database that exists, at its real path: while it lives, no other process can read or write it through SQLite.
///
/// # Errors
/// [`Error::InUse`] if a process has it open, with its id if the kernel tells.
pub(crate) fn hold(database: &Path) -> Result<Held, Error> {
    let file = openat::update(database).map_err(Error::io("open", database))?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&range(F_WRLCK))) {
        Ok(_) => Ok(Held { _file: file }),
        Err(Errno::EAGAIN | Errno::EACCES) => {
            Err(Error::InUse { path: database.to_owned(), pid: holder(&file).map_err(Error::io("lock", database))? })
        }
        Err(errno) => Err(Error::io("lock", database)(errno.into())),
    }
}

/// How a share in a database was asked for.
pub(crate) enum Share {
    /// Nobody else has it open. Others may open it from now on, but not have it for themselves, which takes SQLite to
    /// remove its `-wal` file or to write without one.
    Taken(Held),
    /// Others have it open.
    InUse,
    /// Another has it for itself, or it cannot be locked where it lies.
    Refused,
}

/// Takes a share in a database unless others have it open.
pub(crate) fn share(file: File) -> Share {
    let mut others = range(F_WRLCK);
    if fcntl(&file, FcntlArg::F_OFD_GETLK(&mut others)).is_err() {
        return Share::Refused;
    }
    match i32::from(others.l_type) {
        F_RDLCK => Share::InUse,
        F_UNLCK if fcntl(&file, FcntlArg::F_OFD_SETLK(&range(F_RDLCK))).is_ok() => Share::Taken(Held { _file: file }),
        _ => Share::Refused,
    }
}

/// The process with a conflicting lock; none if it let go meanwhile, or lives in another PID namespace.
fn holder(file: &File) -> std::io::Result<Option<u32>> {
    let mut lock = range(F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(u32::try_from(lock.l_pid).ok().filter(|&pid| pid > 0))
}

fn range(kind: c_int) -> flock {
    #[expect(clippy::cast_possible_truncation, reason = "constants of the kernel's interface, all below 3")]
    let (l_type, l_whence) = (kind as i16, SEEK_SET as i16);
    flock { l_type, l_whence, l_start: LOCK_START, l_len: LOCK_BYTES, l_pid: 0 }
}
