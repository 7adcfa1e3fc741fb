//! Libraries that stand in front of the system's in a process.

use std::env;
use std::path::{Path, PathBuf};

/// Compiles one from a C file below `tests/`. `None`, outside of continuous integration, without a C compiler.
pub fn library(source: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let compiled = testing::c_library(&source, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let skip = |why| {
        assert!(env::var_os("CI").is_none(), "cannot check: {why}");
        eprintln!("skipped: {why}");
    };
    compiled.map_err(skip).ok()
}
