//! The programs that are measured, what else is run, and what is said.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// The programs of a release build.
pub struct Programs {
    directory: PathBuf,
}

/// Builds the programs, as the pipeline does.
pub fn build(sh: &Shell) -> Result<Programs> {
    cmd!(sh, "cargo xtask build").run()?;
    let this = env::current_exe().context("cannot find the path of this program")?;
    // This program is <target>/<profile>/bench, wherever the target directory is.
    let target = this.parent().and_then(Path::parent).context("this program is not in a target directory")?;
    Ok(Programs { directory: target.join("release") })
}

impl Programs {
    /// Where a program is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Whether a program is in the search path.
pub fn is_there(program: &str) -> bool {
    let search = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&search).any(|directory| directory.join(program).is_file())
}

/// The first line that a program answers when it is asked for its version; `None` if it cannot be run.
pub fn version(sh: &Shell, program: &Path, question: &str) -> Option<String> {
    let said = cmd!(sh, "{program} {question}").quiet().ignore_stderr().read().ok()?;
    Some(said.lines().next().unwrap_or_default().to_owned())
}

pub fn cores() -> usize {
    thread::available_parallelism().map_or(0, usize::from)
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
