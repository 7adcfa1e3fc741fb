use std::time::Duration;

use backup::presence::{self, Presence};
use backup::remote::Remote;
use backup::remote::head;
use backup::remote::pull::{self, Pulled, Request, Which};
use backup::restore::Choice;
use backup::{Name, exit, said};
use clap::Args;
use jiff::Timestamp;

use super::keys::{IdentityArgs, VerifyArgs};
use super::remote::{HeadArgs, RemoteArg, as_of};
use super::{DatabaseArg, RepositoryArg, WhoseArgs, output};

/// Fetch restore points from a remote repository
#[derive(Debug, Args)]
pub(crate) struct Pull {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    remote: RemoteArg,
    /// Fetch only this restore point [default: the newest good one]
    #[arg(conflicts_with_all = ["at", "all"])]
    name: Option<Name>,
    /// Fetch the newest good one that began at or before this time, such as 2026-11-22T18:09:35Z
    #[arg(long, value_name = "TIME", value_parser = said::time, conflicts_with = "all")]
    at: Option<Timestamp>,
    /// Fetch all that are not here yet
    #[arg(long)]
    all: bool,
    /// Fetch from the remote repository as it was at this time by its store's clock, such as 2026-11-22T18:09:35Z,
    /// ignoring later changes; needs a bucket with versioning
    #[arg(long, value_name = "TIME", value_parser = said::time)]
    as_of: Option<Timestamp>,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Do nothing and succeed if the database exists, a restore point is here, or none is there; run this before
    /// `restore --if-missing`
    #[arg(long, conflicts_with_all = ["name", "at", "all"])]
    if_missing: bool,
    #[command(flatten)]
    identity: IdentityArgs,
    /// With --identity: accept unencrypted restore points too
    #[arg(long)]
    allow_unencrypted: bool,
    #[command(flatten)]
    verify: VerifyArgs,
    #[command(flatten)]
    head: HeadArgs,
    /// Continue although records seen there before are missing, and remember the current state
    #[arg(long)]
    accept_rollback: bool,
    #[command(flatten)]
    database: DatabaseArg,
    /// Time to wait for a take or prune here to finish
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "0s")]
    wait: Duration,
}

impl Pull {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let keys = self.verify.read()?;
        let repository = self.repository.open().believing(keys.clone());
        if self.if_missing
            && let Some(why) = self.needless(&repository)?
        {
            return done(&Pulled::default(), json, &why);
        }
        let remote = self.remote.open(None)?.believing(keys).reading(self.identity.read()?);
        let remote = as_of(remote, self.as_of)?;
        // What was seen there before is missed, not a first start.
        let is_known = self.head.expected().is_some() || head::remembered(&repository, &remote.url()).is_some();
        if self.if_missing && !is_known && remote.entries()?.is_empty() {
            return done(&Pulled::default(), json, "the remote repository holds no restore points: first start");
        }
        let which = match (&self.name, self.at) {
            _ if self.all => Which::All,
            (Some(name), _) => Which::One(Choice::Name(name.clone())),
            (None, Some(time)) => Which::One(Choice::At(time)),
            (None, None) => Which::One(Choice::Latest),
        };
        let (lineage, source_name) = (self.whose.lineage.clone(), self.whose.name.clone());
        let database = self.database.database.clone();
        let request = Request {
            which,
            lineage,
            source_name,
            database,
            allow_unencrypted: self.allow_unencrypted,
            expected: self.head.expected(),
            accept_rollback: self.accept_rollback,
        };
        let writer = repository.writer(self.wait)?;
        let bar = output::ProgressBar::of_bytes();
        let pulled = pull::run(&remote, &writer, &request, &mut |progress| bar.show(progress));
        drop(bar);
        if !pulled.as_ref().is_ok_and(|pulled| pulled.rejected.is_empty()) {
            self.advise(&remote);
        }
        let pulled = pulled?;
        done(&pulled, json, "")?;
        // Where all were asked for, one is missing; elsewhere there is an older one, of which people have to know.
        let is_older = !pulled.rejected.is_empty() || !pulled.suspects.is_empty();
        Ok(match is_older {
            true if self.all && !pulled.rejected.is_empty() => exit::DAMAGED,
            true if !self.if_missing => exit::SUSPECT,
            _ => exit::OK,
        })
    }

    /// Where what is there is not as it should be, what there was may be. It is advice: whatever keeps it from being given is
    /// not worth more than a line in the log.
    fn advise(&self, remote: &Remote) {
        if self.as_of.is_some() {
            return;
        }
        match remote.keeps_versions() {
            Ok(true) => tracing::warn!(
                "the bucket keeps versions: if the missing objects were overwritten or deleted, --as-of TIME pulls \
                 the state at an earlier time"
            ),
            Ok(false) => {}
            Err(error) => tracing::debug!("cannot tell whether the bucket keeps versions: {error}"),
        }
    }

    /// Why there is nothing to pull for, if there is not.
    fn needless(&self, repository: &backup::Repository) -> anyhow::Result<Option<String>> {
        let database = &self.database.database;
        if presence::look(database)? == Presence::Database {
            return Ok(Some(format!("{} exists; nothing was pulled", database.display())));
        }
        let is_empty = repository.entries()?.is_empty();
        let directory = repository.path().display();
        Ok((!is_empty).then(|| format!("{directory} holds restore points; nothing was pulled")))
    }
}

fn done(pulled: &Pulled, json: bool, why: &str) -> anyhow::Result<u8> {
    if json {
        output::json(pulled)?;
        return Ok(exit::OK);
    }
    if !why.is_empty() {
        output::line(why)?;
    }
    for rejected in pulled.suspects.iter().chain(&pulled.rejected) {
        output::line(&format!("skipped {rejected}"))?;
    }
    for name in &pulled.present {
        output::line(&format!("{name} is here already"))?;
    }
    for name in &pulled.pulled {
        output::line(&format!("pulled {name}"))?;
    }
    pulled.head.iter().try_for_each(|head| output::line(&format!("head {head}")))?;
    Ok(exit::OK)
}
