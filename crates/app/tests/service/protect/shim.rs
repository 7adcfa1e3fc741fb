//! Faults between the service and the kernel, by a library that is loaded before the others: see `shim.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// No space left on the device.
pub const ENOSPC: i32 = 28;
/// Input/output error.
pub const EIO: i32 = 5;

/// What is to happen below a path, once it is armed.
pub struct Shim {
    directory: TempDir,
    path: PathBuf,
}

impl Shim {
    pub fn below(path: &Path) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), path: path.to_owned() }
    }

    /// Runs a program with it.
    pub fn load(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("FAULT_PATH", &self.path).env("FAULT_FILE", self.file());
    }

    /// Kills it before or after the n-th call from now on.
    pub fn kill(&self, when: &str, call: usize) {
        self.arm(&format!("kill-{when} {call}"));
    }

    /// Lets every call on a file fail, and answers pass.
    pub fn fail(&self, errno: i32) {
        self.arm(&format!("fail {errno}"));
    }

    pub fn disarm(&self) {
        fs::remove_file(self.file()).unwrap();
    }

    fn arm(&self, what: &str) {
        let partial = self.directory.path().join("partial");
        fs::write(&partial, what).unwrap();
        fs::rename(partial, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("armed")
    }
}

/// Built once for all tests of this program.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/protect/shim.c");
        let mut compiler = Command::new("cc");
        let built = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    })
}
