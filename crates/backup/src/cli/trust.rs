use std::time::Duration;

use backup::{Error, Name, exit, said};
use clap::Args;

use super::keys::SignArgs;
use super::{RepositoryArg, output};

/// Mark a suspect restore point as trusted, because the change in its database was intended
#[derive(Debug, Args)]
pub(crate) struct Trust {
    #[command(flatten)]
    repository: RepositoryArg,
    /// Restore point to trust
    name: Name,
    #[command(flatten)]
    sign: SignArgs,
    /// Time to wait for a take or prune to finish
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "20s")]
    wait: Duration,
}

impl Trust {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let sign_key = self.sign.read()?;
        let writer = self.repository.open().writer(self.wait)?.signing(sign_key);
        let manifests = writer.repository().manifests()?;
        let absent = || Error::NoRestorePoint {
            reason: format!("{} does not exist; list the names with `backup list`", self.name),
        };
        let manifest = manifests.into_iter().find(|manifest| manifest.name == self.name).ok_or_else(absent)?;
        let trusted = writer.trust(manifest)?;
        if json {
            output::json(&trusted)?;
        } else {
            output::line(&format!("{} is now trusted; later restore points are compared with it", trusted.name))?;
        }
        Ok(exit::OK)
    }
}
