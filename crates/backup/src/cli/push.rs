use backup::remote::push::{self, Pushed, Sent, Which};
use backup::{Name, exit};
use clap::Args;

use super::remote::{RemoteArg, progress_bar, show};
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
}

impl Push {
    pub fn run(&self, json: bool) -> anyhow::Result<u8> {
        let which = match &self.name {
            Some(name) => Which::Name(name.clone()),
            None if self.all => Which::All,
            None => Which::Newest,
        };
        let remote = self.remote.open()?;
        let bar = progress_bar();
        let pushed = push::run(&remote, &self.repository.open(), &which, &mut |progress| show(&bar, progress));
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
