use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::forwarded::Options;
use crate::kubectl::{NAMESPACE, Target};
use crate::platform::Platform;
use crate::programs::{self, usage};
use crate::{cluster, deploy, image, import};

/// Do everything: build, run, destroy, restore, measure, report
#[derive(Args)]
#[command(disable_help_flag = true)]
#[command(after_help = "On k3d: build, image, cluster up, import, deploy, drill. On local: build, drill.\n\
                  Takes what `drill run` takes, but for a context, a namespace and an address: cargo xtask all --help lists it.\n\
                  Exit codes: those of `drill run`; 1 if a step before it fails, 2 if the platform cannot be had.")]
pub struct All {
    #[command(flatten)]
    options: Options,
}

const SCENARIOS: [&str; 3] = ["run", "kill-pod", "kill-pvc"];

impl All {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        if let Some(code) = self.options.help(sh, "run")? {
            return Ok(code);
        }
        let (place, options) = self.options.place();
        if place.is_of_a_cluster() {
            return Err(usage(
                "`all` takes no --context, --namespace or --url: it makes a cluster of its own, or none; \
                 for yours, cargo xtask drill",
            ));
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        match place.platform(sh)? {
            Platform::Local => programs::build(sh)?.become_program(sh, "drill", &[&SCENARIOS[..], &options].concat()),
            Platform::K3d => on_k3d(sh, &options),
            Platform::Kubernetes => Err(usage(
                "`all` makes a k3d cluster of its own; for yours: cargo xtask image, put the image where its nodes \
                 find it, cargo xtask deploy --context NAME --image NAME, then \
                 cargo xtask drill kill-pod kill-pvc --platform kubernetes --context NAME --url URL",
            )),
        }
    }
}

fn on_k3d(sh: &Shell, options: &[&str]) -> Result<ExitCode> {
    let programs = programs::build(sh)?;
    let image = image::build(sh)?;
    cluster::up(sh)?;
    import::import(sh, &image.name)?;
    deploy::deploy(sh, &Target { context: cluster::CONTEXT.into(), namespace: NAMESPACE.into() }, &image.name)?;
    let target = ["--platform", "kubernetes", "--context", cluster::CONTEXT, "--url", cluster::URL];
    programs.become_program(sh, "drill", &[&SCENARIOS[..], &target[..], options].concat())
}
