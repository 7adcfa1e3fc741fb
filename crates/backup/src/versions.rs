//! The versions of the file format in the header of a database, which say whether it is in WAL mode. See
//! <https://www.sqlite.org/fileformat.html#file_format_version_numbers>.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const AT: u64 = 18;

/// For writing and for reading, with WAL.
const WAL: [u8; 2] = [2; 2];

/// The same without it.
const LEGACY: Versions = Versions([1, 1]);

/// What a header says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions([u8; 2]);

impl Versions {
    /// Makes the header of a copy say that it is not in WAL mode, so that SQLite opens it without files beside it. Gives what
    /// it said before, if that was something else.
    pub(crate) fn hide(file: &File) -> io::Result<Option<Self>> {
        let mut said = [0; 2];
        file.read_exact_at(&mut said, AT)?;
        if Self(said) == LEGACY {
            return Ok(None);
        }
        file.write_all_at(&LEGACY.0, AT)?;
        Ok(Some(Self(said)))
    }

    /// Whether the header of a database says that it is in WAL mode. A file without one says nothing.
    pub(crate) fn are_wal(file: &File) -> bool {
        let mut said = [0; 2];
        file.read_exact_at(&mut said, AT).is_ok() && said == WAL
    }

    pub(crate) fn put_back(self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.0, AT)?;
        file.sync_all()
    }
}
