//! What a drill is about to do, on disk before it is done, so that a drill killed half-way can be understood and
//! cleaned up.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use backup::{bounds, openat};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One step, written before it is taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// When it was written.
    pub at: Timestamp,
    /// What is about to be done.
    pub step: String,
}

/// The intents of a running drill.
pub(crate) struct Intents {
    path: PathBuf,
    file: File,
}

impl Intents {
    /// Creates the folder of a drill with its intents in it: there is no moment at which the one is there without the
    /// other, by which folders of drills are told from others.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let unnamed = folder.with_extension("new");
        fs::create_dir(&unnamed).with_context(|| format!("cannot create {}", unnamed.display()))?;
        let path = path(&unnamed);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .with_context(|| format!("cannot create the intents {}", path.display()))?;
        fs::rename(&unnamed, folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { path: self::path(folder), file })
    }

    /// Writes a step to disk before it is taken.
    pub(crate) fn about_to(&mut self, step: impl Into<String>) -> Result<()> {
        let mut line = serde_json::to_vec(&Step { at: Timestamp::now(), step: step.into() })?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .with_context(|| format!("cannot write the intents {}", self.path.display()))
    }
}

/// Names a run: sorts by time, and is unique as long as one drill runs at a time.
pub(crate) fn run_name() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ").to_string()
}

/// The name of a run, with a 0 for each digit.
const RUN_NAME_SHAPE: &str = "00000000T000000.000Z";

/// Whether a name is that of a run.
pub(crate) fn is_run_name(name: &str) -> bool {
    let shape: String = name.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    shape == RUN_NAME_SHAPE
}

/// Every name of a run within a text, in capital letters.
pub(crate) fn run_names_in(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let windows = letters.windows(RUN_NAME_SHAPE.len()).map(|window| window.iter().collect::<String>());
    windows.map(|window| window.to_ascii_uppercase()).filter(|window| is_run_name(window)).collect()
}

/// The last step that a drill wrote down, if it came that far. A torn last line is passed over.
pub(crate) fn last_step(folder: &Path) -> Result<Option<Step>> {
    let path = path(folder);
    if !path.exists() {
        return Ok(None);
    }
    let text = openat::bytes(&path, bounds::REPORT_BYTES)
        .with_context(|| format!("cannot read the intents {}", path.display()))?;
    Ok(text.rsplit(|byte| *byte == b'\n').find_map(|line| serde_json::from_slice(line).ok()))
}

/// Where the intents of a drill is.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("intents.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_name_is_told_from_other_names() {
        assert!(is_run_name(&run_name()));
        for other in ["pra-data", "lock", "20261122T214604.890Z.bak", "20261122T214604Z", ""] {
            assert!(!is_run_name(other), "{other}");
        }
    }

    #[test]
    fn the_last_whole_step_is_found_behind_a_torn_line() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join(run_name());
        assert!(last_step(&folder).unwrap().is_none());
        let mut intents = Intents::create(&folder).unwrap();
        intents.about_to("start").unwrap();
        intents.about_to("destroy pra-data").unwrap();
        OpenOptions::new().append(true).open(path(&folder)).unwrap().write_all(b"{\"at\":\"2026").unwrap();
        assert_eq!(last_step(&folder).unwrap().unwrap().step, "destroy pra-data");
    }
}
