use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::{NAMESPACE, Target};
use crate::programs::{say, usage};
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
    /// Image of scheduled drills, likewise [default: pra/drill:<version>]
    #[arg(long, value_name = "NAME")]
    drill_image: Option<String>,
    /// Which of k8s/overlays
    #[arg(long, value_name = "NAME", default_value = DEFAULT)]
    overlay: String,
}

/// The one that the playbook takes unless it is told another.
const DEFAULT: &str = "k3d";

/// What these overlays deploy is there to be destroyed on schedule.
const SCHEDULED: &str = "scheduled-drill";

impl Deploy {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let Self { target, image, drill_image, overlay } = self;
        let directory = sh.current_dir().join("k8s/overlays").join(&overlay);
        if !directory.join("kustomization.yaml").is_file() {
            return Err(usage(format!("there is no overlay {overlay}: expected {}", directory.display())));
        }
        let image = image.unwrap_or_else(image::name);
        if overlay == DEFAULT {
            deploy(sh, &target, &image)?;
            return Ok(ExitCode::SUCCESS);
        }
        let is_scheduled = overlay.starts_with(SCHEDULED);
        if is_scheduled && target.namespace == NAMESPACE {
            return Err(usage(format!(
                "overlay {overlay} is a copy that is destroyed on schedule, and namespace {NAMESPACE} is that of the \
                 service itself; add --namespace pra-drill"
            )));
        }
        let mut variables = vec![format!("pra_overlay={}", directory.display())];
        variables.extend(drill_image.map(|image| format!("pra_drill_image={image}")));
        play(sh, &target, &image, &variables)?;
        if is_scheduled {
            let Target { context, namespace } = target;
            say(&format!(
                "the drill is off; to run it once, kubectl --context {context} --namespace {namespace} create job \
                 drill-now --from=cronjob/drill"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Deploys what a k3d cluster needs, and says where the service is.
pub fn deploy(sh: &Shell, target: &Target, image: &str) -> Result<()> {
    play(sh, target, image, &[])?;
    let Target { context, .. } = target;
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

/// Applies the playbook, which waits for what it applies.
fn play(sh: &Shell, target: &Target, image: &str, more: &[String]) -> Result<()> {
    // What is applied carries the label that allows destruction: never put it on what is somebody else's.
    target.interlock(sh)?;
    let Target { context, namespace } = target;
    let variables =
        [format!("pra_image={image}"), format!("pra_context={context}"), format!("pra_namespace={namespace}")];
    let variables = variables.iter().chain(more).flat_map(|variable| ["--extra-vars", variable.as_str()]);
    if let Err(error) = cmd!(sh, "ansible-playbook ansible/playbook.yml {variables...}").run() {
        show(sh, target);
        return Err(error).context("the deployment failed; what there is of it is listed above");
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
