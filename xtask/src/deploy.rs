use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::{LABEL, NAMESPACE, Namespace, Target};
use crate::programs::{refused, say, usage};
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

/// The one of them that begins with what another system sent to a remote repository.
const OFFSITE_COPY: &str = "scheduled-drill-offsite";

impl Deploy {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let Self { target, image, drill_image, overlay } = self;
        let directory = directory_of(sh, &overlay);
        if !directory.join("kustomization.yaml").is_file() {
            return Err(usage(format!("there is no overlay {overlay}: expected {}", directory.display())));
        }
        let image = image.unwrap_or_else(image::name);
        if overlay == DEFAULT {
            deploy(sh, &target, &image)?;
            return Ok(ExitCode::SUCCESS);
        }
        if overlay == OFFSITE_COPY {
            has_credentials(sh, &target)?;
        }
        let is_scheduled = overlay.starts_with(SCHEDULED);
        if is_scheduled && target.namespace == NAMESPACE {
            return Err(usage(format!(
                "overlay {overlay} is a copy that is destroyed on schedule, and namespace {NAMESPACE} is that of the \
                 service itself; add --namespace pra-drill"
            )));
        }
        deploy_overlay(sh, &target, &image, &overlay, drill_image)?;
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

fn directory_of(sh: &Shell, overlay: &str) -> PathBuf {
    sh.current_dir().join("k8s/overlays").join(overlay)
}

/// Deploys an overlay, with the images of this version unless another is given.
pub fn deploy_overlay(
    sh: &Shell,
    target: &Target,
    image: &str,
    overlay: &str,
    drill_image: Option<String>,
) -> Result<()> {
    let directory = directory_of(sh, overlay);
    // What is applied may carry the label that allows destruction: never put it on what was not to be destroyed so far.
    match cmd!(sh, "kubectl kustomize {directory}").quiet().read()?.contains(&LABEL.replace('=', ": ")) {
        true => target.interlock(sh)?,
        false => target.must_be_ours(sh)?,
    };
    let mut variables = vec![format!("pra_overlay={}", directory.display())];
    variables.extend(drill_image.map(|image| format!("pra_drill_image={image}")));
    play(sh, target, image, &variables)
}

/// The first start fetches the data: without credentials, the copy would begin empty, and stay so.
fn has_credentials(sh: &Shell, target: &Target) -> Result<()> {
    let Target { context, namespace } = target;
    let kubectl = format!("kubectl --context {context}");
    let secret = format!("{kubectl} --namespace {namespace} create secret generic offsite --from-env-file=offsite.env");
    let missing = |first: &str| {
        refused(format!(
            "overlay {OFFSITE_COPY} needs the Secret offsite in namespace {namespace} of context {context} before its \
             first start; its file is described in k8s/components/offsite/kustomization.yaml:\n{first}    {secret}"
        ))
    };
    if let Namespace::Absent = target.interlock(sh)? {
        let make = format!("    {kubectl} create namespace {namespace}\n");
        return Err(missing(&format!("{make}    {kubectl} label namespace {namespace} {LABEL}\n")));
    }
    let found =
        cmd!(sh, "kubectl --context {context} --namespace {namespace} --request-timeout=15s get secret offsite")
            .args(["--ignore-not-found", "--output", "name"])
            .read()?;
    if found.is_empty() { Err(missing("")) } else { Ok(()) }
}

/// Deploys what a k3d cluster needs, and says where the service is.
pub fn deploy(sh: &Shell, target: &Target, image: &str) -> Result<()> {
    // What is applied carries the label that allows destruction: never put it on what is somebody else's.
    target.interlock(sh)?;
    play(sh, target, image, &[])?;
    let Target { context, namespace } = target;
    // Only the port of that namespace is mapped to this machine.
    if context == cluster::CONTEXT && namespace == NAMESPACE {
        wait_for_the_service(sh)?;
        say(&format!("the service: {}", cluster::URL));
    } else {
        say(&format!(
            "the service: port {} of any node of context {context}; for its addresses, \
             kubectl --context {context} get nodes --output wide; or through a tunnel, \
             kubectl --context {context} --namespace {namespace} port-forward service/app 8081:80",
            node_port(sh, target)
        ));
    }
    Ok(())
}

/// The port that the cluster gave the service: that of the manifests, unless another namespace has it.
fn node_port(sh: &Shell, Target { context, namespace }: &Target) -> String {
    let port = "jsonpath={.spec.ports[0].nodePort}";
    let found = cmd!(sh, "kubectl --context {context} --namespace {namespace} --request-timeout=15s get service app")
        .args(["--ignore-not-found", "--output", port])
        .quiet()
        .ignore_stderr()
        .read();
    found.ok().filter(|port| !port.is_empty()).unwrap_or_else(|| "30080".to_owned())
}

/// Applies the playbook, which waits for what it applies.
fn play(sh: &Shell, target: &Target, image: &str, more: &[String]) -> Result<()> {
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
    // Why something is pending is said here alone; the newest last.
    let columns = "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message";
    let newest = ["--field-selector=type=Warning", "--sort-by=.metadata.creationTimestamp", "--output", columns];
    drop(
        cmd!(sh, "kubectl --context {context} --namespace {namespace} --request-timeout=15s get events {newest...}")
            .run(),
    );
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
