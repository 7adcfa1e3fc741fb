//! Libraries that stand in front of the system's in a process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles one from a C file below `tests/`. `None`, outside of continuous integration, without a C compiler.
pub fn library(source: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let name = source.file_stem().expect("a file").to_string_lossy();
    // Each test run its own, since several may go on at once.
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.so", std::process::id()));
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).output();
    let why = match compiled {
        Ok(output) if output.status.success() => return Some(library),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("cc: {error}"),
    };
    assert!(env::var_os("CI").is_none(), "cannot check: {why}");
    eprintln!("skipped: {why}");
    None
}
