//! The exit codes of the program `backup`: stable, since schedulers and drills branch on them.

pub const OK: u8 = 0;
/// The work failed: an I/O error, or the source is missing or is no database.
pub const FAILED: u8 = 1;
/// The command line makes no sense (clap's own code).
pub const USAGE: u8 = 2;
/// A restore point is damaged, or no good one is left.
pub const DAMAGED: u8 = 3;
/// Another `take` or `prune` is at work, the database to copy is locked, the one to replace is in use, or the one to restore
/// into is being written.
pub const BUSY: u8 = 4;
/// No restore point fits: none at all, none before that time, or several lineages and none named.
pub const NO_RESTORE_POINT: u8 = 5;
/// Refused without `--force`: the destination exists, or the one in use is of another lineage. Refused without
/// `--reuse-keys`: keys of the one in use would be given out a second time. Refused in any case: the newest restore point
/// follows a suspect one and none was named, another restore point of the name to push or pull is there, what to pull is
/// encrypted and no key fits, or a remote repository is not what was seen of it.
pub const REFUSED: u8 = 6;
/// Done: the restore point is published, but it looks wrong beside its predecessor. It is of another lineage, empty,
/// shrunk or rolled back, as after the loss of the database. Or a restore or pull is done, and newer restore points were
/// passed over because they are suspect, or, by a pull, damaged, not whole or refused; what runs before a service ends with
/// [`OK`] then.
pub const SUSPECT: u8 = 7;
/// The store of a remote repository did not answer in time, failed, or refused, after all retries. What was stored there
/// is unchanged.
pub const REMOTE: u8 = 8;

/// The table shown under `--help`; `docs/exit-codes.md` has the same.
pub const HELP: &str = "\
Exit codes:
  0  everything asked for was done
  1  failed: an I/O error, or the database to copy is missing or none
  2  usage error
  3  a restore point is damaged, or no good one is left
  4  busy: another take, pull or prune is at work, or the database is in use, locked or being written
  5  no restore point fits: none, none before that time, or several lineages
  6  refused without --force: the destination exists, or the live one is of another lineage;
     refused without --reuse-keys: keys of the live one would be given out a second time;
     refused: the newest restore point follows a suspect one and none was named, another one of
     the name to push or pull is there, no key fits, or the remote repository was rolled back
  7  taken and published, but suspect beside its predecessor: of another
     lineage, empty, shrunk or rolled back; or restored or pulled, but newer ones are suspect;
     or pulled, but newer ones are damaged, not whole or refused
  8  the remote store did not answer in time, failed or refused";
