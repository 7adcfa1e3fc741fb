use backup::remote::push::{self, Pushed, Request, Sent, Which};
use backup::{Error, Name, exit};
use clap::Args;

use super::keys::{SignArgs, VerifyArgs};
use super::remote::{LockArgs, RemoteArg};
use super::{RepositoryArg, output};

/// Send restore points to a remote repository
///
/// Data that is already there is not sent again, and an interrupted push resumes. A push removes nothing; use `prune
/// --remote` for that.
#[derive(Debug, Args)]
pub(crate) struct Push {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    remote: RemoteArg,
    /// Send only this restore point [default: the newest good one of each lineage]
    #[arg(conflicts_with = "all")]
    name: Option<Name>,
    /// Send all that are not there yet
    #[arg(long)]
    all: bool,
    /// Encrypt for this age public key (age1…); repeat for several. Manifests stay readable: they contain sizes, times,
    /// digests, paths, and the names and highest keys of tables
    #[arg(long, value_name = "KEY", env = "BACKUP_ENCRYPT_TO", value_delimiter = ',', hide_env_values = true)]
    encrypt_to: Vec<String>,
    /// With --encrypt-to: encrypt manifests too. Names, order, times, sizes, and which restore points belong to the
    /// same database stay readable
    #[arg(long, env = "BACKUP_ENCRYPT_MANIFESTS")]
    encrypt_manifests: bool,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    sign: SignArgs,
    /// With --sign-key: also accept existing records signed by these keys
    #[command(flatten)]
    verify: VerifyArgs,
    /// Continue although records seen there before are missing, and remember the current state
    #[arg(long)]
    accept_rollback: bool,
}

impl Push {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let which = match &self.name {
            Some(name) => Which::Name(name.clone()),
            None if self.all => Which::All,
            None => Which::Newest,
        };
        // Read here, since the parser's errors repeat what may be a secret key by mistake.
        let recipients = self.encrypt_to.iter().map(|key| key.parse().map_err(|reason| Error::Recipient { reason }));
        let recipients: Vec<_> = recipients.collect::<Result<_, _>>()?;
        let encrypt_manifests = self.encrypt_manifests;
        if encrypt_manifests && recipients.is_empty() {
            let reason = "there is no recipient, and --encrypt-manifests needs at least one".into();
            return Err(Error::Recipient { reason }.into());
        }
        let (sign_key, keys) = (self.sign.read()?, self.verify.read()?);
        if sign_key.is_none() && !keys.is_empty() {
            let reason = "--verify-key without --sign-key would push restore points that verification refuses; give \
            both or neither";
            return Err(Error::RemoteAddress { reason: reason.into() }.into());
        }
        let accept_rollback = self.accept_rollback;
        let request = Request { which, recipients, encrypt_manifests, sign_key, accept_rollback };
        let remote = self.remote.open(self.lock.lock()?)?.believing(keys);
        let bar = output::ProgressBar::of_bytes();
        let pushed = push::run(&remote, &self.repository.open(), &request, &mut |progress| bar.show(progress));
        drop(bar);
        let pushed = pushed?;
        if json {
            output::json(&pushed)?;
        } else {
            print(&pushed)?;
        }
        pushed.doubt.iter().for_each(|doubt| tracing::error!("{} changed unexpectedly: {doubt}", remote.url()));
        Ok(match &pushed {
            Pushed { rejected, .. } if !rejected.is_empty() => exit::DAMAGED,
            Pushed { doubt: Some(_), .. } => exit::REFUSED,
            _ => exit::OK,
        })
    }
}

fn print(pushed: &Pushed) -> anyhow::Result<()> {
    for rejected in &pushed.rejected {
        output::line(&format!("not pushed, damaged: {rejected}"))?;
    }
    for name in &pushed.present {
        output::line(&format!("{name} is already there"))?;
    }
    pushed.pushed.iter().try_for_each(|Sent { name, bytes, sent_bytes }| {
        let (bytes, sent_bytes) = (output::size(*bytes), output::size(*sent_bytes));
        output::line(&format!("pushed {name} ({bytes}, {sent_bytes} sent)"))
    })?;
    pushed.head.iter().try_for_each(|head| output::line(&format!("head {head}")))
}
