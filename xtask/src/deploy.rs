use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::Target;
use crate::programs::say;
use crate::wait::{Status, wait_for};
use crate::{cluster, image};

/// Deploy the service and its backups with Ansible
#[derive(Args)]
#[command(after_help = "Exit codes: 0 deployed, 1 failed, 3 refused: no such cluster, or the namespace is not ours.")]
pub struct Deploy {
    #[command(flatten)]
    target: Target,
    /// Image, as the nodes of the cluster know it [default: pra/app:<version>]
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
}

impl Deploy {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        deploy(sh, &self.target, &self.image.unwrap_or_else(image::name))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Applies the playbook, which waits for what it applies, and says where the service is.
pub fn deploy(sh: &Shell, target: &Target, image: &str) -> Result<()> {
    // What is applied carries the label that allows destruction: never put it on what is somebody else's.
    target.interlock(sh)?;
    let Target { context, namespace } = target;
    let variables =
        [format!("pra_image={image}"), format!("pra_context={context}"), format!("pra_namespace={namespace}")];
    let variables = variables.iter().flat_map(|variable| ["--extra-vars", variable.as_str()]);
    if let Err(error) = cmd!(sh, "ansible-playbook ansible/playbook.yml {variables...}").run() {
        show(sh, target);
        return Err(error).context("the deployment failed; what there is of it is listed above");
    }
    if context == cluster::CONTEXT {
        wait_for_the_service(sh)?;
        say(&format!("the service: {}", cluster::URL));
    } else {
        say(&format!(
            "the service: port 30080 of any node of context {context}; for its addresses, \
             kubectl --context {context} get nodes --output wide"
        ));
    }
    Ok(())
}

/// What there is, for a person to read after a failure; a second failure adds nothing to the first.
fn show(sh: &Shell, Target { context, namespace }: &Target) {
    let kinds = "deployments,pods,jobs,persistentvolumeclaims";
    drop(cmd!(sh, "kubectl --context {context} --namespace {namespace} --request-timeout=15s get {kinds}").run());
}

/// A new NodePort answers about a second after its pod is ready.
fn wait_for_the_service(sh: &Shell) -> Result<()> {
    let health = format!("{}/health", cluster::URL);
    wait_for(&health, Duration::from_secs(30), || {
        let answer = cmd!(sh, "curl --silent --show-error --fail-with-body --max-time 5 {health}")
            .quiet()
            .ignore_status()
            .output()?;
        let said = [answer.stdout, answer.stderr].concat();
        let status = || Status::NotYet(String::from_utf8_lossy(&said).trim().replace('\n', ": "));
        Ok(if answer.status.success() { Status::Done } else { status() })
    })
}
