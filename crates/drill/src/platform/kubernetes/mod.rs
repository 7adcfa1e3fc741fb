//! A cluster of a kubeconfig context, with what `k8s/` deploys on it.
//!
//! Times that the cluster states are never measurements: a moment is when the drill saw it.

mod by_hand;
mod clean_up;
mod content;
mod fault;
mod jobs;
mod kubectl;
mod node;
mod objects;
mod offsite;
mod placement;
mod poison;
mod preflight;
mod saved;
mod silence;
mod tunnel;
mod volume;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use backup::lineage::Lineage;
use backup::{Manifest, Restored};
use reqwest::Url;
use tokio::task::JoinSet;

use super::{Access, Fault, Manner, Placed, Platform};
use crate::durable;
use crate::progress::Progress;
use crate::witness::record::Recorder;
use kubectl::{Kubectl, State, wait_for};
pub(crate) use node::NodePower;
use objects::{Deployment, Pod};
pub(crate) use saved::Saved;

const DEPLOYMENT: &str = "app";
const SERVICE: &str = "app";
const CRON_JOB: &str = "sqlite-backup";
/// The CronJob that pushes restore points off the cluster, where there is one.
const PUSHES: &str = "sqlite-offsite";
const DATA: &str = "pra-data";
const REPOSITORY: &str = "pra-backup";
const LEASE: &str = "pra-drill";

/// The label that our Jobs carry, with the run as its value.
const RUN_LABEL: &str = "pra.dev/drill-run";

/// How long the cluster may take, unless told otherwise, to reach a state that it reaches in seconds when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How a fault is injected and repaired.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conduct {
    /// Delete the pod without a grace period.
    pub no_grace: bool,
    /// Destroy the volume without stopping the service and the backups first.
    pub brutal: bool,
    /// Restore points are kept off the cluster too, by the component `offsite`.
    pub offsite: bool,
    /// How a node is stopped, where that is known.
    pub power: Option<NodePower>,
}

/// Where the system is.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The kubeconfig context.
    pub context: String,
    pub namespace: String,
    /// The service's public URL, if it is not the one that the cluster tells.
    pub url: Option<Url>,
    /// The image with the drill in it, if it is not the one beside the service's.
    pub drill_image: Option<String>,
    /// How long the cluster may take to reach a state.
    pub patience: Duration,
}

/// The system on a cluster.
pub(crate) struct Kubernetes {
    kubectl: Kubectl,
    conduct: Conduct,
    url: Option<Url>,
    drill_image: Option<String>,
    patience: Duration,
    folder: PathBuf,
    run: String,
    recorder: Arc<Recorder>,
    checked: Option<preflight::Checked>,
    saved: Option<Saved>,
    /// Pods that the fault killed: none of them can be the one that is ready again.
    killed: BTreeSet<String>,
    jobs: u32,
    /// What goes on beside: the watch over restore points, a tunnel.
    tasks: JoinSet<()>,
}

impl Kubernetes {
    /// A system of which nothing is known yet. What has to be remembered goes to the drill's folder.
    pub(crate) fn new(
        target: Target,
        conduct: Conduct,
        run: String,
        folder: PathBuf,
        recorder: Arc<Recorder>,
        progress: Progress,
    ) -> Self {
        let Target { context, namespace, url, drill_image, patience } = target;
        Self {
            kubectl: Kubectl::new(context, namespace, progress, recorder.clone()),
            conduct,
            url,
            drill_image,
            patience,
            folder,
            run,
            recorder,
            checked: None,
            saved: None,
            killed: BTreeSet::new(),
            jobs: 0,
            tasks: JoinSet::new(),
        }
    }

    /// The system that a killed drill left behind.
    pub(crate) fn left_behind(saved: Saved, folder: PathBuf, recorder: Arc<Recorder>, progress: Progress) -> Self {
        let (context, namespace) = (saved.context.clone(), saved.namespace.clone());
        let drill_image = saved.drill_image.clone();
        let target = Target { context, namespace, url: None, drill_image, patience: saved.patience };
        let run = saved.run.clone();
        let patience = saved.patience;
        let mut left =
            Self { saved: Some(saved), ..Self::new(target, Conduct::default(), run, folder, recorder, progress) };
        left.kubectl.repeat_calls(patience);
        left
    }

    fn checked(&self) -> Result<&preflight::Checked> {
        self.checked.as_ref().context("the cluster was not checked")
    }

    /// Changes what has to be remembered, on disk too.
    fn save(&mut self, change: impl FnOnce(&mut Saved)) -> Result<()> {
        let saved = self.saved.as_mut().context("the state of the cluster was not saved")?;
        change(saved);
        saved.store(&self.folder)
    }

    fn saved(&self) -> Result<&Saved> {
        self.saved.as_ref().context("the state of the cluster was not saved")
    }

