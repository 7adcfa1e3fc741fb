use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::Target;
use crate::{deploy, image};

/// Run all tests, or those that need a real cluster
#[derive(Args)]
pub struct Test {
    /// Deploy to the cluster of a context, and drill it in every way. Its data is lost.
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    target: Target,
}

impl Test {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        // Tests of one program run the others, and `cargo test` builds only its own.
        cmd!(sh, "cargo build --workspace --locked").run()?;
        if self.cluster {
            return on_a_cluster(sh, &self.target);
        }
        cmd!(sh, "cargo test --workspace --locked").run()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn on_a_cluster(sh: &Shell, target: &Target) -> Result<ExitCode> {
    let image = image::name();
    deploy::deploy(sh, target, &image)?;
    let deployed = generations(sh, target)?;
    deploy::deploy(sh, target, &image)?;
    let again = generations(sh, target)?;
    ensure!(deployed == again, "a second deployment changed something: expected {deployed}, found {again}");

    let Target { context, namespace } = target;
    let _context = sh.push_env("PRA_TEST_CONTEXT", context);
    let _namespace = sh.push_env("PRA_TEST_NAMESPACE", namespace);
    // One after the other: there is one system to break.
    let options = ["--ignored", "--nocapture", "--test-threads=1"];
    cmd!(sh, "cargo test --locked --package drill --test program real_cluster -- {options...}").run()?;
    Ok(ExitCode::SUCCESS)
}

/// Which objects there are, and how often what is asked of each has changed.
fn generations(sh: &Shell, Target { context, namespace }: &Target) -> Result<String> {
    let kinds = "deployments,services,cronjobs,persistentvolumeclaims,networkpolicies";
    let each = "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.generation};{end}";
    Ok(cmd!(sh, "kubectl --context {context} --namespace {namespace} get {kinds} --output {each}").read()?)
}
