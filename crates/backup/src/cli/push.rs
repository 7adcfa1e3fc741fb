use backup::remote::push::{self, Pushed, Request, Sent, Which};
use backup::{Error, Name, exit};
use clap::Args;

use super::remote::{LockArgs, RemoteArg, progress_bar, show};
use super::{RepositoryArg, output};

/// Send restore points to a remote repository
///
/// What is there already is not sent again, and an interrupted push goes on where it was. Nothing is removed there:
/// that is what `prune --remote` does.
#[derive(Debug, Args)]
pub struct Push {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    remote: RemoteArg,
    /// This restore point [default: the newest good one of each lineage]
    #[arg(conflicts_with = "all")]
    name: Option<Name>,
    /// All that are not there yet
    #[arg(long)]
    all: bool,
    /// Encrypt for this public key of age, age1…; several times for several. Manifests stay readable: they tell sizes,
    /// times, digests, and the names and greatest keys of tables with AUTOINCREMENT
    #[arg(long, value_name = "KEY", env = "BACKUP_ENCRYPT_TO", value_delimiter = ',', hide_env_values = true)]
    encrypt_to: Vec<String>,
    #[command(flatten)]
    lock: LockArgs,
}

impl Push {
    pub fn run(&self, json: bool) -> anyhow::Result<u8> {
        let which = match &self.name {
            Some(name) => Which::Name(name.clone()),
            None if self.all => Which::All,
            None => Which::Newest,
        };
        // Read here, since the parser's errors repeat what may be a secret key by mistake.
        let recipients = self.encrypt_to.iter().map(|key| key.parse().map_err(|reason| Error::Recipient { reason }));
        let request = Request { which, recipients: recipients.collect::<Result<_, _>>()? };
        let remote = self.remote.open(self.lock.lock()?)?;
        let bar = progress_bar();
        let pushed = push::run(&remote, &self.repository.open(), &request, &mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        let pushed = pushed?;
        if json {
            output::json(&pushed)?;
        } else {
            print(&pushed)?;
        }
        Ok(if pushed.rejected.is_empty() { exit::OK } else { exit::DAMAGED })
    }
}

fn print(pushed: &Pushed) -> anyhow::Result<()> {
    for rejected in &pushed.rejected {
        output::line(&format!("not pushed, damaged: {rejected}"))?;
    }
    for name in &pushed.present {
        output::line(&format!("{name} is there already"))?;
    }
    pushed.pushed.iter().try_for_each(|Sent { name, bytes, sent_bytes }| {
        let (bytes, sent_bytes) = (output::size(*bytes), output::size(*sent_bytes));
        output::line(&format!("pushed {name} ({bytes}, of which {sent_bytes} had to be sent)"))
    })
}
