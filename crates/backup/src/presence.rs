//! Whether there is a database at a path. Existence is content: for SQLite an empty file is a new database, and so a service
//! whose file was emptied would start with nothing.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::{Error, openat, paths, source, untrusted};

/// What the file of every SQLite database begins with, see
/// <https://www.sqlite.org/fileformat.html#the_database_header>.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The header; what follows it in a database is never all zeros.
const HEADER_BYTES: usize = 100;

/// As much as the first page may have.
const PAGE_BYTES_MAX: u64 = 65_536;

/// What is at the path of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Missing,
    /// A file in which there is nothing to lose, and what it is.
    Nothing(String),
    /// A database with a schema, or one that is in use.
    Database,
}

/// Looks. Changes nothing that is in a database.
///
/// # Errors
/// [`Error::Source`] for what is no database and not nothing either, [`Error::Damaged`] for a database that cannot be read;
/// nothing may take the place of either by itself. [`Error::Io`] and [`Error::Sqlite`] for the rest.
pub fn look(path: &Path) -> Result<Presence, Error> {
    let refuse = |reason: &str| Error::Source { path: path.to_owned(), reason: reason.to_owned() };
    let bytes = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Presence::Missing),
        Err(error) => return Err(Error::io("look at", path)(error)),
        Ok(metadata) if !metadata.is_file() => {
            return Err(refuse(
                "expected a database file or nothing, found something that is not a regular file; give \
                 the path of the database file",
            ));
        }
        Ok(metadata) => metadata.len(),
    };
    // What is in a side file may be all there is.
    if has_side_file(path)? {
        return with_sqlite(path);
    }
    let mut page = Vec::new();
    let read = openat::database(path, false).and_then(|file| file.take(PAGE_BYTES_MAX).read_to_end(&mut page));
    read.map_err(Error::io("read", path))?;
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if page.is_empty() {
        Ok(Presence::Nothing("an empty file".to_owned()))
    } else if is_zero(&page) {
        Ok(Presence::Nothing(format!("a file of {bytes} bytes that begins with zeros")))
    } else if !page.starts_with(MAGIC) {
        Err(refuse("it is not a SQLite database (perhaps an encrypted one); move it away if you do not need it"))
    } else if is_zero(page.get(HEADER_BYTES..).unwrap_or_default()) {
        Ok(Presence::Nothing("a header without a database".to_owned()))
    } else {
        with_sqlite(path)
    }
}

fn has_side_file(path: &Path) -> Result<bool, Error> {
    for suffix in ["-wal", "-journal"] {
        let file = paths::with_suffix(path, suffix);
        match fs::metadata(&file) {
            Ok(metadata) if metadata.len() > 0 => return Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("look at", &file)(error)),
            _ => {}
        }
    }
    Ok(false)
}

fn with_sqlite(path: &Path) -> Result<Presence, Error> {
    let real = openat::resolve(path).map_err(Error::io("look at", path))?;
    untrusted::check_journal(&real)?;
    let says_anything = |connection: Connection| {
        let query = "SELECT (SELECT count(*) FROM sqlite_schema), user_version, application_id
                     FROM pragma_user_version, pragma_application_id";
        connection.query_row(query, [], |row| {
            Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?].iter().any(|number| *number != 0))
        })
    };
    let content = match source::open(&real, Duration::ZERO).and_then(says_anything) {
        // On a read-only volume SQLite cannot make the side files of a database in WAL mode. Without them, all is in the file.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !has_side_file(&real)? => {
            untrusted::open_immutable(&real).and_then(says_anything)
        }
        content => content,
    };
    match content {
        Ok(true) => Ok(Presence::Database),
        Ok(false) => Ok(Presence::Nothing("a database without a table".to_owned())),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Ok(Presence::Database),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Err(Error::damaged(
                path,
                format!("it cannot be read ({error}); keep a copy of it, then restore with --force"),
            )),
            _ => Err(Error::sqlite("look at", path)(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content: &[u8]) -> Result<Presence, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        fs::write(&path, content).unwrap();
        look(&path)
    }

    #[test]
    fn a_file_is_no_database_before_it_has_a_schema() {
        assert_eq!(look(Path::new("/nowhere/app.db")).unwrap(), Presence::Missing);
        let header = |bytes: usize| [MAGIC, &vec![1; HEADER_BYTES - MAGIC.len()], &vec![0; bytes]].concat();
        for nothing in [vec![], vec![0; 10], vec![0; 100_000], MAGIC.to_vec(), header(0), header(412), header(3996)] {
            assert!(matches!(of(&nothing).unwrap(), Presence::Nothing(_)), "{} bytes", nothing.len());
        }
        assert!(matches!(of(b"no database"), Err(Error::Source { .. })));
        assert!(matches!(of(&[&header(0)[..], &[7; 4000]].concat()), Err(Error::Damaged { .. })));
        assert!(matches!(look(Path::new("/")), Err(Error::Source { .. })));
    }

    #[test]
    fn what_is_in_a_wal_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        assert!(matches!(look(&path).unwrap(), Presence::Nothing(_)));
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)").unwrap();
        assert_eq!(look(&path).unwrap(), Presence::Database);
    }

    #[test]
    fn a_database_that_says_anything_of_itself_is_one() {
        let directory = tempfile::tempdir().unwrap();
        for statement in ["PRAGMA user_version = 7", "PRAGMA application_id = 7", "CREATE VIEW v AS SELECT 1"] {
            let path = directory.path().join(format!("{}.db", statement.len()));
            Connection::open(&path).unwrap().execute_batch(statement).unwrap();
            assert_eq!(look(&path).unwrap(), Presence::Database, "{statement}");
        }
    }
}
