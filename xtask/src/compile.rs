//! The programs for an image with nothing else in it: static, and the same wherever they are compiled.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Where programs are compiled to, and for what.
pub struct Compiler {
    /// The target directory, whatever is compiled in it.
    pub target: PathBuf,
    /// The target triple of this machine.
    pub host: String,
}

impl Compiler {
    pub fn new(sh: &Shell) -> Result<Self> {
        // This program is `<target>/<profile>/xtask`, wherever the target directory is.
        let this = env::current_exe().context("cannot find the path of this program")?;
        let target = this.parent().and_then(Path::parent).context("this program is not in a target directory")?;
        let version = cmd!(sh, "rustc --version --verbose").quiet().read()?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not name its host; see rustc --version --verbose")?;
        Ok(Self { target: target.to_owned(), host: host.to_owned() })
    }

    /// Compiles the programs of some packages; gives their directory.
    pub fn compile(&self, sh: &Shell, packages: &[&str]) -> Result<PathBuf> {
        // The target is named even though it is the host's: flags then leave build scripts and procedural macros
        // alone, which cannot be static.
        let host = &self.host;
        let flags = format!("target.{host}.rustflags=[{}]", flags(sh)?);
        let packages = packages.iter().flat_map(|package| ["--package", *package]);
        cmd!(sh, "cargo build --release --locked --target {host} {packages...} --config {flags}")
            // They would win over the flags above, and the programs would silently need a C library.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .run()?;
        Ok(self.target.join(host).join("release"))
    }
}

/// Static, and with no path of this machine in it.
fn flags(sh: &Shell) -> Result<String> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let cargo = cargo.context("neither CARGO_HOME nor a home directory is known; set one")?;
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=cargo", cargo.display()),
        format!("--remap-path-prefix={}=pra", sh.current_dir().display()),
    ];
    Ok(flags.map(|flag| format!("'{flag}'")).join(", "))
}
