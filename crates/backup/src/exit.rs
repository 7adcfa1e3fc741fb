//! The exit codes of the program `backup`: stable, since schedulers and drills branch on them.

pub const OK: u8 = 0;
pub const FAILED: u8 = 1;
/// Clap's own code.
pub const USAGE: u8 = 2;
pub const DAMAGED: u8 = 3;
pub const BUSY: u8 = 4;
pub const NO_RESTORE_POINT: u8 = 5;
pub const REFUSED: u8 = 6;
/// What runs before a service ends with [`OK`] all the same.
pub const SUSPECT: u8 = 7;
/// After all retries; what was stored there is unchanged.
pub const REMOTE: u8 = 8;

/// The table shown under `--help`; `docs/en/src/exit-codes.md` has the same.
pub const HELP: &str = "\
Exit codes:
  0  everything asked for was done
  1  failed: an I/O error, or the database to copy is missing or not a database
  2  usage error
  3  a restore point is damaged, or no good one is left
  4  busy: another take, pull or prune is running, or the database is in use, locked or being written
  5  no matching restore point: none exists, none before that time, or several lineages
  6  refused without --force: the destination exists, or the live one is of another lineage;
     refused without --reuse-keys: the live database would reuse keys;
     refused: the newest restore point follows a suspect one and none was named, a different
     restore point of that name exists there, no key fits, or the remote repository was rolled back
  7  taken and published, but suspect compared with its predecessor: of another
     lineage, empty, shrunk or rolled back; or restored or pulled, but newer ones are suspect;
     or pulled, but newer ones are damaged, not whole or refused
  8  the remote store did not answer in time, failed or refused";
