//! The programs that a build leaves, and how the last program of a pipeline is run.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// The programs of a release build.
pub struct Programs {
    directory: PathBuf,
}

/// Builds the programs.
pub fn build(sh: &Shell) -> Result<Programs> {
    cmd!(sh, "cargo build --release --locked").run()?;
    let this = std::env::current_exe().context("cannot find the path of this program")?;
    // This program is <target>/<profile>/xtask, wherever the target directory is.
    let target =
        this.parent().and_then(std::path::Path::parent).context("this program is not in a target directory")?;
    Ok(Programs { directory: target.join("release") })
}

impl Programs {
    /// Where a program is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Becomes a program: signals reach it directly, and its exit code is the pipeline's. Returns only on failure.
    pub fn become_program<S: AsRef<OsStr>>(&self, sh: &Shell, name: &str, arguments: &[S]) -> Result<ExitCode> {
        let here = sh.current_dir();
        let program = self.path(name);
        let shown = program.strip_prefix(&here).unwrap_or(&program);
        say(&format!("$ {}", cmd!(sh, "{shown} {arguments...}")));
        let mut command = Command::new(&program);
        command.args(arguments).env("PATH", sh.var("PATH")?).current_dir(here);
        if sh.var_os(COMMIT).is_none()
            && let Some(commit) = commit(sh)
        {
            command.env(COMMIT, commit);
        }
        let error = command.exec();
        Err(error).with_context(|| format!("cannot run {}", program.display()))
    }
}

/// By this the drill learns which commit it drills.
const COMMIT: &str = "DRILL_COMMIT";

/// The commit that was built, marked if there are changes beside it; `None` outside of a git repository.
fn commit(sh: &Shell) -> Option<String> {
    cmd!(sh, "git describe --always --dirty --abbrev=40 --exclude=*").quiet().ignore_stderr().read().ok()
}

/// Tells the person who waits; they may have closed the terminal.
pub fn say(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Prints a result. A reader that has gone away is no failure.
pub fn print(line: &str) -> Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

/// An error with an exit code of its own; every other error is 1.
#[derive(Debug)]
pub struct Refused {
    pub code: u8,
    reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}

/// It was asked for in a way that cannot be done, or the machine lacks something for it.
pub fn usage(reason: impl Into<String>) -> anyhow::Error {
    Refused { code: 2, reason: reason.into() }.into()
}

/// What is there forbids it, and nothing was changed.
pub fn refused(reason: impl Into<String>) -> anyhow::Error {
    Refused { code: 3, reason: reason.into() }.into()
}

/// Says what is wrong and gives the exit code.
pub fn fail(message: &str, code: u8) -> ExitCode {
    say(&format!("error: {message}"));
    code.into()
}
