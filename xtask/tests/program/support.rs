//! A machine of stand-ins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A machine with nothing but the programs that a test puts on it. Each of them logs how it was called.
pub struct Machine {
    directory: TempDir,
}

impl Machine {
    /// A machine with no program at all.
    pub fn bare() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for folder in ["bin", "target/debug", "target/release"] {
            fs::create_dir_all(directory.path().join(folder)).unwrap();
        }
        // The pipeline finds what it builds by its own place.
        let xtask = directory.path().join("target/debug/xtask");
        fs::hard_link(env!("CARGO_BIN_EXE_xtask"), xtask).unwrap();
        Self { directory }
    }

    /// A machine with all that a k3d cluster needs, and no cluster.
    pub fn with_every_tool() -> Self {
        let machine = Self::bare();
        machine.program("docker", "echo 28.2.2");
        machine.program("packer", "echo Packer v1.14.2");
        machine.program("ansible-playbook", "echo 'ansible-playbook [core 2.19.3]'");
        machine.program("curl", "exit 0");
        machine.program(
            "k3d",
            r#"case "$*" in
            version) echo "k3d version v5.8.3" ;;
            "cluster list"*) if [ -e "$STATE/cluster" ]; then echo "[$(cat "$STATE/cluster")]"; else echo "[]"; fi ;;
            "cluster create"*) printf '%s' "$RUNNING" > "$STATE/cluster" ;;
            esac"#,
        );
        machine.program(
            "kubectl",
            r#"case "$*" in
            version*) echo "Client Version: v1.33.5" ;;
            *"get nodes"*) echo "{\"items\":[$READY,$READY,$READY]}" ;;
            esac"#,
        );
        machine
    }

    /// Puts a program on the machine: the body of a shell script.
    pub fn program(&self, name: &str, body: &str) {
        write_program(&self.path("bin").join(name), name, body);
    }

    /// Puts a built program on the machine.
    pub fn built(&self, name: &str, body: &str) {
        write_program(&self.path("target/release").join(name), name, body);
    }

    /// Lets k3d list a cluster `pra`.
    pub fn has_cluster(&self, description: &str) {
        fs::write(self.path("cluster"), description).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("target/debug/xtask"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("PRA_TOOLS", self.path("tools"))
            .env("STATE", self.path(""))
            .env("RUNNING", RUNNING)
            .env("READY", r#"{"metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        output(&mut self.command(arguments))
    }

    /// What was run, but for questions about versions.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let asks = |line: &str| line.split(' ').nth(1).is_some_and(|word| word.trim_start_matches('-') == "version");
        log.lines().filter(|line| !asks(line)).map(str::to_owned).collect()
    }
}

fn write_program(path: &Path, name: &str, body: &str) {
    // `PATH` is the machine's; what the script itself uses is the real one's.
    write_script(path, &format!("echo \"{name} $*\" >> \"$STATE/log\"\nPATH=/usr/bin:/bin\n{body}"));
}

/// Writes a shell script that can be run.
pub fn write_script(path: &Path, body: &str) {
    testing::script(&format!("#!/bin/sh\n{body}\n"), path);
}

/// Runs a program to its end.
pub fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

pub const RUNNING: &str = r#"{"name":"pra","serversRunning":1,"serversCount":1,"agentsRunning":2,"agentsCount":2,"nodes":[{"portMappings":{"30080/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}}]}"#;

/// The exit code and what was said, for a message that says all.
pub fn outcome(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Asserts an exit code and what was said with it.
#[track_caller]
pub fn assert_outcome(output: &Output, code: i32, said: &[&str]) {
    let (found, stderr) = outcome(output);
    assert_eq!(found, Some(code), "{stderr}");
    for text in said {
        assert!(stderr.contains(text), "{text:?} is not in: {stderr}");
    }
}

/// Whether a test may leave out what needs a program: not in continuous integration, which has it.
pub fn is_there(program: &str) -> bool {
    let there = output(Command::new("sh").args(["-c", "command -v \"$0\"", program])).status.success();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        eprintln!("skipped: {program} is missing");
    }
    there
}
