use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::{NAMESPACE, Target};
use crate::programs::usage;
use crate::tools::{self, Found};
use crate::{cluster, image};

/// Load the image into the cluster, and let the service that runs there go over to it
#[derive(Args)]
#[command(after_help = "Where nodes pull from a registry, nothing is imported: docker tag and docker push the image, \
                        then cargo xtask deploy --image NAME.")]
pub struct Import {
    /// Load pra/drill as well, which `cargo xtask image --drill` builds
    #[arg(long)]
    drill: bool,
    /// The command that loads an image into another cluster than that of k3d, with {image} for its name, such as
    /// 'kind load docker-image {image}'; words are separated by spaces, and no shell reads them
    #[arg(long, value_name = "COMMAND")]
    with: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Import {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let loader = self.loader(sh)?;
        built(sh, &image::name(), "cargo xtask image")?;
        if self.drill {
            let image = image::drill_name();
            built(sh, &image, "cargo xtask image --drill")?;
            loader.load(sh, &image)?;
        }
        loader.load(sh, &image::name())?;
        go_over(sh, &self.target)?;
        Ok(ExitCode::SUCCESS)
    }

    fn loader(&self, sh: &Shell) -> Result<Loader> {
        if let Some(command) = &self.with {
            if !command.contains("{image}") || command.starts_with("{image}") {
                return Err(usage(
                    "--with wants a command with {image} in it, such as 'kind load docker-image {image}'",
                ));
            }
            return Ok(Loader::Command(command.clone()));
        }
        let elsewhere = "for another cluster, say how: cargo xtask import --with 'kind load docker-image {image}' \
                         --context NAME, or push the image to a registry and cargo xtask deploy --image NAME";
        if self.target.context != cluster::CONTEXT {
            let context = &self.target.context;
            return Err(usage(format!(
                "context {context} is not that of the k3d cluster {}; {elsewhere}",
                cluster::NAME
            )));
        }
        match tools::CLUSTER.iter().find(|tool| tool.name == "k3d").map(|tool| tool.find(sh)) {
            Some(Found::Missing) => Err(usage(format!("k3d is missing; cargo xtask setup gets it; {elsewhere}"))),
            _ => Ok(Loader::K3d),
        }
    }
}

fn built(sh: &Shell, image: &str, by: &str) -> Result<()> {
    let known = cmd!(sh, "docker image inspect {image}").ignore_status().ignore_stdout().output()?;
    ensure!(known.status.success(), "docker has no image {image}; build it with {by}");
    Ok(())
}

/// How an image gets to the nodes.
enum Loader {
    K3d,
    /// A command of the user's.
    Command(String),
}

impl Loader {
    fn load(&self, sh: &Shell, image: &str) -> Result<()> {
        let cluster = cluster::NAME;
        match self {
            Self::K3d => cmd!(sh, "k3d image import {image} --cluster {cluster}").run()?,
            Self::Command(command) => {
                let mut words = command.split_whitespace().map(|word| word.replace("{image}", image));
                let program = words.next().unwrap_or_default();
                sh.cmd(program)
                    .args(words)
                    .run()
                    .with_context(|| format!("{image} was not loaded into the cluster"))?;
            }
        }
        Ok(())
    }
}

/// Loads the image into the k3d cluster.
pub fn import(sh: &Shell, image: &str) -> Result<()> {
    Loader::K3d.load(sh, image)?;
    go_over(sh, &Target { context: cluster::CONTEXT.into(), namespace: NAMESPACE.into() })
}

/// A service that runs there goes over to the image: its name is the same for every build of a version, so that a
/// deployment would see no difference.
fn go_over(sh: &Shell, Target { context, namespace }: &Target) -> Result<()> {
    let kubectl = ["--context", context, "--namespace", namespace];
    if cmd!(sh, "kubectl {kubectl...} get deployment app --ignore-not-found --output name").read()?.is_empty() {
        return Ok(());
    }
    cmd!(sh, "kubectl {kubectl...} rollout restart deployment/app").run()?;
    cmd!(sh, "kubectl {kubectl...} rollout status deployment/app --timeout 180s")
        .run()
        .context("the service does not start with the new image; see kubectl describe pods in that namespace")
}
