//! What must hold before anything on a cluster is changed. Only reads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use reqwest::Url;
use serde_json::{Value, json};

use super::kubectl::Kubectl;
use super::objects::{Claim, CronJob, Deployment, Namespace, Node, Pod, Service};
use super::saved::{Saved, fresh_claim};
use super::{CRON_JOB, Conduct, DATA, DEPLOYMENT, LEASE, PUSHES, REPOSITORY, SERVICE};
use crate::platform::{Access, Fault};
use crate::witness::probe::Client;

/// Namespaces that carry this label may be drilled in.
const LABEL: &str = "pra.dev/drill";

/// The cluster as it was found.
pub(super) struct Checked {
    /// Name and UID of each ready pod of the service.
    pub pods: Vec<(String, String)>,
    /// The node that the first of them is on.
    pub node: Option<String>,
    /// UID of the claim with the database.
    pub claim_uid: String,
    /// The volume behind it.
    pub volume: String,
    /// UID of the claim with the restore points.
    pub repository_uid: String,
    /// How clients reach the service.
    pub access: Access,
    /// The program `backup` in the image, as the CronJob calls it.
    pub program: String,
    /// How often the CronJob takes a restore point.
    pub schedule: Option<Duration>,
    namespace_uid: String,
    deployment_uid: String,
    claim: Value,
    repository: Value,
    pushes_suspended: Option<bool>,
    replicas: i32,
    suspended: bool,
}

impl Checked {
    /// The objects that a fault will hit.
    pub(super) fn targets(&self, fault: Fault) -> Vec<String> {
        match fault {
            Fault::KillService => self.pods.iter().map(|(name, uid)| format!("pod {name} ({uid})")).collect(),
            Fault::DestroyVolume | Fault::StartEmpty => vec![self.data()],
            Fault::OverwriteDatabase | Fault::DeleteRows => vec![format!("database in {}", self.data())],
            Fault::DestroyBothVolumes => vec![self.data(), format!("claim {REPOSITORY} ({})", self.repository_uid)],
            Fault::StopBackups => vec![format!("cronjob {CRON_JOB}")],
            Fault::DrainNode | Fault::StopNode => self.node.iter().map(|node| format!("node {node}")).collect(),
            _ => Vec::new(),
        }
    }

    fn data(&self) -> String {
        format!("claim {DATA} ({}), volume {}", self.claim_uid, self.volume)
    }

    /// What has to be remembered to put the cluster right again.
    pub(super) fn saved(&self, kubectl: &Kubectl, run: &str, patience: Duration) -> Saved {
        Saved {
            access: self.access.clone(),
            patience,
            context: kubectl.context().to_owned(),
            namespace: kubectl.namespace().to_owned(),
            namespace_uid: Some(self.namespace_uid.clone()),
            deployment_uid: Some(self.deployment_uid.clone()),
            run: run.to_owned(),
            drill_image: None,
            replicas: self.replicas,
            suspended: self.suspended,
            claim: self.claim.clone(),
            claim_uid: self.claim_uid.clone(),
            repository: self.repository.clone(),
            repository_lost: false,
            pushes_suspended: self.pushes_suspended,
            lineage: None,
            cordoned: None,
            stopped: None,
            revision: None,
            damage: None,
        }
    }
}

/// Checks the namespace's label, the service, its volumes, its backups, and that no other drill is running.
pub(super) async fn check(kubectl: &Kubectl, url: Option<&Url>, conduct: &Conduct) -> Result<Checked> {
    let namespace_uid = allowed(kubectl).await?;
    if let Some(held) = other_drill(kubectl, None).await? {
        bail!("{held}");
    }
    let deployment: Deployment = kubectl.must_get("deployment", DEPLOYMENT).await?;
    ensure!(
        deployment.spec.replicas > 0,
        "deployment {DEPLOYMENT} is scaled to 0; scale it to 1 first: kubectl --context {} --namespace {} scale deployment \
         {DEPLOYMENT} --replicas=1",
        kubectl.context(),
        kubectl.namespace()
    );
    let ready = ready_pods(kubectl, &deployment).await?;
    let node = ready.iter().find_map(|pod| pod.spec.node_name.clone());
    let pods = ready.into_iter().map(|pod| (pod.metadata.name, pod.metadata.uid)).collect();
    let (claim_uid, volume) = bound(kubectl, DATA).await?;
    let (repository_uid, _) = bound(kubectl, REPOSITORY).await?;
    let cron_job: CronJob = kubectl.must_get("cronjob", CRON_JOB).await?;
    ensure!(
        !cron_job.spec.suspend,
        "cronjob {CRON_JOB} is suspended: there would be no backup; resume it first: kubectl --context {} --namespace {} \
         patch cronjob {CRON_JOB} --patch '{{\"spec\":{{\"suspend\":false}}}}'",
        kubectl.context(),
        kubectl.namespace()
    );
    let (schedule, suspended) = (cron_job.spec.interval(), cron_job.spec.suspend);
    let containers = cron_job.spec.job_template.spec.template.spec.containers;
    let container = containers.into_iter().next().with_context(|| format!("cronjob {CRON_JOB} has no container"))?;
    let program = container.command.into_iter().next();
    Ok(Checked {
        schedule,
        namespace_uid,
        deployment_uid: deployment.metadata.uid,
        pods,
        node,
        claim_uid,
        volume,
        access: access(kubectl, url).await?,
        program: program.with_context(|| format!("cronjob {CRON_JOB} states no command"))?,
        claim: fresh_claim(&kubectl.must_get("persistentvolumeclaim", DATA).await?),
        repository: fresh_claim(&kubectl.must_get("persistentvolumeclaim", REPOSITORY).await?),
        pushes_suspended: if conduct.offsite { Some(pushes_suspended(kubectl).await?) } else { None },
        repository_uid,
        replicas: deployment.spec.replicas,
        suspended,
    })
}

