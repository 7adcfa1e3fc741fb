//! Brings a database up to its journal. Nothing is skipped: if a group cannot be replayed, the error says what would be
//! lost.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;
use rusqlite::Connection;

use super::file::{Contents, Tail};
use super::history::{Link, NoChain};
use super::position;
use super::record::Group;
use crate::store::Message;

/// How many messages are replayed with one commit: enough that commits cost little, and the WAL stays small.
const ROWS_A_COMMIT: usize = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// The last group in it.
    pub number: i64,
    pub time: i64,
    pub groups: usize,
    /// The time of the first group that was not, because it is later than was asked for.
    pub stopped_before: Option<i64>,
}

/// A replay under way, inside a write transaction of the connection.
pub(super) struct Replay<'a> {
    pub connection: &'a Connection,
    /// The database file that the position goes on naming until the replay is done, see [`super::position`].
    pub instance: &'a str,
    /// The latest time to replay, in microseconds since 1970.
    pub until: Option<i64>,
}

impl Replay<'_> {
    /// Replays the links of a chain into a database that is at `reached`. A long one commits on its way, and goes on from
    /// there if it is killed.
    pub(super) fn run(&self, directory: &Path, chain: &[Link], mut reached: Reached) -> anyhow::Result<Reached> {
        let mut rows = 0;
        for link in chain {
            let mut contents = read(directory, *link)?;
            while link.to.is_none_or(|to| contents.last() < to)
                && let Some(group) = contents.next_group()
            {
                if group.number < link.from {
                    continue;
                }
                if self.until.is_some_and(|until| group.time > until) {
                    return Ok(Reached { stopped_before: Some(group.time), ..reached });
                }
                apply(self.connection, &group, self.instance)?;
                let groups = reached.groups + 1;
                reached = Reached { number: group.number, time: group.time, groups, stopped_before: None };
                rows += group.rows.len();
                if rows >= ROWS_A_COMMIT {
                    self.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
                    rows = 0;
                }
            }
            match check_end(&contents, *link, reached) {
                // Just what comes before it was asked for.
                Err(error) if self.until == Some(reached.time) => {
                    tracing::warn!("left behind: {error:#}");
                    return Ok(reached);
                }
                checked => checked?,
            }
        }
        Ok(reached)
    }
}

/// Stores what is in a group, as part of a transaction.
pub(super) fn apply(connection: &Connection, group: &Group, instance: &str) -> anyhow::Result<()> {
    let Group { number, time, rows } = group;
    let mut insert = connection.prepare_cached("INSERT INTO message (id, timestamp, message) VALUES (?1, ?2, ?3)")?;
    for row in rows {
        let inserted = insert.execute((row.id, &row.timestamp, &row.message));
        // There already, and the same: it was stored although the journal failed, and what it had reached was read again.
        if inserted.is_err() && is_stored(connection, row)? {
            continue;
        }
        inserted.with_context(|| {
            let id = row.id;
            format!("cannot replay group {number} of {}: message {id} conflicts with the database", text(*time))
        })?;
    }
    position::store(connection, *number, *time, instance)?;
    Ok(())
}

fn is_stored(connection: &Connection, row: &Message) -> rusqlite::Result<bool> {
    let Message { id, timestamp, message } = row;
    let same = "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1 AND timestamp = ?2 AND message = ?3)";
    connection.query_row(same, (id, timestamp, message), |row| row.get(0))
}

fn read(directory: &Path, link: Link) -> anyhow::Result<Contents> {
    let Link { epoch, from, to } = link;
    let lost = || match to {
        Some(to) => format!("groups {from} to {to} are lost"),
        None => format!("all groups from {from} on are lost"),
    };
    Contents::read(directory, epoch)
        .with_context(lost)?
        .with_context(|| format!("{}: {} is now empty", lost(), super::file::path(directory, epoch).display()))
}

/// Fails if a file ends, or cannot be read further, before it should.
fn check_end(contents: &Contents, link: Link, reached: Reached) -> anyhow::Result<()> {
    let (last, path, tail) = (contents.last(), contents.path().display(), contents.tail());
    let how = if matches!(tail, Tail::Damaged { .. }) { "is damaged" } else { "ends too early" };
    if last < reached.number {
        return Err(anyhow!(NoChain::Behind { last }).context(format!("{path} {how}")));
    }
    let after = || format!("the last good group before them is of {}", text(reached.time));
    match (link.to, tail) {
        (Some(to), _) if last < to => bail!("groups {} to {to} are lost: {path} {how}; {}", last + 1, after()),
        (None, Tail::Damaged { later }) => {
            bail!("groups {} to {} are lost: {path} {how}; {}", last + 1, later - 1, after())
        }
        _ => Ok(()),
    }
}

/// A time as people give it to `--until`.
pub(super) fn text(time: i64) -> String {
    Timestamp::from_microsecond(time).map_or_else(|_| format!("{time} µs"), |time| format!("{time:.6}"))
}
