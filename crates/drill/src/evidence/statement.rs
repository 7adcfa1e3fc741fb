//! The in-toto statement: every file of a report with its digest, and the report in short.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use backup::signature::hex;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::FILE;
use crate::report::Essence;

const TYPE: &str = "https://in-toto.io/Statement/v1";

/// What the predicate is: an [`Essence`].
const PREDICATE_TYPE: &str = "https://pra.dev/drill/report/v1";

/// A statement as it is signed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    /// The report in short.
    pub predicate: Essence,
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
    pub fn of(folder: &Path, report: &Essence) -> Result<Self> {
        let subject = digests(folder)?.into_iter().map(|(name, sha256)| Subject { name, digest: Digest { sha256 } });
        Ok(Self {
            kind: TYPE.to_owned(),
            subject: subject.collect(),
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: report.clone(),
        })
    }

    /// Reads the payload of an envelope; else what is wrong with it.
    pub fn parse(payload: &[u8]) -> Result<Self, String> {
        let statement: Self = serde_json::from_slice(payload)
            .map_err(|error| format!("what was signed is not the statement of a report: {error}"))?;
        match (&*statement.kind, &*statement.predicate_type) {
            (TYPE, PREDICATE_TYPE) => Ok(statement),
            other => Err(format!("what was signed is {other:?}, expected {:?}", (TYPE, PREDICATE_TYPE))),
        }
    }

    /// How a folder differs from what was signed, a line a file.
    pub fn differences(&self, folder: &Path) -> Result<Vec<String>> {
        let mut found = digests(folder)?;
        let mut differences = Vec::new();
        for Subject { name, digest } in &self.subject {
            match found.remove(name) {
                None => differences.push(format!("{name} is missing")),
                Some(sha256) if sha256 != digest.sha256 => differences.push(format!("{name} was changed")),
                Some(_) => {}
            }
        }
        differences.extend(found.into_keys().map(|name| format!("{name} was added")));
        Ok(differences)
    }
}

/// The SHA-256 of each file of a folder but the envelope. What is no file has none, and so is like no file that was
/// signed.
fn digests(folder: &Path) -> Result<BTreeMap<String, String>> {
    let context = || format!("cannot look into {}", folder.display());
    let mut digests = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == FILE {
            continue;
        }
        let sha256 = if entry.file_type().with_context(context)?.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
            hex(digest(&SHA256, &bytes).as_ref())
        } else {
            String::new()
        };
        digests.insert(name, sha256);
    }
    Ok(digests)
}