/// The namespace's UID, if it allows drills.
async fn allowed(kubectl: &Kubectl) -> Result<String> {
    let (name, context) = (kubectl.namespace(), kubectl.context());
    // The first call of all: here it shows whether there is a cluster.
    let namespace: Option<Namespace> = kubectl
        .get("namespace", name)
        .await
        .map_err(|error| anyhow!("{error:#}; to see what contexts there are: kubectl config get-contexts"))?;
    let namespace = namespace.with_context(|| {
        format!(
            "there is no namespace {name} in the cluster of context {context}; deploy the service there: cargo xtask deploy \
             --context {context} --namespace {name}, or name another: --namespace"
        )
    })?;
    match namespace.metadata.labels.get(LABEL).map(String::as_str) {
        Some("allowed") => Ok(namespace.metadata.uid),
        found => bail!(
            "namespace {name} of context {context} does not allow drills: expected the label {LABEL}=allowed, found {}; \
             if its data may be destroyed: kubectl --context {context} label namespace {name} {LABEL}=allowed",
            found.unwrap_or("none"),
        ),
    }
}

/// The lease of a run, with what its finder needs to know.
pub(super) fn lease(namespace: &str, run: &str, folder: &Path) -> Value {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": LEASE, "namespace": namespace,
            "annotations": { HOST: host.trim(), FOLDER: folder.to_string_lossy() }
        },
        "spec": { "holderIdentity": run },
    })
}

/// Where a drill runs, in the annotations of its lease.
const HOST: &str = "pra.dev/drill-host";
const FOLDER: &str = "pra.dev/drill-folder";

/// Which other run holds the lease, and what to do about it.
pub(super) async fn other_drill(kubectl: &Kubectl, run: Option<&str>) -> Result<Option<String>> {
    let lease: Option<Value> = kubectl.get("lease", LEASE).await?;
    let Some(lease) = lease.filter(|lease| run.is_none_or(|run| lease["spec"]["holderIdentity"] != run)) else {
        return Ok(None);
    };
    let (context, namespace) = (kubectl.context(), kubectl.namespace());
    let noted = |key: &str| lease["metadata"]["annotations"][key].as_str().unwrap_or("unknown").to_owned();
    Ok(Some(format!(
        "another drill is running in namespace {namespace} of context {context}: lease {LEASE} is held by run {}, host {}, \
         notes in {}; wait for its end; if it was killed, `drill cleanup` there finishes it; if that machine is gone for \
         good: cargo xtask deploy --context {context} --namespace {namespace}, with the overlay that was deployed, and once \
         the service has its data, kubectl --context {context} --namespace {namespace} delete lease {LEASE}",
        lease["spec"]["holderIdentity"],
        noted(HOST),
        noted(FOLDER),
    )))
}

/// Whether restore points are kept from being pushed off the cluster; an error where nothing pushes them at all.
async fn pushes_suspended(kubectl: &Kubectl) -> Result<bool> {
    let cron_job: Option<CronJob> = kubectl.get("cronjob", PUSHES).await?;
    let cron_job = cron_job.with_context(|| {
        format!(
            "there is no cronjob {PUSHES} in namespace {namespace} of context {context}: no restore point leaves the cluster; \
             deploy the overlay `offsite` first: cargo xtask deploy --context {context} --namespace {namespace} --overlay \
             offsite",
            namespace = kubectl.namespace(),
            context = kubectl.context()
        )
    })?;
    Ok(cron_job.spec.suspend)
}

async fn ready_pods(kubectl: &Kubectl, deployment: &Deployment) -> Result<Vec<Pod>> {
    let pods: Vec<Pod> = kubectl.list("pods", Some(&deployment.spec.selector.as_argument())).await?;
    let (ready, others): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(Pod::is_ready);
    if ready.is_empty() {
        let why: Vec<String> = others.iter().map(Pod::unready).collect();
        let why = if why.is_empty() { "it has none".to_owned() } else { why.join("; ") };
        bail!("no pod of deployment {DEPLOYMENT} is ready: {why}");
    }
    Ok(ready)
}

/// UID of a claim and the volume behind it.
async fn bound(kubectl: &Kubectl, name: &str) -> Result<(String, String)> {
    let claim: Claim = kubectl.must_get("persistentvolumeclaim", name).await?;
    ensure!(claim.metadata.deletion_timestamp.is_none(), "claim {name} is being deleted");
    let volume =
        claim.spec.volume_name.with_context(|| format!("claim {name} is {}, not Bound", claim.status.phase))?;
    Ok((claim.metadata.uid, volume))
}

/// The URL that was given, else the node port of the first node where it answers, else a tunnel.
async fn access(kubectl: &Kubectl, given: Option<&Url>) -> Result<Access> {
    if let Some(url) = given {
        return Ok(Access::Url(url.to_string()));
    }
    let service: Service = kubectl.must_get("service", SERVICE).await?;
    let Some(port) = service.spec.ports.iter().find_map(|port| port.node_port) else { return Ok(Access::Tunnel) };
    let nodes: Vec<Node> = kubectl.list("nodes", None).await?;
    let addresses = nodes.iter().flat_map(|node| &node.status.addresses);
    for address in addresses.filter(|address| address.r#type == "InternalIP") {
        let url = format!("http://{}:{port}/", address.address);
        match Client::new(url.parse()?)?.status().await {
            Ok(_) => return Ok(Access::NodePort(url)),
            Err(error) => kubectl.note(&format!("node port {url} does not answer: {error:#}")),
        }
    }
    Ok(Access::Tunnel)
}
