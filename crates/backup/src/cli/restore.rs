use std::time::Duration;

use backup::restore::{self, Choice, Ensured, IntoLive, Plan, Proof, Request, Terms};
use backup::verify::Check;
use backup::{Error, Name, Repository, Restored, exit, said};
use clap::Args;
use jiff::Timestamp;

use super::keys::VerifyArgs;
use super::{DatabaseArg, RepositoryArg, WhoseArgs, output};

/// Restore the database from its newest good restore point
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    database: DatabaseArg,
    #[command(flatten)]
    repository: RepositoryArg,
    /// Restore this restore point
    #[arg(conflicts_with_all = ["latest", "at"])]
    name: Option<Name>,
    /// Restore the newest good one (the default)
    #[arg(long, conflicts_with = "at")]
    latest: bool,
    /// Restore the newest good one that began at or before this time, such as 2026-11-22T18:09:35Z
    #[arg(long, value_name = "TIME", value_parser = said::time)]
    at: Option<Timestamp>,
    #[command(flatten)]
    whose: WhoseArgs,
    #[command(flatten)]
    verify: VerifyArgs,
    /// Replace an existing database and keep a safety copy next to it
    #[arg(long)]
    force: bool,
    /// Do nothing and succeed if the database exists or the repository is empty; run this before a service starts
    #[arg(long, conflicts_with_all = ["force", "name"])]
    if_missing: bool,
    /// Only verify the restore point and print what would be done
    #[arg(long, conflicts_with = "if_missing")]
    dry_run: bool,
    /// Overwrite the content of a database in use, in one transaction, instead of replacing its file. Keeps a safety
    /// copy of the old content; AUTOINCREMENT keys continue from their current values. Refused if a table without
    /// AUTOINCREMENT would reuse keys
    #[arg(long, conflicts_with = "if_missing")]
    into_live: bool,
    /// With --into-live: time to wait for other writers
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "10s", requires = "into_live")]
    wait: Duration,
    /// With --into-live: longest time to block other writers; when it runs out, the restore stops and changes nothing
    #[arg(long, alias = "deadline", value_name = "DURATION", value_parser = said::duration, default_value = "10m",
          requires = "into_live")]
    hold: Duration,
    /// With --into-live: continue although tables without AUTOINCREMENT will reuse keys given out since the restore
    /// point
    #[arg(long, requires = "into_live")]
    reuse_keys: bool,
    /// How thoroughly SQLite checks the copy before the restore replaces anything [default: as when it was taken]
    #[arg(long, value_enum)]
    check: Option<Check>,
}

impl Restore {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        if self.if_missing {
            return self.ensure(json);
        }
        if self.dry_run {
            return self.plan(json);
        }
        let (repository, request) = (self.open()?, self.request());
        let bar = output::ProgressBar::of_pages();
        let restored = if let Some(terms) = self.terms() {
            restore::into_live(&repository, &request, terms, &mut |progress| bar.show(progress))
        } else {
            restore::run(&repository, &request, &mut |progress| bar.show(progress))
        };
        drop(bar);
        let restored = restored?;
        self.record(&repository, &restored);
        let printed = if json { output::json(&restored) } else { print(&restored, &self.database) };
        self.say_if_unsaid(printed, &restored);
        Ok(if restored.suspects.is_empty() { exit::OK } else { exit::SUSPECT })
    }

    /// The restore is done, whether or not it can be remembered.
    fn record(&self, repository: &Repository, restored: &Restored) {
        if let Err(error) = repository.record_restore(&restored.restore_point, &self.database.database) {
            tracing::warn!("cannot record the restore, so the next take may report a suspect restore point: {error}");
        }
    }

    /// The database is restored, whatever becomes of the report about it.
    fn say_if_unsaid(&self, printed: anyhow::Result<()>, restored: &Restored) {
        let Err(error) = printed else { return };
        let (database, name) = (self.database.database.display(), &restored.restore_point.name);
        let kept =
            restored.safety_copy.iter().map(|path| format!("; the replaced database is kept as {}", path.display()));
        let kept: String = kept.collect();
        tracing::warn!("restored {database} from {name}{kept}; cannot print the result: {error:#}");
    }

    fn terms(&self) -> Option<Terms> {
        self.into_live.then_some(Terms { wait: self.wait, hold: self.hold, reuse_keys: self.reuse_keys })
    }

    fn plan(&self, json: bool) -> anyhow::Result<u8> {
        let plan = restore::plan(&self.open()?, &self.request(), self.terms())?;
        if json {
            output::json(&plan)?;
        } else {
            print_plan(&plan, self.into_live)?;
        }
        Ok(exit::OK)
    }

    fn ensure(&self, json: bool) -> anyhow::Result<u8> {
        let repository = self.open()?;
        let bar = output::ProgressBar::of_pages();
        let ensured = restore::if_missing(&repository, &self.request(), &mut |progress| bar.show(progress));
        drop(bar);
        let ensured = ensured?;
        if let Ensured::Restored(restored) = &ensured {
            self.record(&repository, restored);
            let printed = if json { output::json(&ensured) } else { print(restored, &self.database) };
            self.say_if_unsaid(printed, restored);
            return Ok(exit::OK);
        }
        let (database, directory) = (self.database.database.display(), repository.path().display());
        match &ensured {
            _ if json => output::json(&ensured)?,
            Ensured::Present => output::line(&format!("{database} exists; nothing was restored"))?,
            Ensured::NothingToRestore => {
                output::line(&format!(
                    "{database} is empty or missing and {directory} holds no restore points: first start"
                ))?;
            }
            Ensured::Restored(_) => {}
        }
        Ok(exit::OK)
    }

    /// Only what is signed is restored, if there are keys to verify with.
    fn open(&self) -> Result<Repository, Error> {
        Ok(self.repository.open().believing(self.verify.read()?))
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
            lineage: self.whose.lineage.clone(),
            source_name: self.whose.name.clone(),
            force: self.force,
            check: self.check,
        }
    }
}

