//! Where a drill runs, and how.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use reqwest::Url;

use crate::judge::objectives::positive_duration;
use crate::platform::abandoned::Cluster;
use crate::platform::kubernetes::{Conduct, NodePower, PATIENCE, Target};
use crate::platform::local::Protector;
use crate::platform::{Fault, Kubernetes, Local};
use crate::progress::Progress;
use crate::runbook::{Protect, Recovery};
use crate::scenario::Scenario;
use crate::witness::record::Recorder;

#[derive(Args)]
pub(super) struct Place {
    /// Where to run
    #[arg(long, value_enum, default_value_t = Name::Local)]
    pub platform: Name,
    /// Kubernetes: context of the kubeconfig; the current one is never used by default
    #[arg(long, value_name = "NAME", required_if_eq("platform", "kubernetes"))]
    pub context: Option<String>,
    /// Kubernetes: namespace of the service; it must have the label pra.dev/drill=allowed [default: pra]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Kubernetes: public URL of the service [default: its node port on the first node]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// How the service protects acknowledged writes; on Kubernetes it must be deployed that way (overlay `protected`)
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Protect::None)]
    pub protect: Protect,
    /// Local: protect the database with another program, described in this JSON file, instead of restore points; for
    /// kill-pod and kill-pvc
    #[arg(long, value_name = "FILE", value_parser = protector, conflicts_with_all = ["protect", "remote"])]
    pub protector: Option<Protector>,
    /// Local: start from a copy of the newest good restore point in this repository instead of an empty database; the
    /// repository is only read
    #[arg(long, value_name = "DIR")]
    pub copy_of: Option<PathBuf>,
    /// Local: also push every restore point to this remote repository; use one for drills only, since they leave what they
    /// pushed
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// kill-pod on Kubernetes: kill without a grace period
    #[arg(long, alias = "force")]
    pub no_grace: bool,
    /// kill-pvc on Kubernetes: destroy the volume without stopping the service and the backups first
    #[arg(long)]
    pub brutal: bool,
    /// kill-pvc: restore automatically when the service starts (on Kubernetes in an init container), without the runbook
    #[arg(long, conflicts_with = "protector")]
    pub automatic: bool,
    /// kill-pvc: run twice, with the runbook and then automatically, and compare both in a summary
    #[arg(long, alias = "compare", conflicts_with_all = ["automatic", "protector"])]
    pub both_ways: bool,
    /// lose-both-volumes on Kubernetes: expect restore points off the cluster too (overlay `offsite`)
    #[arg(long)]
    pub offsite: bool,
    /// corrupt-database and human-error on Kubernetes: the image that contains the drill [default: pra/drill, with the
    /// tag of the service's image]
    #[arg(long, value_name = "IMAGE")]
    pub drill_image: Option<String>,
    /// stop-node on Kubernetes: command that stops a node; {node} stands for its name [default on k3d: docker kill {node}]
    #[arg(long, value_name = "COMMAND", requires = "start_node")]
    pub stop_node: Option<String>,
    /// stop-node on Kubernetes: command that starts the node again [default on k3d: docker start {node}]
    #[arg(long, value_name = "COMMAND", requires = "stop_node")]
    start_node: Option<String>,
    /// Kubernetes: how long to wait for the cluster to reach a state [default: 120s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub cluster_patience: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// Processes and directories on this machine
    Local,
    /// A cluster to which `cargo xtask deploy` deployed the service
    Kubernetes,
}

impl Place {
    /// Where it runs, for people.
    pub(super) fn name(&self) -> String {
        match (self.platform, &self.context) {
            (Name::Kubernetes, Some(context)) => format!("{context}, namespace {}", self.namespace()),
            _ => "local".to_owned(),
        }
    }

    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("pra")
    }

    /// Whether it is that namespace of that cluster.
    pub(super) fn is_at(&self, cluster: Cluster) -> bool {
        self.platform == Name::Kubernetes
            && self.context.as_deref() == Some(cluster.context)
            && self.namespace() == cluster.namespace
    }

    /// Why a scenario is not to be had there; `None` if it is.
    pub(super) fn refusal(&self, scenario: &Scenario) -> Option<&'static str> {
        if self.protector.is_some() && !scenario.allows_protector {
            return Some("it needs restore points; remove --protector");
        }
        let offered = match self.platform {
            Name::Local => scenario.refusal::<Local>(),
            Name::Kubernetes => scenario.refusal::<Kubernetes>(),
        };
        offered.or_else(|| scenario.faults().find_map(|fault| self.lack(fault)))
    }

    /// What a fault needs, and nobody said.
    fn lack(&self, fault: Fault) -> Option<&'static str> {
        match (self.platform, fault) {
            (Name::Local, Fault::StealCredentials) if !self.has_bucket() => {
                Some("there is nothing to steal without --remote s3://…, a bucket with versions and object lock")
            }
            (Name::Kubernetes, Fault::DestroyBothVolumes) if !self.offsite => Some(
                "without restore points off the cluster nothing would come back; with the overlay `offsite`: --offsite",
            ),
            (Name::Kubernetes, Fault::StopNode) if self.power().is_none() => Some(
                "no API of Kubernetes stops a node; say how: --stop-node 'COMMAND {node}' --start-node 'COMMAND {node}'",
            ),
            _ => None,
        }
    }

    fn has_bucket(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.starts_with("s3://"))
    }

    /// How a node is stopped: as it was said, or as k3d has it.
    fn power(&self) -> Option<NodePower> {
        let is_k3d = self.context.as_ref().is_some_and(|context| context.starts_with("k3d-"));
        let given = self.stop_node.clone().zip(self.start_node.clone());
        given.map(|(stop, start)| NodePower { stop, start }).or_else(|| is_k3d.then(NodePower::of_containers))
    }

    pub(super) fn backup_every(&self) -> Duration {
        Duration::from_secs(match self.platform {
            Name::Local => 5,
            Name::Kubernetes => 60,
        })
    }

    /// How a scenario is recovered from, once for each drill that is to be run.
    pub(super) fn recoveries(&self, scenario: &Scenario) -> Vec<Recovery> {
        let all = scenario.runbooks.iter().map(|runbook| runbook.recovery);
        if self.both_ways {
            return all.collect();
        }
        let asked = |recovery: &Recovery| !self.automatic || *recovery == Recovery::Automatic;
        vec![all.clone().find(asked).unwrap_or(scenario.usual_recovery())]
    }

    pub(super) fn kubernetes(
        &self,
        run: String,
        folder: PathBuf,
        recorder: &Arc<Recorder>,
        progress: &Progress,
    ) -> Result<Kubernetes> {
        let context = self.context.clone().context("on Kubernetes, --context is needed")?;
        let patience = self.cluster_patience.unwrap_or(PATIENCE);
        let target = Target {
            context,
            namespace: self.namespace().to_owned(),
            url: self.url.clone(),
            drill_image: self.drill_image.clone(),
            patience,
        };
        let conduct =
            Conduct { no_grace: self.no_grace, brutal: self.brutal, offsite: self.offsite, power: self.power() };
        Ok(Kubernetes::new(target, conduct, run, folder, recorder.clone(), progress.clone()))
    }
}

/// Reads the description of a protector.
pub(super) fn protector(file: &str) -> Result<Protector, String> {
    Protector::read(Path::new(file)).map_err(|error| format!("{error:#}"))
}
