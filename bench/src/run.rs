//! Runs of whole programs, and what they cost.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// No run takes longer, on whatever disk.
const LIMIT: Duration = Duration::from_secs(600);

/// How often a program is looked at: what its time and its peak memory may be wrong by.
const POLL: Duration = Duration::from_millis(1);

/// What a run cost.
#[derive(Clone, Copy)]
pub struct Cost {
    pub seconds: f64,
    /// The most memory that was resident at once.
    pub peak_bytes: u64,
}

/// Runs a program to its end. That it fails is an error, with what it said.
pub fn timed(command: &mut Command) -> Result<Cost> {
    timed_beside(command, || {})
}

/// The same, and calls `look` all the time.
pub fn timed_beside(command: &mut Command, mut look: impl FnMut()) -> Result<Cost> {
    let name = command.get_program().to_string_lossy().into_owned();
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let mut peak_bytes = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            let seconds = began.elapsed().as_secs_f64();
            ensure!(status.success(), "{name} ended with {status}: {}", said(&mut child));
            return Ok(Cost { seconds, peak_bytes });
        }
        peak_bytes = peak_bytes.max(resident_peak(child.id()).unwrap_or(0));
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("{name} was stopped after {} s: {}", LIMIT.as_secs(), said(&mut child));
        }
        look();
        thread::sleep(POLL);
    }
}

fn said(child: &mut Child) -> String {
    let mut text = String::new();
    // For the message of an error only; what is no text is left out.
    let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut text));
    text
}

/// `VmHWM` of a process that lives, in bytes.
fn resident_peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Brings to disk what earlier runs left, which the next one would otherwise pay for.
pub fn settle(directory: &Path) -> Result<()> {
    timed(Command::new("sync").arg("--file-system").arg(directory)).map(drop)
}

/// The middle of several values; of an even number, the greater of both.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_no_mean() {
        assert_eq!(median(vec![100.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![1.0, 3.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_program_that_fails_is_an_error_that_says_what_it_said() {
        let error = timed(Command::new("ls").arg("/no such thing")).map(drop).unwrap_err().to_string();
        assert!(error.contains("no such thing"), "{error}");
    }

    #[test]
    fn memory_is_measured_while_a_program_runs() {
        let cost = timed(Command::new("sleep").arg("0.1")).unwrap();
        assert!(cost.seconds >= 0.1 && cost.peak_bytes > 10_000, "{} s, {} bytes", cost.seconds, cost.peak_bytes);
    }
}
