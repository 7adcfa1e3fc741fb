//! Continues the newest journal file, which was written with this same database file.

use std::path::Path;

use anyhow::{Context, ensure};
use rusqlite::Connection;

use super::file::{Contents, Tail};
use super::position::Marks;
use super::replay::apply;
use super::{History, Journal, Open, home, position};

impl Journal {
    /// Opens the newest file to go on in, after the group whose COMMIT never came is replayed and the one that was cut
    /// off is cut away. False if it lacks what the database has. Inside a write transaction, so that nobody writes it.
    pub(super) fn join(&mut self, connection: &Connection, state: &Marks, history: &History) -> anyhow::Result<bool> {
        let (Some((epoch, _)), Some(position)) = (history.newest(), &state.position) else { return Ok(false) };
        let Some(mut contents) = Contents::read(&history.directory, *epoch)? else { return Ok(false) };
        let mut time = position.time;
        while let Some(group) = contents.next_group() {
            if group.number > position.number {
                tracing::info!(
                    group = group.number,
                    messages = group.rows.len(),
                    "replayed a group that was never committed"
                );
                apply(connection, &group, &self.instance)?;
            }
            time = time.max(group.time);
        }
        if contents.last() < position.number || matches!(contents.tail(), Tail::Damaged { .. }) {
            tracing::warn!("{} is damaged after group {}", contents.path().display(), contents.last());
            return Ok(false);
        }
        let path = contents.path();
        let file = backup::openat::update(path).with_context(|| format!("cannot open {}", path.display()))?;
        if contents.tail() == Tail::Torn {
            tracing::info!("{}: removed the remains of an interrupted write", path.display());
            let cut = file.set_len(contents.end()).and_then(|()| file.sync_all());
            cut.with_context(|| format!("cannot cut {}", path.display()))?;
        }
        self.epoch = *epoch;
        self.open = Some(Open {
            epoch: *epoch,
            directory: history.directory.clone(),
            file,
            end: contents.end(),
            last: contents.last(),
            time,
        });
        Ok(true)
    }
}

/// Fails if a journal has messages that a database lacks, which is about to be served without a journal.
pub(crate) fn check_unprotected(connection: &Connection, database: &Path, repository: &Path) -> anyhow::Result<()> {
    let (state, lineage) = (position::read(connection)?, backup::lineage::read(connection)?);
    let (Some(position), Some(lineage)) = (state.position, lineage) else { return Ok(()) };
    let directory = home::directory(repository, &lineage);
    if !directory.exists() || super::instance::of(database).is_ok_and(|instance| instance == position.instance) {
        return Ok(());
    }
    let history = History::read(&directory)?;
    let mut missing = 0;
    for link in history.chain(position.number).unwrap_or_default() {
        let Some(mut contents) = Contents::read(&directory, link.epoch)? else { continue };
        while let Some(group) = contents.next_group() {
            missing += if group.number >= link.from { group.rows.len() } else { 0 };
        }
    }
    ensure!(
        missing == 0,
        "the database lacks {missing} messages that are in its journal {}; start with --protect sync",
        directory.display()
    );
    Ok(())
}
