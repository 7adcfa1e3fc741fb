//! Signed reports, summaries and histories: DSSE envelopes over in-toto statements, as `cosign verify-blob-attestation`
//! takes them.
//!
//! Formats: <https://github.com/secure-systems-lab/dsse> (protocol and envelope 1.0) and
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

mod envelope;
mod folder;
mod prefix;
mod statement;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
pub(crate) use backup::signature::{PublicKey, SigningKey};
use backup::{bounds, openat};

use envelope::Envelope;
pub(crate) use prefix::Prefix;
pub(crate) use statement::{Head, Predicate, SignedRun, Statement};

use crate::durable;
use crate::intents::run_names_in;
use crate::report::folder_name;

/// The file in the folder of a report or a summary that holds the signature.
pub(crate) const FILE: &str = "evidence.dsse.json";

/// Signs all files of a folder, and what they are in short.
pub(crate) fn sign_folder(folder: &Path, predicate: Predicate, key: &SigningKey) -> Result<()> {
    seal(&folder.join(FILE), &Statement::of_folder(folder, predicate)?, key)
}

/// Writes a statement, signed, into a file.
pub(crate) fn seal(file: &Path, statement: &Statement, key: &SigningKey) -> Result<()> {
    let envelope = Envelope::seal(&serde_json::to_vec(statement)?, key);
    durable::replace(file, &(serde_json::to_string_pretty(&envelope)? + "\n"))
}

/// Reads a statement that the key fits; else what is wrong with it.
pub(crate) fn open(file: &Path, key: &PublicKey) -> Result<Statement, String> {
    let name = file.file_name().unwrap_or_default().display();
    let bytes = openat::bytes(file, bounds::ENVELOPE_BYTES).map_err(|error| {
        format!("{name} cannot be read, {error}: it was never signed, or the signature was removed")
    })?;
    Envelope::open(&bytes, key).and_then(|payload| Statement::parse(&payload))
}

/// What a look at the evidence came to.
pub(crate) enum Finding {
    /// Every file is as it was signed; this is what was signed in short.
    Intact(Predicate),
    /// What is not as it was signed, a line each.
    Tampered(Vec<String>),
}

/// Holds a folder against its signature, and its name against the run that was signed.
///
/// # Errors
/// Only if the folder cannot be read; whatever is wrong with what it holds is a [`Finding`].
pub(crate) fn verify(folder: &Path, key: &PublicKey) -> Result<Finding> {
    fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    let statement = match open(&folder.join(FILE), key) {
        Ok(statement) => statement,
        Err(wrong) => return Ok(Finding::Tampered(vec![wrong])),
    };
    let (run, name) = match &statement.predicate {
        Predicate::Report(signed) => (&signed.essence.run, signed.essence.folder_name()),
        Predicate::Summary(brief) => (&brief.first_run, folder_name(&brief.first_run, "summary", &brief.platform)),
        Predicate::History(_) => {
            let wrong = "what was signed is a history, expected a report or a summary";
            return Ok(Finding::Tampered(vec![wrong.to_owned()]));
        }
    };
    let mut differences = statement.differences(folder)?;
    // As it was named to us, and, were that a link, as it is called.
    let real = folder.canonicalize().with_context(|| format!("cannot look into {}", folder.display()))?;
    let misnamed =
        [folder, &real].into_iter().filter_map(Path::file_name).find(|found| names_another(found, run, &name));
    differences.extend(misnamed.map(|found| {
        format!(
            "this is {name}, and the folder goes by the name of another: {found:?}; whatever run that is, this is not \
             its report"
        )
    }));
    Ok(match differences {
        differences if differences.is_empty() => Finding::Intact(statement.predicate),
        differences => Finding::Tampered(differences),
    })
}

/// Whether a folder's name says that it is of another run, scenario or platform. One that names no run says nothing.
fn names_another(found: &OsStr, run: &str, name: &str) -> bool {
    let found = found.to_string_lossy();
    let named = run_names_in(&found);
    !named.is_empty() && (!found.contains(name) || named.iter().any(|named| named != run))
}

/// Reads an envelope, and what may be signed in it whether or not a key fits.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzzed(bytes: &[u8]) {
    drop(serde_json::from_slice::<Envelope>(bytes));
    drop(Statement::parse(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_be_called_anything_but_by_the_name_of_another_run() {
        let (run, name) = ("20261128T021718.123Z", "20261128T021718.123Z-kill-pod-local");
        for (found, expected) in [
            (name, false),
            ("20261128T021718.123Z-kill-pod-local (copy)", false),
            ("of-the-audit", false),
            ("2026", false),
            ("20261128T021718.124Z-kill-pod-local", true),
            ("20261128t021718.124z-kill-pod-local", true),
            ("20261128T021718.123Z-kill-pvc-local", true),
            ("20261128T021718.123Z", true),
            ("copy of 20261128T021718.124Z-kill-pod-local", true),
            ("20261128T021718.123Z-kill-pod-local-20261128T021718.124Z", true),
        ] {
            assert_eq!(names_another(OsStr::new(found), run, name), expected, "{found}");
        }
    }
}
