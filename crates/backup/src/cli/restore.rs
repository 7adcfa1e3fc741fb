use backup::restore::{self, Choice, Ensured, LineageChoice, Request};
use backup::verify::Check;
use backup::{Name, Restored, exit};
use clap::Args;
use jiff::Timestamp;

use super::{DatabaseArg, RepositoryArg, output};

/// Restore the database from the newest good restore point that fits
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    database: DatabaseArg,
    #[command(flatten)]
    repository: RepositoryArg,
    /// This restore point and no other
    #[arg(conflicts_with_all = ["latest", "at"])]
    name: Option<Name>,
    /// The newest good one (the default)
    #[arg(long, conflicts_with = "at")]
    latest: bool,
    /// The newest good one that began at this time or before, as 2026-11-22T18:09:35Z
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// Of this lineage: the beginning of its id, or `none` for databases without one
    #[arg(long, value_name = "ID")]
    lineage: Option<LineageChoice>,
    /// Replace a database that exists; a safety copy of it is kept beside
    #[arg(long)]
    force: bool,
    /// Do nothing, and succeed, if the database exists or the repository is empty: for what runs before a service
    #[arg(long, conflicts_with_all = ["force", "name"])]
    if_missing: bool,
    /// How thoroughly SQLite checks the copy before it is put in place
    #[arg(long, value_enum, default_value_t)]
    check: Check,
}

impl Restore {
    pub fn run(&self, json: bool) -> anyhow::Result<u8> {
        if self.if_missing {
            return self.ensure(json);
        }
        let restored = restore::run(&self.repository.open(), &self.request())?;
        if json {
            output::json(&restored)?;
        } else {
            print(&restored, &self.database)?;
        }
        Ok(exit::OK)
    }

    fn ensure(&self, json: bool) -> anyhow::Result<u8> {
        let repository = self.repository.open();
        let ensured = restore::if_missing(&repository, &self.request())?;
        let (database, directory) = (self.database.database.display(), repository.path().display());
        match &ensured {
            _ if json => output::json(&ensured)?,
            Ensured::Present => output::line(&format!("{database} exists, nothing was restored"))?,
            Ensured::NothingToRestore => {
                output::line(&format!("{database} is missing, but {directory} holds no restore point: a first start"))?;
            }
            Ensured::Restored(restored) => print(restored, &self.database)?,
        }
        Ok(exit::OK)
    }

    fn request(&self) -> Request {
        let choice = match (&self.name, self.at) {
            (Some(name), _) => Choice::Name(name.clone()),
            (None, Some(time)) => Choice::At(time),
            (None, None) => Choice::Latest,
        };
        Request {
            database: self.database.database.clone(),
            choice,
            lineage: self.lineage.clone(),
            force: self.force,
            check: self.check,
        }
    }
}

fn print(restored: &Restored, database: &DatabaseArg) -> anyhow::Result<()> {
    let Restored { restore_point, rejected, safety_copy, bytes, seconds } = restored;
    let (name, created_at) = (&restore_point.name, restore_point.created_at);
    for rejected in rejected {
        output::line(&format!("passed over {rejected}"))?;
    }
    let (path, size) = (database.database.display(), output::size(*bytes));
    output::line(&format!("restored {path} from {name} (of {created_at:.3}, {size}) in {seconds:.2} s"))?;
    if let Some(safety_copy) = safety_copy {
        output::line(&format!("what it replaced is kept as {}", safety_copy.display()))?;
    }
    Ok(())
}
