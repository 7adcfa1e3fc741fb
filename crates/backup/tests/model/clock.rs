//! The clock of this process, which the test moves: it runs itself once more, with a library in front of the system's.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use crate::preload;

const FILE: &str = "MODEL_CLOCK";

pub fn runs_under_it() -> bool {
    env::var_os(FILE).is_some()
}

/// Runs one test of this program with a clock that it can move. Outside of continuous integration, it is skipped without a C
/// compiler.
pub fn run_under_it(test: &str) {
    let Some(library) = preload::library("model/clock.c") else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), 0i64.to_ne_bytes()).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("LD_PRELOAD", library).env(FILE, file.path());
    assert!(command.status().unwrap().success(), "see above");
}

/// Moves the clock by so many seconds from what the system says.
pub fn shift(seconds: i64) {
    static CLOCK: OnceLock<File> = OnceLock::new();
    let open = || File::options().write(true).open(env::var_os(FILE).unwrap()).unwrap();
    CLOCK.get_or_init(open).write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
}
