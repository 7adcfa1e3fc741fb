//! The in-toto statement: every file that is signed with its digest, and what it is in short.

use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::folder::digests;
use super::prefix::Prefix;
use crate::report::{Brief, Essence};

const TYPE: &str = "https://in-toto.io/Statement/v1";

/// A statement as it is signed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    /// What it is that was signed.
    #[serde(flatten)]
    pub predicate: Predicate,
}

/// What can be signed, in short.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "predicateType", content = "predicate")]
pub(crate) enum Predicate {
    /// The report of a run.
    #[serde(rename = "https://pra.dev/drill/report/v1")]
    Report(Box<SignedRun>),
    /// The summary of several runs.
    #[serde(rename = "https://pra.dev/drill/summary/v1")]
    Summary(Brief),
    /// The history.
    #[serde(rename = "https://pra.dev/drill/history/v1")]
    History(Head),
}

/// A run as it is signed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignedRun {
    /// The report in short.
    #[serde(flatten)]
    pub essence: Essence,
    /// The history that was there before this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Prefix>,
    /// How far the remote repository was, if the drill pushed to one: `INDEX:DIGEST`, as `backup pull --expect-head` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_head: Option<String>,
}

/// The history as the newest signed run left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Always 1. Fields may be added; none is renamed or removed within a version.
    pub schema_version: u32,
    /// What there was, the run's own line included.
    #[serde(flatten)]
    pub prefix: Prefix,
    /// Lines of it, from 1, that were added without the key: the first and the last of each stretch.
    pub unsigned: Vec<(u64, u64)>,
}

impl Head {
    /// Whether a line, from 1, was added by a holder of the key.
    pub(crate) fn vouches_for(&self, line: u64) -> bool {
        line <= self.prefix.lines && !self.unsigned.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct Digest {
    sha256: String,
}

impl Statement {
    /// Of the files that are in a folder now.
    ///
    /// # Errors
    /// If something in it is not a regular file, or its name is not valid UTF-8: nobody could check it.
    pub(crate) fn of_folder(folder: &Path, predicate: Predicate) -> Result<Self> {
        let mut subject = Vec::new();
        for (name, sha256) in digests(folder)? {
            match (name.into_string(), sha256) {
                (Ok(name), Ok(sha256)) => subject.push(Subject { name, digest: Digest { sha256 } }),
                (Ok(name), Err(wrong)) => bail!("{name:?} in {} {wrong}: it cannot be signed", folder.display()),
                (Err(name), _) => {
                    bail!("the name {name:?} in {} is not valid UTF-8: it cannot be signed", folder.display())
                }
            }
        }
        Ok(Self { kind: TYPE.to_owned(), subject, predicate })
    }

    pub(crate) fn of_file(name: &str, sha256: String, predicate: Predicate) -> Self {
        let subject = vec![Subject { name: name.to_owned(), digest: Digest { sha256 } }];
        Self { kind: TYPE.to_owned(), subject, predicate }
    }

    /// Reads the payload of an envelope; else what is wrong with it.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, String> {
        let statement: Self = serde_json::from_slice(payload)
            .map_err(|error| format!("what was signed is not a statement of the drill: {error}"))?;
        match &*statement.kind {
            TYPE => Ok(statement),
            other => Err(format!("what was signed is {other:?}, expected {TYPE:?}")),
        }
    }

    /// How a folder differs from what was signed, a line a file.
    pub(crate) fn differences(&self, folder: &Path) -> Result<Vec<String>> {
        let mut found = digests(folder)?;
        let mut differences = Vec::new();
        for Subject { name, digest } in &self.subject {
            match found.remove(std::ffi::OsStr::new(name)) {
                None => differences.push(format!("{} is missing", shown(name))),
                Some(Err(wrong)) => differences.push(format!("{} {wrong}", shown(name))),
                Some(Ok(sha256)) if sha256 != digest.sha256 => differences.push(format!("{} was changed", shown(name))),
                Some(Ok(_)) => {}
            }
        }
        differences.extend(found.into_keys().map(|name| match name.into_string() {
            Ok(name) => format!("{} was added", shown(&name)),
            Err(name) => format!("{name:?} was added"),
        }));
        Ok(differences)
    }
}

/// A name as it is, unless it would do something to a terminal or be taken for another: then quoted and escaped.
fn shown(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_graphic() && letter != '"' && letter != '\\';
    if name.chars().all(is_plain) { name.to_owned() } else { format!("\"{}\"", name.escape_default()) }
}
