//! Identifies this database file: a copy, including a restored one, is a different file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::Context;

/// New each time that a kernel starts, and one for all containers on it.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The identity of a file among all that a kernel has had since it started. An inode number is used again once its file
/// is gone, so that the instant of birth counts too.
///
/// Processes of two kernels never see the same one, so that each takes the other for a stranger: right, since they share
/// no locks.
pub(super) fn of(database: &Path) -> anyhow::Result<String> {
    let boot = fs::read_to_string(BOOT_ID).with_context(|| format!("cannot read {BOOT_ID}"))?;
    let file = fs::metadata(database).with_context(|| format!("cannot look at {}", database.display()))?;
    let born = file.created().with_context(|| {
        format!(
            "the file system of {} does not record when a file was created; --protect needs one that does (ext4, \
             XFS, Btrfs)",
            database.display()
        )
    })?;
    let born = born.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok(format!("{}/{}/{}/{born}", boot.trim(), file.dev(), file.ino()))
}
