//! The findings of SQLite's own checks on a copy whose bytes are correct, and what they mean.
//!
//! Only *damage* makes a copy worthless. One that breaks a rule of its schema holds all rows, and so does one that needs a
//! collation, a function or a tokenizer which only the program of its owner has.

use std::fmt;

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use serde::{Deserialize, Serialize};

/// As many faults as SQLite is asked for: behind many rows that break a rule there may be damage.
const FAULTS_MAX: u32 = 1000;

/// As many of them as are told.
const TOLD_MAX: usize = 8;

/// How thoroughly SQLite looks at a copy, beyond the digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// No check
    None,
    /// `quick_check`: every page, but not whether indexes match their tables
    #[default]
    Quick,
    /// `integrity_check` and foreign keys
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub check: Check,
    /// What that means.
    pub verdict: Verdict,
    /// What it said, as far as it is not "ok".
    pub findings: Vec<String>,
}

/// What the findings mean. That it is damaged is no verdict here, but an error: such a copy is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Sound,
    /// All rows are there, and some break a rule of the schema: NOT NULL, CHECK, UNIQUE, a foreign key, an index of words.
    Inconsistent,
    /// Some of it cannot be checked without the program of its owner, or nothing was to be checked.
    CannotCheck,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sound => "sound",
            Self::Inconsistent => "inconsistent",
            Self::CannotCheck => "cannot check",
        })
    }
}

impl Checked {
    /// Nobody looked.
    pub(crate) fn not() -> Self {
        let findings = vec!["SQLite did not check it".to_owned()];
        Self { check: Check::None, verdict: Verdict::CannotCheck, findings }
    }

    fn of(check: Check, faults: Vec<Fault>) -> Self {
        let any = |sort: Sort| faults.iter().any(|fault| fault.sort == sort);
        let verdict = match (any(Sort::Inconsistent), any(Sort::CannotCheck)) {
            (true, _) => Verdict::Inconsistent,
            (false, true) => Verdict::CannotCheck,
            (false, false) => Verdict::Sound,
        };
        Self { check, verdict, findings: faults.into_iter().map(|fault| fault.text).collect() }
    }

    /// What people should know of it; `None` where it is sound.
    pub fn warning(&self) -> Option<String> {
        let findings = crate::text::printable(&self.findings.join("; "));
        match self.verdict {
            Verdict::Sound => None,
            verdict => Some(format!("{verdict}: {findings}")),
        }
    }
}

/// What became of a check.
pub(crate) enum Outcome {
    Damaged(String),
    Checked(Checked),
}

struct Fault {
    sort: Sort,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Damaged,
    Inconsistent,
    CannotCheck,
}

pub(crate) fn look(connection: &Connection, check: Check) -> rusqlite::Result<Outcome> {
    let pragma = match check {
        Check::None => return Ok(Outcome::Checked(Checked::not())),
        Check::Quick => "quick_check",
        Check::Full => "integrity_check",
    };
    let mut faults = faults(connection, pragma, &FAULTS_MAX.to_string())?;
    // The first thing that SQLite cannot do ends its check of everything: what it can do is then done table by table.
    if faults.iter().any(|fault| fault.sort == Sort::CannotCheck) {
        for table in tables(connection)? {
            faults.extend(self::faults(connection, pragma, &crate::untrusted::quoted(&table))?);
        }
    }
    if check == Check::Full && faults.is_empty() {
        faults.extend(orphan(connection)?);
    }
    Ok(match faults.iter().position(|fault| fault.sort == Sort::Damaged) {
        Some(damage) => Outcome::Damaged(faults.swap_remove(damage).text),
        None => Outcome::Checked(Checked::of(check, distinct(faults))),
    })
}

fn faults(connection: &Connection, pragma: &str, argument: &str) -> rusqlite::Result<Vec<Fault>> {
    let lines = connection.prepare(&format!("PRAGMA main.{pragma}({argument})")).and_then(|mut statement| {
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        lines.collect::<rusqlite::Result<Vec<_>>>()
    });
    match lines {
        Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").map(fault).collect()),
        Err(error) => cannot_check(error).map(|fault| vec![fault]),
    }
}

/// What keeps SQLite from a check; the error itself if that is something else.
fn cannot_check(error: rusqlite::Error) -> rusqlite::Result<Fault> {
    let text = match error.sqlite_error_code() {
        _ if is_owners(&error) => error.to_string(),
        // Its expressions are others' code, and may be meant not to end.
        Some(ErrorCode::OperationInterrupted) => "the check did not finish within its time limit".to_owned(),
        _ => return Err(error),
    };
    Ok(Fault { sort: Sort::CannotCheck, text })
}

/// Whether SQLite lacks something that the program of the owner has. There is nothing else that could be wrong with the
/// statement of a check.
pub(crate) fn is_owners(error: &rusqlite::Error) -> bool {
    let code = match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        other => other.sqlite_error_code(),
    };
    match code {
        Some(ErrorCode::Unknown) => true,
        // As it calls a schema that it can read and not understand.
        Some(ErrorCode::DatabaseCorrupt) => {
            let text = error.to_string();
            text.contains("no such") || text.contains("unknown ")
        }
        _ => false,
    }
}

/// The beginnings of what SQLite says of rows that can be read and break a rule; see `pragma.c` and the `xIntegrity` of
/// its virtual tables.
const RULES: [&str; 8] = [
    "NULL value in ",
    "CHECK constraint failed in ",
    "NUMERIC value in ",
    "TEXT value in ",
    "non-unique entry in index ",
    "malformed inverted index for FTS",
    "In RTree ",
    "Rtree ",
];

fn fault(text: String) -> Fault {
    // Of a STRICT table.
    let is_typed = text.starts_with("non-") && text.contains(" value in ");
    let sort = if is_typed || RULES.iter().any(|rule| text.starts_with(rule)) {
        Sort::Inconsistent
    } else if text.starts_with("unable to validate the inverted index") {
        Sort::CannotCheck
    } else {
        Sort::Damaged
    };
    Fault { sort, text }
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")?;
    let names = tables.query_map([], |row| row.get(0))?;
    names.collect()
}

/// A row that refers to none.
fn orphan(connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let found = connection.query_row("PRAGMA main.foreign_key_check", [], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(Fault {
            sort: Sort::Inconsistent,
            text: format!("a row of {table:?} refers to a missing row of {parent:?}"),
        })
    });
    match found.optional() {
        Err(error) => cannot_check(error).map(Some),
        found => found,
    }
}

/// Each once: what stops the check of everything stops that of its table too.
fn distinct(faults: Vec<Fault>) -> Vec<Fault> {
    let mut distinct: Vec<Fault> = Vec::new();
    for fault in faults {
        if distinct.iter().all(|known| known.text != fault.text) {
            distinct.push(fault);
        }
    }
    distinct.truncate(TOLD_MAX);
    distinct
}
