//! The program as process 1 of a container, where the kernel drops signals that nobody handles. It takes a right to
//! unshare.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::stage::{PROGRAM, Stage, create};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn process_1_ends_when_it_is_asked_to() {
    if !Command::new("unshare").args(["--pid", "--fork", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user cannot unshare processes");
        return;
    }
    let stage = Stage::new();
    let connection = create(&stage.database);
    connection.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut command = Command::new("unshare");
        // It has to wait for us too: to see whether it has the lock of the repository, we try to get that.
        command.args(["--pid", "--fork", PROGRAM, "take", "--wait", "60s", "--deadline", "60s"]).stderr(Stdio::piped());
        command.env("DB_PATH", &stage.database).env("BACKUP_DIR", stage.repository.path());
        let mut unshare = command.spawn().unwrap();
        let process_1 = until(|| waiting_child(&mut unshare, signal, &stage));
        kill(process_1, signal).unwrap();
        let status = until(|| unshare.try_wait().unwrap().ok_or_else(|| "still running".to_owned()));
        assert_eq!(status.code(), Some(128 + signal as i32));
    }
}

/// The program below `unshare`, once it waits for the database: it has the lock of the repository by then, and listens to
/// the signal, which would otherwise be dropped.
fn waiting_child(unshare: &mut Child, signal: Signal, stage: &Stage) -> Result<Pid, String> {
    if let Some(status) = unshare.try_wait().unwrap() {
        let mut said = String::new();
        unshare.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        panic!("it ended by itself, {status}: {said}");
    }
    let id = unshare.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).map_err(|error| error.to_string())?;
    let child = children.split_whitespace().next().ok_or("no child yet")?;
    // Its executable is for root alone to see.
    let is_it = fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| line.starts_with(PROGRAM.as_bytes()));
    let listens = is_it && held_back(child) & (1 << (signal as u32 - 1)) != 0;
    let waits = listens && stage.repository.writer(Duration::ZERO).is_err();
    waits.then(|| Pid::from_raw(child.parse().unwrap())).ok_or_else(|| format!("program {is_it}, listens {listens}"))
}

/// The signals that a process holds back until it waits for them, a bit each, as proc(5) has them.
fn held_back(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap()
}

#[track_caller]
fn until<T>(holds: impl FnMut() -> Result<T, String>) -> T {
    testing::until(SOON, holds)
}
