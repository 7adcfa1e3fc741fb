//! The program as process 1 of a container, where the kernel drops signals that nobody handles. It takes a right to
//! unshare.

use std::fs;
use std::process::{Command, Stdio};
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
        command.args(["--pid", "--fork", PROGRAM, "take", "--deadline", "60s"]).stderr(Stdio::null());
        command.env("DB_PATH", &stage.database).env("BACKUP_DIR", stage.repository.path());
        let mut unshare = command.spawn().unwrap();
        let process_1 = until(|| waiting_child(unshare.id(), &stage));
        kill(process_1, signal).unwrap();
        let status = until(|| unshare.try_wait().unwrap());
        assert_eq!(status.code(), Some(128 + signal as i32));
    }
}

/// The program below `unshare`, once it waits for the database: it has the lock of the repository by then.
fn waiting_child(unshare: u32, stage: &Stage) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
    let child = children.split_whitespace().next()?.parse().ok()?;
    // Its executable is for root alone to see.
    let is_it = fs::read(format!("/proc/{child}/cmdline")).ok()?.starts_with(PROGRAM.as_bytes());
    let waits = stage.repository.writer(Duration::ZERO).is_err();
    (is_it && waits).then(|| Pid::from_raw(child))
}

fn until<T>(mut holds: impl FnMut() -> Option<T>) -> T {
    testing::until(SOON, || holds().ok_or_else(String::new))
}