    /// The service's URL, through a tunnel that is opened for it if need be.
    async fn reach(&mut self, access: &Access) -> Result<Url> {
        match access {
            Access::Url(url) | Access::NodePort(url) => url.parse().with_context(|| format!("{url} is not a URL")),
            Access::Tunnel => tunnel::open(&self.kubectl, self.patience, &mut self.tasks).await,
        }
    }

    async fn deployment(&self) -> Result<Deployment> {
        self.kubectl.must_get("deployment", DEPLOYMENT).await
    }

    /// The pods of the service, those that are being deleted too.
    async fn pods(&self) -> Result<Vec<Pod>> {
        let selector = self.deployment().await?.spec.selector.as_argument();
        self.kubectl.list("pods", Some(&selector)).await
    }

    /// Waits for a state; a time-out says what stands in the way.
    async fn wait<T>(&self, what: &str, look: impl AsyncFnMut() -> Result<State<T>>) -> Result<T> {
        match wait_for(self.patience, what, look).await {
            Ok(reached) => Ok(reached),
            Err(error) => Err(match self.obstacles().await {
                Ok(obstacles) if obstacles.is_empty() => error,
                Ok(obstacles) => anyhow::anyhow!("{error:#}; in the way: {}", obstacles.join("; ")),
                Err(unknown) => anyhow::anyhow!("{error:#}; cannot tell what is in the way: {unknown:#}"),
            }),
        }
    }

    async fn obstacles(&self) -> Result<Vec<String>> {
        let pods: Vec<Pod> = self.kubectl.list("pods", None).await?;
        let mut obstacles: Vec<String> = pods.iter().filter_map(Pod::obstacle).collect();
        for (pod, container) in pods.iter().filter_map(|pod| Some((&pod.metadata.name, pod.crashing()?))) {
            let log = ["logs", pod, &format!("--container={container}"), "--previous", "--tail=1"];
            let last = self.kubectl.call_once(&log).await.unwrap_or_default();
            obstacles.push(format!("container {container} of pod {pod} ended with: {}", last.trim()));
        }
        if let Some(stopped) = self.saved.as_ref().and_then(|saved| saved.stopped.as_ref()) {
            let node = &stopped.node;
            obstacles.push(format!("node {node} is stopped, and a volume that is on it cannot follow the service"));
        }
        if let Some(held) = self.held_claim(&pods).await? {
            obstacles.push(held);
        }
        Ok(obstacles)
    }
}

impl Platform for Kubernetes {
    const NAME: &'static str = "kubernetes";

