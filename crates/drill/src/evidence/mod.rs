//! Signed reports: a DSSE envelope over an in-toto statement, as `cosign verify-blob-attestation` takes it.
//!
//! Formats: <https://github.com/secure-systems-lab/dsse> (protocol and envelope 1.0) and
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

mod envelope;
mod statement;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

pub use backup::signature::{PublicKey, SigningKey};
use envelope::Envelope;
use statement::Statement;

use crate::durable;
use crate::report::Essence;

/// The file in the folder of a report that holds the signature.
pub const FILE: &str = "evidence.dsse.json";

/// Signs all files of a report's folder, and the report in short.
pub fn sign(folder: &Path, report: &Essence, key: &SigningKey) -> Result<()> {
    let statement = serde_json::to_vec(&Statement::of(folder, report)?)?;
    let envelope = serde_json::to_string_pretty(&Envelope::seal(&statement, key))?;
    durable::replace(&folder.join(FILE), &(envelope + "\n"))
}

/// What a look at the evidence came to.
pub enum Finding {
    /// Every file is as it was signed; this is the signed report in short.
    Intact(Box<Essence>),
    /// What is not as it was signed, a line each.
    Tampered(Vec<String>),
}

/// Holds a folder against its signature.
///
/// # Errors
/// Only if the folder cannot be read; whatever is wrong with what it holds is a [`Finding`].
pub fn verify(folder: &Path, key: &PublicKey) -> Result<Finding> {
    fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    let opened = fs::read(folder.join(FILE))
        .map_err(|error| format!("{FILE} cannot be read, {error}: it was never signed, or the signature was removed"))
        .and_then(|bytes| Envelope::open(&bytes, key))
        .and_then(|payload| Statement::parse(&payload));
    let statement = match opened {
        Ok(statement) => statement,
        Err(wrong) => return Ok(Finding::Tampered(vec![wrong])),
    };
    Ok(match statement.differences(folder)? {
        differences if differences.is_empty() => Finding::Intact(Box::new(statement.predicate)),
        differences => Finding::Tampered(differences),
    })
}
