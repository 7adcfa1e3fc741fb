//! A service that is started on an empty volume, as it is not deployed.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{DEPLOYMENT, Kubernetes, Platform as _};

/// The variable that keeps the service from starting without its data.
const RESTORE_FIRST: &str = "RESTORE_FIRST";

/// Where a Deployment states its revision.
const REVISION: &str = "deployment.kubernetes.io/revision";

impl Kubernetes {
    /// As someone does who wants the service back, and takes away what keeps it from starting without its data.
    pub(super) async fn start_empty(&mut self) -> Result<String> {
        self.replace_volume().await?;
        let live: Value = self.kubectl.must_get("deployment", DEPLOYMENT).await?;
        let revision = live["metadata"]["annotations"][REVISION].as_str();
        let revision = revision.with_context(|| format!("deployment {DEPLOYMENT} has no revision to go back to"))?;
        self.save(|saved| saved.revision = Some(revision.to_owned()))?;
        let (replicas, suspended) = (self.saved()?.replicas, self.saved()?.suspended);
        let patch = without_restore(&live).to_string();
        self.kubectl.change(&["patch", "deployment", DEPLOYMENT, "--type=json", "--patch", &patch]).await?;
        self.scale(replicas).await?;
        let by = self.ready().await?;
        self.set_suspended(suspended).await?;
        Ok(format!("{by}, on an empty volume"))
    }

    /// Puts the service back that was deployed; it may already be.
    pub(super) async fn undo_revision(&mut self) -> Result<()> {
        let Some(revision) = self.saved()?.revision.clone() else { return Ok(()) };
        let revision = format!("--to-revision={revision}");
        self.kubectl.change(&["rollout", "undo", &format!("deployment/{DEPLOYMENT}"), &revision]).await?;
        self.save(|saved| saved.revision = None)
    }
}

/// The patch after which nothing restores before the service starts.
fn without_restore(deployment: &Value) -> Value {
    let pod = &deployment["spec"]["template"]["spec"];
    let mut patch = Vec::new();
    if !pod["initContainers"].is_null() {
        patch.push(json!({ "op": "remove", "path": "/spec/template/spec/initContainers" }));
    }
    let variables = pod["containers"][0]["env"].as_array().into_iter().flatten();
    if let Some(index) = variables.map(|variable| &variable["name"]).position(|name| name == RESTORE_FIRST) {
        let path = format!("/spec/template/spec/containers/0/env/{index}/value");
        patch.push(json!({ "op": "replace", "path": path, "value": "false" }));
    }
    json!(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_restores_before_the_start_is_taken_away_and_nothing_else() {
        let env = json!([{ "name": "DB_PATH", "value": "/d" }, { "name": "RESTORE_FIRST", "value": "true" }]);
        let pod = json!({ "initContainers": [{}], "containers": [{ "env": env }] });
        let patch = without_restore(&json!({ "spec": { "template": { "spec": pod } } }));
        let expected = json!([
            { "op": "remove", "path": "/spec/template/spec/initContainers" },
            { "op": "replace", "path": "/spec/template/spec/containers/0/env/1/value", "value": "false" }
        ]);
        assert_eq!(patch, expected);
        assert_eq!(without_restore(&json!({ "spec": { "template": { "spec": { "containers": [{}] } } } })), json!([]));
    }
}
