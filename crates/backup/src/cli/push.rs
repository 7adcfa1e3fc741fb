use backup::remote::push::{self, Pushed, Request, Sent, Which};
use backup::{Error, Name, exit};
use clap::Args;

use super::keys::{SignArgs, VerifyArgs};
use super::remote::{LockArgs, RemoteArg};
use super::{RepositoryArg, output};

/// Send restore points to a remote repository
///
/// What is there already is not sent again, and an interrupted push goes on where it was. Nothing is removed there:
/// that is what `prune --remote` does.
#[derive(Debug, Args)]
pub(crate) struct Push {
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
    /// times, digests, paths, and the names and greatest keys of tables
    #[arg(long, value_name = "KEY", env = "BACKUP_ENCRYPT_TO", value_delimiter = ',', hide_env_values = true)]
    encrypt_to: Vec<String>,
    /// With --encrypt-to: encrypt manifests too. What is left to read are names, order, times, sizes, and which are of one
    /// database
    #[arg(long, env = "BACKUP_ENCRYPT_MANIFESTS")]
    encrypt_manifests: bool,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    sign: SignArgs,
    /// With --sign-key: whose records count there beside those of that key
    #[command(flatten)]
    verify: VerifyArgs,
    /// Go on although records that were seen there are gone, and remember what is there now
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
            let reason = "nobody, and --encrypt-manifests needs somebody who can read them".into();
            return Err(Error::Recipient { reason }.into());
        }
        let (sign_key, keys) = (self.sign.read()?, self.verify.read()?);
        if sign_key.is_none() && !keys.is_empty() {
            let reason = "there is a --verify-key and no --sign-key, so that whoever verifies would refuse what is pushed; give \
                          both, or neither";
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
        pushed.doubt.iter().for_each(|doubt| tracing::error!("{} is not as it was: {doubt}", remote.url()));
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
        output::line(&format!("{name} is there already"))?;
    }
    pushed.pushed.iter().try_for_each(|Sent { name, bytes, sent_bytes }| {
        let (bytes, sent_bytes) = (output::size(*bytes), output::size(*sent_bytes));
        output::line(&format!("pushed {name} ({bytes}, of which {sent_bytes} had to be sent)"))
    })?;
    pushed.head.iter().try_for_each(|head| output::line(&format!("head {head}")))
}
