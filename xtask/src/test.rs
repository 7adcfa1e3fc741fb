use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use xshell::{Shell, cmd};

use crate::kubectl::Target;
use crate::{confined, deploy, image, tools};

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
        if self.cluster {
            // Compiling takes minutes.
            self.target.interlock(sh)?;
            tools::need(sh, "test --cluster", &["ansible-playbook"])?;
        }
        // Tests of one program run the others, and `cargo test` builds only its own.
        cmd!(sh, "cargo build --workspace --locked").run()?;
        if self.cluster {
            return on_a_cluster(sh, &self.target);
        }
        let threads = env::var("RUST_TEST_THREADS").unwrap_or_else(|_| threads().to_string());
        cmd!(sh, "cargo test --workspace --locked --no-fail-fast").env("RUST_TEST_THREADS", threads).run()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// More than cores: tests mostly wait, for processes, disks and moments.
fn threads() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

fn on_a_cluster(sh: &Shell, target: &Target) -> Result<ExitCode> {
    let image = image::name();
    deploy::deploy(sh, target, &image)?;
    let deployed = generations(sh, target)?;
    deploy::deploy(sh, target, &image)?;
    let again = generations(sh, target)?;
    ensure!(deployed == again, "a second deployment changed something: expected {deployed}, found {again}");

    resumes_what_it_relies_on(sh, target, &image)?;
    works_beside_another(sh, target, &image)?;
    confined::check(sh, target, &image)?;

    let Target { context, namespace } = target;
    let _context = sh.push_env("PRA_TEST_CONTEXT", context);
    let _namespace = sh.push_env("PRA_TEST_NAMESPACE", namespace);
    // One after the other: there is one system to break.
    let options = ["--ignored", "--nocapture", "--test-threads=1"];
    cmd!(sh, "cargo test --locked --package drill --test program real_cluster -- {options...}").run()?;
    Ok(ExitCode::SUCCESS)
}

/// However somebody left it, after a deployment the service runs and backups are on.
fn resumes_what_it_relies_on(sh: &Shell, target: &Target, image: &str) -> Result<()> {
    let Target { context, namespace } = target;
    let kubectl = ["--context", context, "--namespace", namespace];
    let suspend = r#"{"spec":{"suspend":true}}"#;
    cmd!(sh, "kubectl {kubectl...} patch cronjob sqlite-backup --patch {suspend}").run()?;
    cmd!(sh, "kubectl {kubectl...} scale deployment app --replicas=0").run()?;
    deploy::deploy(sh, target, image)?;
    let field = |object: &str, path: &str| {
        let path = format!("jsonpath={{{path}}}");
        cmd!(sh, "kubectl {kubectl...} get {object} --output {path}").read()
    };
    let suspended = field("cronjob/sqlite-backup", ".spec.suspend")?;
    ensure!(suspended == "false", "backups are off after a deployment: suspend expected false, found {suspended}");
    let available = field("deployment/app", ".status.availableReplicas")?;
    ensure!(available == "1", "the service is off after a deployment: 1 replica expected, found {available:?}");
    Ok(())
}

/// Another namespace gets a port of its own, and nothing of the first changes.
fn works_beside_another(sh: &Shell, target: &Target, image: &str) -> Result<()> {
    let beside = Target { namespace: format!("{}-beside", target.namespace), ..target.clone() };
    let before = generations(sh, target)?;
    deploy::deploy(sh, &beside, image)?;
    let after = generations(sh, target)?;
    ensure!(before == after, "a deployment beside it changed the first one: expected {before}, found {after}");
    beside.delete(sh, Duration::from_secs(120))
}

/// Which objects there are, and how often what is asked of each has changed.
fn generations(sh: &Shell, Target { context, namespace }: &Target) -> Result<String> {
    let kinds = "deployments,services,cronjobs,persistentvolumeclaims,networkpolicies";
    let each = "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.generation};{end}";
    Ok(cmd!(sh, "kubectl --context {context} --namespace {namespace} get {kinds} --output {each}").read()?)
}
