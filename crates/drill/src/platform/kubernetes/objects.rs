//! The parts of Kubernetes objects that a drill looks at, as the API server writes them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// A list of objects.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub items: Vec<T>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub name: String,
    pub uid: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub deletion_timestamp: Option<String>,
    pub generation: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Namespace {
    pub metadata: Metadata,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Node {
    pub metadata: Metadata,
    pub status: NodeStatus,
}

impl Node {
    /// Whether its kubelet still reports that all is well.
    pub(super) fn is_ready(&self) -> bool {
        let is_met = |condition: &Condition| condition.r#type == "Ready" && condition.status == "True";
        self.status.conditions.iter().any(is_met)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default)]
    pub addresses: Vec<Address>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Address {
    pub r#type: String,
    pub address: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Service {
    pub spec: ServiceSpec,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ServiceSpec {
    pub ports: Vec<Port>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    pub node_port: Option<u16>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Deployment {
    pub metadata: Metadata,
    pub spec: DeploymentSpec,
    #[serde(default)]
    pub status: DeploymentStatus,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct DeploymentSpec {
    pub replicas: i32,
    pub selector: Selector,
    pub template: PodTemplate,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selector {
    pub match_labels: BTreeMap<String, String>,
}

impl Selector {
    /// As `kubectl --selector` takes it.
    pub(super) fn as_argument(&self) -> String {
        self.match_labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentStatus {
    pub observed_generation: Option<i64>,
    #[serde(default)]
    pub available_replicas: i32,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PodTemplate {
    pub spec: PodSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub containers: Vec<Container>,
    #[serde(default)]
    pub volumes: Vec<Volume>,
    pub node_name: Option<String>,
}

impl PodSpec {
    /// Whether a pod of this kind mounts a claim.
    pub(super) fn mounts(&self, claim: &str) -> bool {
        self.volumes.iter().any(|volume| volume.persistent_volume_claim.as_ref().is_some_and(|c| c.claim_name == claim))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Container {
    pub image: String,
    #[serde(default)]
    pub command: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub persistent_volume_claim: Option<ClaimSource>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimSource {
    pub claim_name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CronJob {
    pub spec: CronJobSpec,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CronJobSpec {
    #[serde(default)]
    pub suspend: bool,
    #[serde(default)]
    pub schedule: String,
    pub job_template: JobTemplate,
}

impl CronJobSpec {
    /// The longest time between two runs, for the common kinds of schedules.
    pub(super) fn interval(&self) -> Option<Duration> {
        let fields: Vec<&str> = self.schedule.split_whitespace().collect();
        let minutes = match fields[..] {
            ["@hourly"] => 60,
            [every, "*", "*", "*", "*"] => match every.strip_prefix("*/") {
                Some(step) => step.parse().ok().filter(|step| (1..=60).contains(step))?,
                None if every == "*" => 1,
                None => every.parse::<u64>().ok().map(|_| 60)?,
            },
            ["@daily"] => 24 * 60,
            [minute, hour, "*", "*", "*"] => {
                minute.parse::<u64>().ok().zip(hour.parse::<u64>().ok()).map(|_| 24 * 60)?
            }
            _ => return None,
        };
        Some(Duration::from_secs(minutes * 60))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct JobTemplate {
    pub spec: JobSpec,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct JobSpec {
    pub template: PodTemplate,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Job {
    pub metadata: Metadata,
    pub spec: JobSpec,
    #[serde(default)]
    pub status: JobStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct JobStatus {
    #[serde(default)]
    pub succeeded: i32,
    #[serde(default)]
    pub failed: i32,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claim {
    pub metadata: Metadata,
    pub spec: ClaimSpec,
    pub status: ClaimStatus,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimSpec {
    pub volume_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ClaimStatus {
    pub phase: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pod {
    pub metadata: Metadata,
    pub spec: PodSpec,
    #[serde(default)]
    pub status: PodStatus,
}

impl Pod {
    /// Whether the pod takes requests.
    pub(super) fn is_ready(&self) -> bool {
        let ready = |condition: &Condition| condition.r#type == "Ready" && condition.status == "True";
        self.metadata.deletion_timestamp.is_none() && self.status.conditions.iter().any(ready)
    }

    /// A container that ends again and again, if there is one.
    pub(super) fn crashing(&self) -> Option<&str> {
        let containers = self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let mut crashing = containers.filter(|container| {
            container.state.waiting.as_ref().is_some_and(|waiting| waiting.reason == "CrashLoopBackOff")
        });
        crashing.next().map(|container| container.name.as_str())
    }

    /// Why it does not run, as far as the API server knows.
    pub(super) fn obstacle(&self) -> Option<String> {
        let Metadata { name, deletion_timestamp, .. } = &self.metadata;
        if deletion_timestamp.is_some() {
            return Some(format!("pod {name} is still being deleted"));
        }
        let unscheduled = self.status.conditions.iter().find(|c| c.r#type == "PodScheduled" && c.status == "False");
        if let Some(condition) = unscheduled {
            let why = condition.message.as_deref().unwrap_or("no reason given");
            return Some(format!("pod {name} is {}: {why}{}", self.status.phase, advice(why)));
        }
        let containers = self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let waiting = containers.filter_map(|container| Some((container, container.state.waiting.as_ref()?)));
        waiting
            .filter(|(_, waiting)| !matches!(waiting.reason.as_str(), "PodInitializing" | "ContainerCreating"))
            .map(|(container, Waiting { reason, message })| {
                let why = format!("{reason}: {}", message.as_deref().unwrap_or("no message"));
                format!("container {} of pod {name} waits, {why}{}", container.name, advice(&why))
            })
            .next()
    }

    /// Why it takes no requests. One that waits for nothing may still be on its way, or have to begin again.
    pub(super) fn unready(&self) -> String {
        self.obstacle().unwrap_or_else(|| {
            let unmet = |c: &&Condition| matches!(c.r#type.as_str(), "Initialized" | "Ready") && c.status == "False";
            let condition = self.status.conditions.iter().find(unmet);
            let why = condition.and_then(|condition| condition.message.as_deref()).unwrap_or("no reason given");
            format!("pod {} is {}: {why}", self.metadata.name, self.status.phase)
        })
    }
}

/// What to do about obstacles that are well known.
fn advice(why: &str) -> &'static str {
    if why.contains("unschedulable") {
        " (a node takes no pods, and a volume that is on it cannot follow the service: kubectl uncordon)"
    } else if why.contains("taint") {
        " (a node is not to be used, it may be down, and a volume that is on it cannot follow the service: bring that node \
         back; delete nothing)"
    } else if why.contains("node affinity") {
        " (no node has all the volumes; if a node is gone, bring it back; if none is, the volumes are on different nodes: \
         delete the empty one and restore before the service starts, but never one that may hold data)"
    } else if why.contains("ImagePull") || why.contains("ErrImage") {
        " (the image is not on the node: import it)"
    } else if why.contains("CrashLoopBackOff") {
        " (see its log: kubectl logs)"
    } else {
        ""
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodStatus {
    #[serde(default)]
    pub phase: String,
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default)]
    pub init_container_statuses: Vec<ContainerStatus>,
    #[serde(default)]
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Condition {
    pub r#type: String,
    pub status: String,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ContainerStatus {
    pub name: String,
    #[serde(default)]
    pub state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ContainerState {
    pub waiting: Option<Waiting>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Waiting {
    pub reason: String,
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_common_schedule_is_known() {
        for (schedule, minutes) in [
            ("* * * * *", Some(1)),
            ("*/5 * * * *", Some(5)),
            ("17 * * * *", Some(60)),
            ("@hourly", Some(60)),
            ("17 3 * * *", Some(24 * 60)),
            ("0 9-17 * * 1-5", None),
            ("", None),
        ] {
            let template = JobTemplate { spec: JobSpec { template: PodTemplate { spec: PodSpec::default() } } };
            let spec = CronJobSpec { suspend: false, schedule: schedule.to_owned(), job_template: template };
            assert_eq!(spec.interval().map(|interval| interval.as_secs() / 60), minutes, "{schedule:?}");
        }
    }

    #[test]
    fn a_pod_whose_first_container_still_runs_is_not_ready_for_a_reason() {
        let of = |conditions: serde_json::Value| {
            let pod = serde_json::json!({
                "metadata": {"name": "app-1", "uid": "1"}, "spec": {"containers": []},
                "status": {"phase": "Pending", "conditions": conditions}
            });
            serde_json::from_value::<Pod>(pod).unwrap().unready()
        };
        let incomplete = "containers with incomplete status: [pull restore]";
        let conditions = serde_json::json!([
            {"type": "PodScheduled", "status": "True"},
            {"type": "Initialized", "status": "False", "message": incomplete},
            {"type": "Ready", "status": "False", "message": "containers with unready status: [app]"}
        ]);
        assert_eq!(of(conditions), format!("pod app-1 is Pending: {incomplete}"));
        assert_eq!(of(serde_json::json!([])), "pod app-1 is Pending: no reason given");
    }

    #[test]
    fn advice_never_costs_a_volume_that_may_hold_data() {
        let down = "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 2 node(s) \
                    didn't match PersistentVolume's node affinity";
        assert!(advice(down).contains("delete nothing"), "{}", advice(down));
        let apart = "0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity";
        assert!(advice(apart).contains("never one that may hold data"), "{}", advice(apart));
    }
}
