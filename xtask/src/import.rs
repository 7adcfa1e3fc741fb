use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::NAMESPACE;
use crate::{cluster, image};

/// Load the image into the k3d cluster, and restart the service that runs there
#[derive(Args)]
pub struct Import {
    /// Load pra/drill as well, which `cargo xtask image --drill` builds
    #[arg(long)]
    drill: bool,
}

impl Import {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        built(sh, &image::name(), "cargo xtask image")?;
        if self.drill {
            let image = image::drill_name();
            built(sh, &image, "cargo xtask image --drill")?;
            load(sh, &image)?;
        }
        import(sh, &image::name())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn built(sh: &Shell, image: &str, by: &str) -> Result<()> {
    let known = cmd!(sh, "docker image inspect {image}").ignore_status().ignore_stdout().output()?;
    ensure!(known.status.success(), "docker has no image {image}; build it with {by}");
    Ok(())
}

fn load(sh: &Shell, image: &str) -> Result<()> {
    let cluster = cluster::NAME;
    Ok(cmd!(sh, "k3d image import {image} --cluster {cluster}").run()?)
}

/// Loads the image. A service that runs there goes over to it: its name is the same for every build of a version, so
/// that a deployment would see no difference.
pub fn import(sh: &Shell, image: &str) -> Result<()> {
    load(sh, image)?;
    let kubectl = ["--context", cluster::CONTEXT, "--namespace", NAMESPACE];
    if cmd!(sh, "kubectl {kubectl...} get deployment app --ignore-not-found --output name").read()?.is_empty() {
        return Ok(());
    }
    cmd!(sh, "kubectl {kubectl...} rollout restart deployment/app").run()?;
    cmd!(sh, "kubectl {kubectl...} rollout status deployment/app --timeout 180s")
        .run()
        .context("the service does not start with the new image; see kubectl describe pods in that namespace")
}
