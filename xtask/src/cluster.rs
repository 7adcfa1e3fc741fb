use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::programs::say;
use crate::wait::{Status, wait_for};

pub const NAME: &str = "pra";
/// k3d names the context so.
pub const CONTEXT: &str = "k3d-pra";
pub const URL: &str = "http://localhost:8080";

/// k3d's own default is two minor versions behind the pinned kubectl: one more than Kubernetes supports.
const NODE_IMAGE: &str = "rancher/k3s:v1.33.5-k3s1";
const NODES: usize = 3;
const PORT: &str = "8080:30080@loadbalancer";

/// Start or delete the k3d cluster, one server and two agents
#[derive(Args)]
pub struct Cluster {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Create the cluster; start or keep the one that exists
    Up,
    /// Delete the cluster, and all data in it
    Down,
}

impl Cluster {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        match self.action {
            Action::Up => up(sh)?,
            Action::Down => down(sh)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Brings the cluster up, unless it is.
pub fn up(sh: &Shell) -> Result<()> {
    match find(sh)? {
        None => create(sh)?,
        Some(cluster) if !publishes_the_service(&cluster) => bail!(
            "cluster {NAME} exists without the port {PORT}; delete it and all data in it with \
             cargo xtask cluster down, then try again"
        ),
        Some(cluster) if is_running(&cluster) => say(&format!("cluster {NAME} exists and runs: kept")),
        Some(_) => {
            say(&format!("cluster {NAME} exists and is stopped: starting it"));
            cmd!(sh, "k3d cluster start {NAME} --wait --timeout 180s").run()?;
        }
    }
    wait_for(&format!("{NODES} ready nodes"), Duration::from_secs(180), || nodes(sh))
}

fn create(sh: &Shell) -> Result<()> {
    cmd!(
        sh,
        "k3d cluster create {NAME} --image {NODE_IMAGE} --servers 1 --agents 2 --port {PORT} --wait --timeout 300s"
    )
    .run()
    .with_context(|| format!("cluster {NAME} was not created; if port 8080 is in use, free it and try again"))
}

fn down(sh: &Shell) -> Result<()> {
    match find(sh)? {
        None => say(&format!("there is no cluster {NAME}: nothing to do")),
        Some(_) => cmd!(sh, "k3d cluster delete {NAME}").run()?,
    }
    Ok(())
}

/// The cluster as k3d describes it.
pub fn find(sh: &Shell) -> Result<Option<Value>> {
    let listed = cmd!(sh, "k3d cluster list --output json")
        .read()
        .context("k3d cannot list its clusters; see what is missing with cargo xtask doctor")?;
    let clusters: Vec<Value> = serde_json::from_str(&listed).context("cannot read what k3d says of its clusters")?;
    Ok(clusters.into_iter().find(|cluster| cluster["name"] == NAME))
}

fn is_running(cluster: &Value) -> bool {
    [("serversRunning", "serversCount"), ("agentsRunning", "agentsCount")]
        .iter()
        .all(|(running, count)| cluster[running] == cluster[count])
}

fn publishes_the_service(cluster: &Value) -> bool {
    let nodes = cluster["nodes"].as_array();
    let bindings = nodes.into_iter().flatten().filter_map(|node| node["portMappings"]["30080/tcp"].as_array());
    bindings.flatten().any(|binding| binding["HostPort"] == "8080")
}

fn nodes(sh: &Shell) -> Result<Status> {
    let listed = cmd!(sh, "kubectl --context {CONTEXT} --request-timeout=15s get nodes --output json")
        .quiet()
        .ignore_status()
        .output()?;
    // Right after a start the API server may refuse for a moment.
    let Ok(listed) = serde_json::from_slice::<Value>(&listed.stdout) else {
        return Ok(Status::NotYet(String::from_utf8_lossy(&listed.stderr).trim().to_owned()));
    };
    let is_ready = |node: &&Value| {
        let conditions = node["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    let nodes = listed["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ready: Vec<&str> = nodes.iter().filter(is_ready).filter_map(|node| node["metadata"]["name"].as_str()).collect();
    if ready.len() >= NODES {
        return Ok(Status::Done);
    }
    Ok(Status::NotYet(format!("{} of {} nodes ready: {}", ready.len(), nodes.len(), ready.join(", "))))
}
