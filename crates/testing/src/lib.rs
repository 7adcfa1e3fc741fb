//! What the tests of several crates share. A test fails by a panic, so that nothing here gives an error but what a test may go
//! on without.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(5);

/// Waits until something holds, and gives what it was; says how things stood last, if it never does.
#[track_caller]
pub fn until<T>(bound: Duration, mut holds: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match holds() {
            Ok(value) => return value,
            Err(last) => assert!(began.elapsed() < bound, "not within {bound:?}: {last}"),
        }
        thread::sleep(PAUSE);
    }
}

/// Waits for the end of a process.
#[track_caller]
pub fn ended(child: &mut Child, bound: Duration, said: impl Fn() -> String) -> ExitStatus {
    until(bound, || child.try_wait().unwrap().ok_or_else(|| format!("still running: {}", said())))
}

/// Copies a program to where it will be run. Another process does it: were the new file open for writing here, whatever
/// this process forks meanwhile would have it open too, and what is open for writing cannot be run.
pub fn install(from: &Path, to: &Path) {
    let installed = Command::new("install").args(["--mode=755", "--"]).args([from, to]).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
}

/// Writes a script to where it will be run.
pub fn script(text: &str, to: &Path) {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".script");
    fs::write(&partial, text).unwrap();
    install(Path::new(&partial), to);
    fs::remove_file(&partial).unwrap();
}

/// Compiles a C file to a library that stands in front of the system's in a process; each run of tests has its own.
///
/// # Errors
/// If there is no C compiler, or it says no.
pub fn c_library(source: &Path, directory: &Path) -> Result<PathBuf, String> {
    let name = source.file_stem().unwrap().to_string_lossy();
    let library = directory.join(format!("{name}-{}.so", std::process::id()));
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, source]).output();
    match compiled {
        Ok(output) if output.status.success() => Ok(library),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("cc: {error}")),
    }
}
