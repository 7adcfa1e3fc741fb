//! The volume: who uses it, how everyone is made to leave it, how it is destroyed.

use anyhow::Result;
use serde_json::Value;

use super::kubectl::State;
use super::objects::{Claim, CronJob, Job, Pod};
use super::saved::owned_claim;
use super::{CRON_JOB, DATA, DEPLOYMENT, Kubernetes, REPOSITORY};

impl Kubernetes {
    /// Suspends the backups, stops the service, deletes the Jobs, and waits until no pod uses the volume. A deleted
    /// claim waits for every pod object that names it, those of completed Jobs too.
    pub(super) async fn stop_everything(&self) -> Result<()> {
        self.set_suspended(true).await?;
        self.scale(0).await?;
        self.delete_jobs().await?;
        self.unused(DATA).await
    }

    /// Waits until no pod mounts a claim.
    pub(super) async fn unused(&self, claim: &str) -> Result<()> {
        self.wait(&format!("every pod that uses {claim} to be gone"), async || {
            let pods: Vec<Pod> = self.kubectl.list("pods", None).await?;
            let users: Vec<&str> = users(&pods, claim).collect();
            Ok(if users.is_empty() { State::Reached(()) } else { State::NotYet(users.join(", ")) })
        })
        .await
    }

    pub(super) async fn scale(&self, replicas: i32) -> Result<()> {
        if self.deployment().await?.spec.replicas == replicas {
            return Ok(());
        }
        let replicas = format!("--replicas={replicas}");
        self.kubectl.change(&["scale", "deployment", DEPLOYMENT, &replicas]).await.map(drop)
    }

    pub(super) async fn set_suspended(&self, suspended: bool) -> Result<()> {
        self.suspend(CRON_JOB, suspended).await
    }

    pub(super) async fn suspend(&self, name: &str, suspended: bool) -> Result<()> {
        let cron_job: CronJob = self.kubectl.must_get("cronjob", name).await?;
        if cron_job.spec.suspend == suspended {
            return Ok(());
        }
        let patch = format!("{{\"spec\":{{\"suspend\":{suspended}}}}}");
        self.kubectl.change(&["patch", "cronjob", name, "--patch", &patch]).await.map(drop)
    }

    /// Deletes the Jobs whose pods mount one of the volumes.
    pub(super) async fn delete_jobs(&self) -> Result<()> {
        let jobs: Vec<Job> = self.kubectl.list("jobs", None).await?;
        let ours = jobs.iter().filter(|job| {
            let pods = &job.spec.template.spec;
            pods.mounts(DATA) || pods.mounts(REPOSITORY)
        });
        let names: Vec<&str> = ours.map(|job| job.metadata.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let arguments: Vec<&str> =
            ["delete", "job", "--wait=false", "--ignore-not-found"].into_iter().chain(names).collect();
        self.kubectl.change(&arguments).await.map(drop)
    }

    pub(super) async fn destroy_volume(&mut self) -> Result<String> {
        let uid = self.checked()?.claim_uid.clone();
        if self.conduct.brutal {
            // Writers and backups go on: the claim stays until its last user is gone, so its users are killed.
            self.kubectl
                .change(&["delete", "persistentvolumeclaim", DATA, "--wait=false", "--ignore-not-found"])
                .await?;
            self.scale(0).await?;
            self.kill_users().await?;
        } else {
            self.stop_everything().await?;
            self.kubectl
                .change(&["delete", "persistentvolumeclaim", DATA, "--wait=false", "--ignore-not-found"])
                .await?;
        }
        self.claim_gone(DATA, &uid).await?;
        if self.conduct.brutal {
            // A pod that is killed is gone from the API at once. On its node it acknowledges until its files are gone too.
            self.files_gone().await?;
        }
        Ok(format!("claim {DATA} ({uid}) is gone"))
    }

    /// Waits until what was on the volume is deleted, if the cluster deletes it: then the volume's own object goes as well.
    async fn files_gone(&self) -> Result<()> {
        let name = &self.checked()?.volume;
        self.wait("the files on the volume to be gone", async || {
            let volume: Option<Value> = self.kubectl.get("persistentvolume", name).await?;
            let kept = |volume: &Value| volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete";
            Ok(if volume.as_ref().is_none_or(kept) {
                State::Reached(())
            } else {
                State::NotYet("still there".to_owned())
            })
        })
        .await
    }

    /// Waits until the claim with this UID is gone.
    pub(super) async fn claim_gone(&self, name: &str, uid: &str) -> Result<()> {
        self.wait(&format!("claim {name} to be gone"), async || {
            let claim: Option<Claim> = self.kubectl.get("persistentvolumeclaim", name).await?;
            Ok(match claim.filter(|claim| claim.metadata.uid == uid) {
                None => State::Reached(()),
                Some(claim) if claim.metadata.deletion_timestamp.is_some() => State::NotYet("being deleted".to_owned()),
                Some(claim) => State::NotYet(claim.status.phase),
            })
        })
        .await
    }

    /// Creates a claim that is known as the drill's own.
    pub(super) async fn create_claim(&self, fresh: &Value) -> Result<()> {
        self.kubectl.create(&owned_claim(fresh, &self.run)).await
    }

    async fn kill_users(&self) -> Result<()> {
        self.wait("the last user of the volume to be killed", async || {
            let pods: Vec<Pod> = self.kubectl.list("pods", None).await?;
            let users: Vec<&str> = users(&pods, DATA).collect();
            if users.is_empty() {
                return Ok(State::Reached(()));
            }
            let kill = ["delete", "pod", "--force", "--grace-period=0", "--wait=false", "--ignore-not-found"];
            let arguments: Vec<&str> = kill.into_iter().chain(users.iter().copied()).collect();
            self.kubectl.change(&arguments).await?;
            Ok(State::NotYet(users.join(", ")))
        })
        .await
    }

    /// Who keeps a claim that is being deleted.
    pub(super) async fn held_claim(&self, pods: &[Pod]) -> Result<Option<String>> {
        let claim: Option<Claim> = self.kubectl.get("persistentvolumeclaim", DATA).await?;
        let deleted = claim.is_some_and(|claim| claim.metadata.deletion_timestamp.is_some());
        let users: Vec<&str> = users(pods, DATA).collect();
        Ok((deleted && !users.is_empty()).then(|| format!("claim {DATA} is held by pod {}", users.join(", "))))
    }
}

fn users<'a>(pods: &'a [Pod], claim: &str) -> impl Iterator<Item = &'a str> {
    pods.iter().filter(|pod| pod.spec.mounts(claim)).map(|pod| pod.metadata.name.as_str())
}
