//! The programs that the pipeline runs: which version it wants, which one is there, and how to get it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::programs::usage;

/// A tool, the least version of it, and how to get it.
pub struct Tool {
    pub name: &'static str,
    pub wanted: &'static str,
    pub get: &'static str,
}

/// What every platform needs.
pub const LOCAL: [Tool; 4] = [
    Tool { name: "cargo", wanted: env!("CARGO_PKG_RUST_VERSION"), get: "https://rustup.rs" },
    Tool { name: "rustc", wanted: env!("CARGO_PKG_RUST_VERSION"), get: "https://rustup.rs" },
    Tool { name: "cc", wanted: "any", get: "a C compiler: apt install gcc" },
    Tool { name: "git", wanted: "any", get: "apt install git" },
];

/// What a k3d cluster needs as well.
pub const CLUSTER: [Tool; 5] = [
    Tool { name: "docker", wanted: "20.10", get: "https://docs.docker.com/engine" },
    Tool { name: "k3d", wanted: "5.6", get: "cargo xtask setup" },
    Tool { name: "kubectl", wanted: "1.30", get: "cargo xtask setup" },
    Tool { name: "packer", wanted: "1.6", get: "cargo xtask setup" },
    Tool { name: "ansible-playbook", wanted: "2.14", get: "cargo xtask setup" },
];

/// What `setup` needs to fetch the others.
pub const SETUP: [Tool; 2] = [
    Tool { name: "python3", wanted: "3.11", get: "apt install python3-venv" },
    Tool { name: "curl", wanted: "any", get: "apt install curl" },
];

/// What `cargo speed` and `cargo versus` need.
pub const BENCH: [Tool; 2] = [
    Tool { name: "python3", wanted: "3.11", get: "apt install python3-venv" },
    Tool { name: "wrk", wanted: "any", get: "apt install wrk" },
];

/// What was found of a tool.
pub enum Found {
    /// The version number.
    Good(String),
    /// The version number, or what the tool said in its place.
    TooOld(String),
    /// It cannot be run; for Docker, its service does not answer.
    Missing,
}

impl Tool {
    pub fn find(&self, sh: &Shell) -> Found {
        let Some(said) = version(sh, Path::new(self.name)) else {
            return Found::Missing;
        };
        match number(&said) {
            Some(found) if self.wanted == "any" || is_at_least(found, self.wanted) => Found::Good(found.to_owned()),
            None if self.wanted == "any" => Found::Good(said),
            found => Found::TooOld(found.unwrap_or(&said).to_owned()),
        }
    }
}

/// The names of those tools that are missing or too old.
pub fn lacking(sh: &Shell, tools: &[Tool]) -> Vec<&'static str> {
    tools.iter().filter(|tool| !matches!(tool.find(sh), Found::Good(_))).map(|tool| tool.name).collect()
}

/// That these tools of a cluster are there, by their names: what comes before their turn takes minutes.
pub fn need(sh: &Shell, what_for: &str, names: &[&str]) -> Result<()> {
    for tool in CLUSTER.iter().filter(|tool| names.contains(&tool.name)) {
        let found = match tool.find(sh) {
            Found::Good(_) => continue,
            Found::TooOld(version) => format!("{} or newer, found {version}", tool.wanted),
            Found::Missing if tool.name == "docker" => "which does not answer".to_owned(),
            Found::Missing => "which is not there".to_owned(),
        };
        return Err(usage(format!("{what_for} needs {}, {found}; get it: {}", tool.name, tool.get)));
    }
    Ok(())
}

/// The first line that a program prints about its version; `None` if it cannot be run.
pub fn version(sh: &Shell, program: &Path) -> Option<String> {
    let name = program.file_name()?.to_str()?;
    let question: &[&str] = match name {
        // The client alone is of no use: ask the service.
        "docker" => &["version", "--format", "{{.Server.Version}}"],
        "k3d" | "packer" => &["version"],
        "kubectl" => &["version", "--client"],
        _ => &["--version"],
    };
    let mut asked = cmd!(sh, "{program} {question...}").quiet().ignore_stderr();
    if name == "wrk" {
        // It tells its version and calls that a failure.
        asked = asked.ignore_status();
    }
    let output = asked.read().ok()?;
    Some(output.lines().next().unwrap_or_default().to_owned())
}

/// The first version number in a line: `v1.33.5`, `[core 2.19.3]` and `29.1.0` have one.
pub fn number(line: &str) -> Option<&str> {
    line.split(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.'))
}

fn is_at_least(found: &str, wanted: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    numbers(found) >= numbers(wanted)
}

/// Where `setup` puts its programs: a Python environment with the others beside its own.
pub fn directory(root: &Path) -> PathBuf {
    env::var_os("PRA_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from)
}

/// The search path for programs, with those of `setup` before the machine's.
pub fn search_path(root: &Path) -> Result<OsString> {
    let machine = env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(directory(root).join("bin")).chain(env::split_paths(&machine));
    env::join_paths(directories).context("the path of the project has a colon in it: move it elsewhere")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_numbers_are_found_in_what_tools_say() {
        for (line, expected) in [
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", "1.95.0"),
            ("Client Version: v1.33.5", "1.33.5"),
            ("ansible-playbook [core 2.19.3]", "2.19.3"),
            ("gcc (Debian 12.2.0-14) 12.2.0", "12.2.0"),
            ("29.1.3", "29.1.3"),
        ] {
            assert_eq!(number(line), Some(expected));
        }
        assert_eq!(number("no number at all."), None);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_at_least("1.95.0", "1.89"));
        assert!(is_at_least("1.100.0", "1.89"));
        assert!(!is_at_least("1.9.0", "1.89"));
    }
}
