//! Keys that sign and verify.

use std::path::PathBuf;

use backup::Error;
use backup::authenticity::VerifyKeys;
use backup::remote::seal::{IDENTITY, Identities, IdentitySource};
use backup::signature::SigningKey;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// Sign manifests with this ed25519 private key (PEM, from openssl genpkey)
    #[arg(long, value_name = "FILE", env = "BACKUP_SIGN_KEY", hide_env_values = true)]
    sign_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Trust only restore points signed by the private key of this ed25519 public key (PEM); for several keys, repeat
    /// the option or separate them with commas
    #[arg(long, value_name = "FILE", env = "BACKUP_VERIFY_KEY", value_delimiter = ',')]
    verify_key: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct IdentityArgs {
    /// File with an age secret key, to decrypt restore points; the variable may contain the key itself
    #[arg(long, value_name = "FILE", env = IDENTITY, hide_env_values = true)]
    identity: Option<IdentitySource>,
}

impl IdentityArgs {
    pub(super) fn read(&self) -> Result<Identities, Error> {
        Ok(self.identity.as_ref().map(IdentitySource::read).transpose()?.unwrap_or_default())
    }
}

impl SignArgs {
    pub(super) fn read(&self) -> Result<Option<SigningKey>, Error> {
        self.sign_key.as_deref().map(SigningKey::read).transpose()
    }
}

impl VerifyArgs {
    /// None, if everything is believed.
    pub(super) fn read(&self) -> Result<VerifyKeys, Error> {
        VerifyKeys::read(&self.verify_key)
    }
}
