//! What was recorded, a line an operation: `ledger.jsonl` for writes, `reads.jsonl` for reads.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::durable;
use crate::witness::clock::{Clock, Moment};
use crate::witness::record::{Outcome, Record, Seen};

/// A line of `ledger.jsonl`.
#[derive(Serialize)]
struct WriteLine<'a> {
    seq: u64,
    token: &'a str,
    sent: String,
    done: String,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// A line of `reads.jsonl`.
#[derive(Serialize)]
struct ReadLine<'a> {
    sent: String,
    done: String,
    #[serde(flatten)]
    seen: &'a Seen,
}

/// Writes every write that was tried.
pub(super) fn write_ledger(path: &Path, record: &Record, clock: Clock) -> Result<()> {
    let lines = record.writes.iter().map(|write| WriteLine {
        seq: write.seq,
        token: &write.token,
        sent: utc(clock, write.sent),
        done: utc(clock, write.done),
        outcome: &write.outcome,
    });
    write_lines(path, lines)
}

/// Writes every read.
pub(super) fn write_reads(path: &Path, record: &Record, clock: Clock) -> Result<()> {
    let lines = record.reads.iter().map(|read| ReadLine {
        sent: utc(clock, read.sent),
        done: utc(clock, read.done),
        seen: &read.seen,
    });
    write_lines(path, lines)
}

fn utc(clock: Clock, moment: Moment) -> String {
    format!("{:.6}", clock.utc(moment))
}

fn write_lines(path: &Path, lines: impl Iterator<Item = impl Serialize>) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(durable::create(path)?);
    for line in lines {
        serde_json::to_writer(&mut file, &line).with_context(context)?;
        file.write_all(b"\n").with_context(context)?;
    }
    file.flush().with_context(context)
}