    fn refusal(fault: Fault) -> Option<&'static str> {
        match fault {
            Fault::KillService
            | Fault::DestroyVolume
            | Fault::DestroyBothVolumes
            | Fault::OverwriteDatabase
            | Fault::DeleteRows
            | Fault::StartEmpty
            | Fault::StopBackups
            | Fault::DrainNode
            | Fault::StopNode => None,
            Fault::KillRestore => Some("a restore takes less time than the call of kubectl that would have to meet it"),
            Fault::StealCredentials => Some(
                "the credentials are in a Secret of the cluster, which the drill does not read; run it locally with them",
            ),
            Fault::FillVolume => {
                Some("the volumes of many clusters have no size of their own: the disk of a node would fill")
            }
            Fault::DamageNewestRestorePoint | Fault::DestroyRepository => {
                Some("the restore points on a cluster are not the drill's own, and could not be brought back")
            }
        }
    }

    fn targets(&self, fault: Fault) -> Vec<String> {
        self.checked.as_ref().map_or_else(Vec::new, |checked| checked.targets(fault))
    }

    fn restore_points_wanted(&self) -> usize {
        // Two cycles of a schedule of minutes would be a long wait; the repository has had many.
        1
    }

    fn backup_interval(&self) -> Duration {
        // If it cannot be told: the schedule in `k8s/`, each minute.
        self.schedule().unwrap_or(Duration::from_secs(60))
    }

    fn schedule(&self) -> Option<Duration> {
        self.checked.as_ref()?.schedule
    }

    async fn preflight(&mut self) -> Result<()> {
        self.checked = Some(preflight::check(&self.kubectl, self.url.as_ref(), &self.conduct).await?);
        Ok(())
    }

    async fn start(&mut self) -> Result<Url> {
        let checked = self.checked()?;
        let mut saved = checked.saved(&self.kubectl, &self.run, self.patience);
        saved.drill_image = self.drill_image.clone();
        let access = saved.access.clone();
        saved.store(&self.folder)?;
        // From here on there may be something to clean up: a call that is cut short may have taken effect.
        self.saved = Some(saved);
        let lease = preflight::lease(self.kubectl.namespace(), &self.run, &self.folder);
        if let Err(error) = self.kubectl.create(&lease).await {
            // Another drill may have been faster.
            return Err(match preflight::other_drill(&self.kubectl, Some(&self.run)).await {
                Ok(Some(held)) => anyhow!("{held}"),
                _ => error.context("cannot acquire the drill lease"),
            });
        }
        self.kubectl.repeat_calls(self.patience);
        self.tasks.spawn(watch::watch(self.kubectl.clone(), self.program()?, self.recorder.clone()));
        self.reach(&access).await
    }

    fn access(&self) -> Option<Access> {
        self.saved.as_ref().map(|saved| saved.access.clone())
    }

    fn remember(&mut self, lineage: &Lineage) -> Result<()> {
        self.save(|saved| saved.lineage = Some(lineage.clone()))
    }

    async fn inject(&mut self, fault: Fault) -> Result<String> {
        match fault {
            Fault::KillService => self.kill_service().await,
            Fault::DestroyVolume => self.destroy_volume().await,
            Fault::DestroyBothVolumes => self.destroy_both_volumes().await,
            Fault::OverwriteDatabase => self.overwrite_database().await,
            Fault::DeleteRows => self.delete_rows().await,
            Fault::StartEmpty => self.start_empty().await,
            Fault::StopBackups => self.stop_backups().await,
            Fault::DrainNode => self.drain_node().await,
            Fault::StopNode => self.stop_node().await,
            other => bail!("{}", Self::refusal(other).unwrap_or("not offered")),
        }
    }

    async fn relieve(&mut self, fault: Fault) -> Result<String> {
        match fault {
            Fault::DestroyRepository => {
                self.create_claim(&self.saved()?.repository).await?;
                Ok(format!("claim {REPOSITORY} is there, empty"))
            }
            other => bail!("there is no way to undo {other:?}"),
        }
    }

    async fn safety_copy(&mut self) -> Result<String> {
        // Taken since the drill began, and no fault that is offered here reaches it, or there is one elsewhere.
        let newest = self.recorder.look(|record| record.restore_points.last().map(|point| point.manifest.name.clone()));
        let newest = format!("{} in claim {REPOSITORY}", newest.context("there is no restore point")?);
        Ok(if self.conduct.offsite { format!("{newest}, {}", self.push_now().await?) } else { newest })
    }

    async fn fetch(&mut self) -> Result<String> {
        // Not by a Job of its own: the first consumer of the new volumes has to mount both.
        Ok("the restore Job fetches them before it restores".to_owned())
    }

    async fn bring_back(&mut self, safety_copy: &Path) -> Result<String> {
        self.add_rows_of(safety_copy).await
    }

    async fn ready(&mut self) -> Result<String> {
        let pod = self
            .wait("a pod of the service to be ready", async || {
                let pods = self.pods().await?;
                let is_new = |pod: &&Pod| pod.is_ready() && !self.killed.contains(&pod.metadata.uid);
                Ok(match pods.iter().find(is_new) {
                    Some(pod) => State::Reached(pod.clone()),
                    None => State::NotYet(format!("{} pods, none of them ready", pods.len())),
                })
            })
            .await?;
        let node = pod.spec.node_name.as_deref().unwrap_or("an unknown node");
        Ok(format!("pod {} on {node} is ready", pod.metadata.name))
    }

    async fn quiesce(&mut self) -> Result<()> {
        self.stop_everything().await
    }

    async fn replace_volume(&mut self) -> Result<()> {
        // Bound only once a pod uses it: there is nothing to wait for yet.
        self.create_claim(&self.saved()?.claim).await
    }

    fn protector(&self) -> Option<&str> {
        None
    }

    async fn try_out(&mut self) -> Result<Option<Manifest>> {
        Ok(None)
    }

    async fn restore(&mut self, lineage: &Lineage, manner: Manner) -> Result<Option<Restored>> {
        self.restore_in(manner, Some(lineage)).await.map(Some)
    }

    async fn start_service(&mut self) -> Result<()> {
        self.undo_revision().await?;
        self.scale(self.saved()?.replicas).await
    }

    async fn restored_by_itself(&mut self) -> Result<Option<Restored>> {
        self.restored_by_init_container().await.map(Some)
    }

    async fn resume_backups(&mut self) -> Result<()> {
        self.set_suspended(self.saved()?.suspended).await?;
        self.resume_pushes().await?;
        self.back_up_now().await
    }

    async fn placed(&self) -> Result<Vec<Placed>> {
        self.placed_volumes().await
    }

    async fn keep_logs(&self, report: &Path) -> Result<()> {
        let pods = format!("deployment/{DEPLOYMENT}");
        // Best kept as evidence, but no reason to fail: there may be no pod any more.
        let log = self.kubectl.call_once(&["logs", &pods, "--all-containers", "--ignore-errors", "--tail=1000"]).await;
        let log = log.unwrap_or_else(|error| format!("no log could be had: {error:#}\n"));
        durable::write(&report.join("app.log"), log.as_bytes()).context("cannot keep the service's log")
    }

    fn by_hand(&self) -> Vec<String> {
        self.commands_by_hand()
    }

    async fn clean_up(&mut self) -> Result<String> {
        let proven = self.put_right().await?;
        // Last: as long as it is there, `drill cleanup` can try again.
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.folder.display()))
            }
            _ => Ok(proven),
        }
    }
}