fn print(restored: &Restored, database: &DatabaseArg) -> anyhow::Result<()> {
    let Restored { restore_point, rejected, suspects, undone, safety_copy, bytes, seconds, live, .. } = restored;
    let (name, created_at) = (&restore_point.name, restore_point.created_at);
    for rejected in suspects.iter().chain(rejected) {
        output::line(&format!("skipped {rejected}"))?;
    }
    let (path, size) = (database.database.display(), output::size(*bytes));
    output::line(&format!("restored {path} from {name} (of {created_at:.3}, {size}) in {seconds:.2} s"))?;
    undone.iter().try_for_each(|undone| output::line(&undone.to_string()))?;
    if let Some(safety_copy) = safety_copy {
        output::line(&format!("the replaced database is kept as {}", safety_copy.display()))?;
    }
    live.as_ref().map_or(Ok(()), print_live)
}

fn print_plan(
    Plan { restore_point, rejected, suspects, undone, database, replaces, free_bytes }: &Plan,
    live: bool,
) -> anyhow::Result<()> {
    for rejected in suspects.iter().chain(rejected) {
        output::line(&format!("would skip {rejected}"))?;
    }
    let (path, name, created_at) = (database.display(), &restore_point.name, restore_point.created_at);
    let size = output::size(restore_point.size_bytes);
    output::line(&format!("would restore {path} from {name} (of {created_at:.3}, {size}), which is good"))?;
    undone.iter().try_for_each(|undone| output::line(&undone.to_string()))?;
    if *replaces {
        let how = if live { "while it is in use, in one transaction" } else { "with a new file" };
        output::line(&format!("would replace the existing database {how}, and keep it as {path}.replaced-…"))?;
    }
    // The temporary file; into a live one, also the safety copy and the -wal file.
    let needed = restore_point.size_bytes.saturating_mul(if live { 3 } else { 1 });
    let (needed_shown, free) = (output::size(needed), output::size(*free_bytes));
    if needed > *free_bytes {
        tracing::warn!("the restore would fail: the volume of {path} has {free} free, but needs {needed_shown}");
    }
    output::line(&format!("would need {needed_shown} of {free} free space"))
}

fn print_live(live: &IntoLive) -> anyhow::Result<()> {
    output::line(&format!("other writers waited for {:.2} s", live.locked_seconds))?;
    for (table, mark) in &live.kept_high_water {
        output::line(&format!("keys of {table} continue after {mark}, because lower ones were already used"))?;
    }
    for (table, keys) in &live.reused_keys {
        output::line(&format!("keys {} to {} of {table} will be reused", keys.start(), keys.end()))?;
    }
    match live.proof {
        Proof::Equal => output::line("compared every row with the restore point"),
        Proof::WrittenSince => {
            output::line("others wrote immediately: the database passed its check, but its rows were not compared")
        }
        Proof::Unread => output::line("cannot read the database after the restore, so nothing was compared"),
    }
}
