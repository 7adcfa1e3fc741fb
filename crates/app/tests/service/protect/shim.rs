//! Faults between the service and the kernel, by a library that is loaded before the others: see `shim.c`.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
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

    /// Runs a program with it, and keeps what it brings to disk: see [`Shim::cut_power`].
    pub fn load_and_keep(&self, command: &mut Command) {
        fs::create_dir_all(self.durable()).unwrap();
        self.load(command);
        command.env("FAULT_DURABLE", self.durable());
    }

    /// Leaves in a directory what a power cut does at worst: names as of the last sync of their directory, bytes as of the
    /// last sync of their file, and none of what was never synced. Everything there has to come from a program that was
    /// loaded to keep it.
    pub fn cut_power(&self, directory: &Path) {
        let inode = fs::metadata(directory).unwrap().ino();
        let names = fs::read_to_string(self.durable().join(inode.to_string())).unwrap_or_default();
        let durable: HashMap<&str, &str> =
            names.lines().map(|line| line.split_once(' ').map(|(inode, name)| (name, inode)).unwrap()).collect();
        // Names that a rename or a removal took away are there again, as far as their file is known.
        let inodes = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let mut directories = Vec::new();
        for entry in inodes {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry);
            } else {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for entry in directories {
            match durable.get(entry.file_name().to_str().unwrap()) {
                Some(inode) if *inode == entry.ino().to_string() => self.cut_power(&entry.path()),
                _ => fs::remove_dir_all(entry.path()).unwrap(),
            }
        }
        for (name, inode) in durable {
            let path = directory.join(name);
            if !path.exists() {
                fs::write(path, fs::read(self.durable().join(inode)).unwrap_or_default()).unwrap();
            }
        }
    }

    fn durable(&self) -> PathBuf {
        self.directory.path().join("durable")
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
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/protect/shim.c");
        testing::c_library(&source, Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap()
    })
}
