//! The cluster that is talked to, pinned on every call.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::programs::{refused, usage};
use crate::wait::{Status, wait_for};

/// The label, and its value, of a namespace that may be destroyed.
pub const LABEL: &str = "pra.dev/drill=allowed";

/// The label, and its value, of a namespace that the service was deployed to, or may be.
const PART: &str = "app.kubernetes.io/part-of=pra";

/// A namespace in the cluster of a kubeconfig context.
#[derive(clap::Args, Clone)]
pub struct Target {
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", default_value = crate::cluster::CONTEXT)]
    pub context: String,
    /// Namespace
    #[arg(long, value_name = "NAME", default_value = NAMESPACE)]
    pub namespace: String,
}

/// The namespace, unless another one is asked for.
pub const NAMESPACE: &str = "pra";

/// A namespace that may be written to.
pub enum Namespace {
    Absent,
    /// It has the label that was asked for.
    Ours,
}

impl Target {
    /// The namespace, provided that it is absent or may be destroyed.
    pub fn interlock(&self, sh: &Shell) -> Result<Namespace> {
        self.must_have(sh, &[LABEL], "if it may be destroyed")
    }

    /// The namespace, provided that it is absent, or the service was deployed to it. It need not be there to be destroyed.
    pub fn must_be_ours(&self, sh: &Shell) -> Result<Namespace> {
        self.must_have(sh, &[PART, LABEL], "if the service may be deployed to it")
    }

    /// The namespace, provided that it is absent or has one of these labels. What the first allows, `allowed` says.
    fn must_have(&self, sh: &Shell, labels: &[&str], allowed: &str) -> Result<Namespace> {
        let Self { context, namespace } = self;
        let found = cmd!(sh, "kubectl --context {context} --request-timeout=15s get namespace {namespace}")
            .args(["--ignore-not-found", "--output", "json"])
            .ignore_status()
            .output()?;
        if !found.status.success() {
            return Err(self.no_answer(&String::from_utf8_lossy(&found.stderr)));
        }
        if found.stdout.is_empty() {
            return Ok(Namespace::Absent);
        }
        let found: Value = serde_json::from_slice(&found.stdout).context("cannot read what kubectl says")?;
        let has = |label: &&&str| {
            let (key, value) = label.split_once('=').unwrap_or_default();
            found["metadata"]["labels"][key] == value
        };
        if labels.iter().any(|label| has(&label)) {
            return Ok(Namespace::Ours);
        }
        let label = labels[0];
        Err(refused(format!(
            "namespace {namespace} of context {context} lacks the label {label} and is left as it is; {allowed}, \
             kubectl --context {context} label namespace {namespace} {label}"
        )))
    }

    /// That the cluster can be asked and has the namespace, before anything takes minutes.
    pub fn must_exist(&self, sh: &Shell) -> Result<()> {
        let Self { context, namespace } = self;
        let look =
            cmd!(sh, "kubectl --context {context} --request-timeout=15s get namespace {namespace} --output name");
        let Ok(found) = look.quiet().ignore_status().output() else {
            return Err(usage("kubectl is missing; cargo xtask setup gets it"));
        };
        if found.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&found.stderr);
        if reason.contains("(NotFound)") {
            return Err(refused(format!(
                "there is no namespace {namespace} in the cluster of context {context}; deploy the service there, \
                 cargo xtask deploy --context {context} --namespace {namespace}, or name another: --namespace"
            )));
        }
        Err(self.no_answer(&reason))
    }

    fn no_answer(&self, reason: &str) -> anyhow::Error {
        refused(format!(
            "the cluster of context {} does not answer: {}; for one of your own, cargo xtask cluster up; to see what \
             contexts there are, kubectl config get-contexts",
            self.context,
            reason.trim()
        ))
    }

    /// Deletes the namespace, by its label too: what has lost the label meanwhile stays.
    pub fn delete(&self, sh: &Shell, limit: Duration) -> Result<()> {
        let Self { context, namespace } = self;
        let field = format!("metadata.name={namespace}");
        cmd!(
            sh,
            "kubectl --context {context} delete namespace --selector {LABEL} --field-selector {field} --wait=false"
        )
        .run()?;
        wait_for(&format!("the end of namespace {namespace}"), limit, || {
            let found =
                cmd!(sh, "kubectl --context {context} get namespace {namespace} --ignore-not-found --no-headers")
                    .quiet()
                    .read()?;
            Ok(if found.is_empty() { Status::Done } else { Status::NotYet(found) })
        })
    }
}
