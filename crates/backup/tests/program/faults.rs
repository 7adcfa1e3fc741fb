//! The program under a file system that is watched and broken, call by call: see `faults.c`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::preload;
use crate::stage::Stage;

/// The library to preload.
pub struct Faults(PathBuf);

/// One run under it.
pub struct Run {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub stderr: String,
    /// What it did to the files of its stage, in order.
    pub calls: Vec<Call>,
}

/// One call that changes something.
#[derive(Clone, Debug)]
pub struct Call {
    pub what: String,
    pub failed: bool,
    pub path: PathBuf,
    /// The second path of a rename.
    pub to: PathBuf,
    /// The offset of a write, the length of a resize.
    pub at: usize,
    pub bytes: Vec<u8>,
}

impl Call {
    pub fn is_write(&self) -> bool {
        self.what == "write"
    }

    /// Whether a full disk makes it fail.
    pub fn takes_space(&self) -> bool {
        ["write", "create", "mkdir", "allocate"].contains(&self.what.as_str())
    }
}

impl Faults {
    /// Compiles it, once. `None`, outside of continuous integration, without a C compiler.
    pub fn ready() -> Option<&'static Self> {
        static READY: OnceLock<Option<Faults>> = OnceLock::new();
        READY.get_or_init(|| preload::library("program/faults.c").map(Self)).as_ref()
    }

    /// Runs the program with a fault at one call, or with none, and waits for its end.
    pub fn run(&self, stage: &Stage, arguments: &[&str], fault: Option<(&str, usize)>) -> Run {
        let record = tempfile::NamedTempFile::new().unwrap();
        let mut command = stage.std_command(arguments);
        command.env("LD_PRELOAD", &self.0).env("FAULT_LOG", record.path());
        command.env("FAULT_BELOW", stage.directory.path()).env("TMPDIR", stage.directory.path());
        if let Some((how, at)) = fault {
            command.env("FAULT_DO", how).env("FAULT_AT", at.to_string());
        }
        let output = crate::stage::output(command);
        let calls = fs::read_to_string(record.path()).unwrap().lines().map(call).collect();
        Run { code: output.status.code(), stderr: String::from_utf8(output.stderr).unwrap(), calls }
    }

    /// A command for which no file can be read whose path ends so.
    pub fn unable_to_read(&self, stage: &Stage, arguments: &[&str], end: &str) -> Command {
        let mut command = stage.std_command(arguments);
        command.env("LD_PRELOAD", &self.0).env("FAULT_UNREADABLE", end);
        command
    }

    /// A command on a file system that cannot sync a directory, nor change an owner or a mode.
    pub fn on_a_plain_file_system(&self, stage: &Stage, arguments: &[&str]) -> Command {
        let mut command = stage.std_command(arguments);
        command.env("LD_PRELOAD", &self.0).env("FAULT_PLAIN", "1");
        command
    }

    /// A command that sees a time of day which is so many seconds ahead, or, with a `@` before them, stands still.
    pub fn at_another_time(&self, stage: &Stage, arguments: &[&str], seconds: &str) -> Command {
        let mut command = stage.std_command(arguments);
        command.env("LD_PRELOAD", &self.0).env("FAULT_CLOCK", seconds);
        command
    }
}

fn call(line: &str) -> Call {
    let [what, failed, path, to, at, bytes] = line.split('\t').collect::<Vec<_>>()[..] else {
        panic!("six fields expected, found {line:?}")
    };
    let byte = |at| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap();
    Call {
        what: what.to_owned(),
        failed: !failed.is_empty(),
        path: path.into(),
        to: to.into(),
        at: at.parse().unwrap(),
        bytes: (0..bytes.len()).step_by(2).map(byte).collect(),
    }
}
