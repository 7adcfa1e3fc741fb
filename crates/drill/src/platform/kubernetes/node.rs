//! The node of the service: drained, or stopped as by a power cut.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::Kubernetes;
use super::kubectl::State;
use super::objects::{Node, Pod};

/// A node that takes longer to stop or to start is looked at by a person.
const LIMIT: Duration = Duration::from_secs(120);

/// Nodes with this label run the API server, without which nobody could tell what becomes of the service.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// How nodes of this cluster are stopped and started: no API of Kubernetes does that. `{node}` in a command is its name;
/// words are separated by spaces, and no shell reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodePower {
    /// Stops it, as a power cut does; it is stopped once the command ends.
    pub stop: String,
    /// Starts it again.
    pub start: String,
}

impl NodePower {
    /// That of clusters whose nodes are containers of the same name, as k3d makes them.
    pub(crate) fn of_containers() -> Self {
        Self { stop: "docker kill {node}".to_owned(), start: "docker start {node}".to_owned() }
    }
}

/// A node that the drill has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    /// Its name.
    pub node: String,
    /// The command that starts it.
    pub start: String,
}

impl Kubernetes {
    /// Takes the node of the service out of service, as `kubectl drain` does, but only for the service: what others run
    /// there is not ours to move.
    pub(super) async fn drain_node(&mut self) -> Result<String> {
        let node = self.checked()?.node.clone().context("cannot tell which node the service is on")?;
        self.save(|saved| saved.cordoned = Some(node.clone()))?;
        self.kubectl.change(&["cordon", &node]).await?;
        let gone = self.kill_service().await?;
        Ok(format!("node {node} takes no pod any more, {gone}"))
    }

    pub(super) async fn stop_node(&mut self) -> Result<String> {
        let node = self.checked()?.node.clone().context("cannot tell which node the service is on")?;
        let power =
            self.conduct.power.clone().context("cannot tell how to stop a node; give --stop-node and --start-node")?;
        let object: Node = self.kubectl.must_get("node", &node).await?;
        ensure!(
            !object.metadata.labels.contains_key(CONTROL_PLANE),
            "the service is on {node}, which runs the API server too: nobody could watch; move the service to another node"
        );
        // They are not ready any more, whatever the cluster goes on saying for a minute.
        self.killed = self.pods().await?.into_iter().map(|pod: Pod| pod.metadata.uid).collect();
        let stopped = Stopped { node: node.clone(), start: filled(&power.start, &node) };
        self.save(|saved| saved.stopped = Some(stopped))?;
        self.run(&filled(&power.stop, &node)).await?;
        Ok(format!("node {node} is stopped"))
    }

    /// Starts the node that was stopped, if one was, and waits until the cluster has it back.
    pub(super) async fn start_node(&mut self) -> Result<()> {
        let Some(Stopped { node, start }) = self.saved()?.stopped.clone() else { return Ok(()) };
        self.run(&start).await?;
        self.wait(&format!("node {node} to be ready"), async || {
            let object: Node = self.kubectl.must_get("node", &node).await?;
            Ok(if object.is_ready() { State::Reached(()) } else { State::NotYet("not ready".to_owned()) })
        })
        .await?;
        self.save(|saved| saved.stopped = None)
    }

    /// Runs a command of the user's to its end.
    async fn run(&self, command: &str) -> Result<()> {
        self.kubectl.show(command);
        let mut words = command.split_whitespace();
        let program = words.next().context("the command that stops or starts a node is empty")?;
        let mut run = Command::new(program);
        run.args(words).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, run.output())
            .await
            .with_context(|| format!("`{command}` did not end within {} s", LIMIT.as_secs()))?
            .with_context(|| format!("cannot run `{command}`"))?;
        if !output.status.success() {
            bail!("`{command}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

fn filled(command: &str, node: &str) -> String {
    command.replace("{node}", node)
}
