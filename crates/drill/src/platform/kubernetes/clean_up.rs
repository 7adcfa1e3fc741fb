//! Puts the cluster right. A lost volume cannot be un-lost: cleaning up is finishing the recovery.

use anyhow::{Result, ensure};
use backup::lineage::Lineage;
use serde_json::Value;

use super::kubectl::State;
use super::objects::{Claim, CronJob, Deployment, Metadata, Namespace};
use super::{CRON_JOB, DATA, DEPLOYMENT, Kubernetes, LEASE, REPOSITORY, Saved};
use crate::platform::Manner;
use crate::witness::probe::Client;

/// What became of the volume with the database.
#[derive(Clone, Copy)]
enum Volume {
    /// It is the one of before the drill.
    Untouched,
    /// It is gone, or the drill has put a new one in its place.
    Lost,
    /// Others have made one of the same name since.
    OfOthers,
}

/// Whether an object is the one that was written down, as far as that was.
fn is_the_one(found: &Metadata, written: Option<&String>) -> bool {
    written.is_none_or(|written| *written == found.uid)
}

impl Kubernetes {
    /// From whatever state the drill left: volume there and holding a database, service up, backups on, no Job of the
    /// drill, no lease. Each step looks before it acts, so that it can be run again.
    pub(super) async fn put_right(&mut self) -> Result<String> {
        self.tasks.shutdown().await;
        let Some(saved) = self.saved.clone() else { return Ok("nothing was changed".to_owned()) };
        if self.namespace_is_gone(&saved).await? {
            self.give_back_the_nodes().await?;
            let (context, namespace) = (self.kubectl.context(), self.kubectl.namespace());
            return Ok(format!(
                "namespace {namespace} of context {context} was deleted since, and all that the drill knew with it; what may \
                 be there now is not the drill's and was left as it is"
            ));
        }
        let holder = self.lease_holder().await?;
        if holder.as_ref().is_some_and(|holder| *holder != self.run) {
            return Ok("nothing was changed: another drill holds the lease".to_owned());
        }
        // First of all: without it, nothing else may come about.
        self.give_back_the_nodes().await?;
        let proven = if self.deployment_is_gone(&saved).await? {
            self.delete_own_jobs().await?;
            format!(
                "deployment {DEPLOYMENT} was deleted since; what may be there now is not the drill's and was left as it is"
            )
        } else {
            self.put_service_right(saved).await?
        };
        self.tasks.shutdown().await;
        // Last of all: until then, another drill would meet a system in pieces.
        if holder.is_some() {
            self.kubectl.change(&["delete", "lease", LEASE, "--ignore-not-found"]).await?;
        }
        Ok(proven)
    }

    async fn put_service_right(&mut self, mut saved: Saved) -> Result<String> {
        self.undo_revision().await?;
        let volume = self.volume(&saved).await?;
        match (volume, saved.damage.clone()) {
            (Volume::Lost, _) => self.finish_the_recovery(&saved).await?,
            (Volume::Untouched, Some(damage)) => self.repair(damage, saved.lineage.as_ref()).await?,
            // Somebody else's data may be on it: nothing is restored over that.
            (Volume::OfOthers, _) => saved.lineage = None,
            (Volume::Untouched, None) => {}
        }
        self.scale_back(&saved).await?;
        if let Volume::Lost = volume {
            self.serve_what_was_lost(&saved).await?;
        }
        self.set_suspended(saved.suspended).await?;
        self.resume_pushes().await?;
        self.delete_own_jobs().await?;
        self.prove_whole(&saved).await?;
        Ok(match volume {
            Volume::OfOthers => format!(
                "service ready, backups on, nothing of the drill left; claim {DATA} was made anew by others since, and what is \
                 on it was left as it is"
            ),
            _ => "service ready with its data, backups on, nothing of the drill left".to_owned(),
        })
    }

    /// Nodes are in no namespace.
    async fn give_back_the_nodes(&mut self) -> Result<()> {
        self.start_node().await?;
        if let Some(node) = self.saved()?.cordoned.clone() {
            self.kubectl.change(&["uncordon", &node]).await?;
        }
        Ok(())
    }

    /// Whether the namespace was deleted since, or is being deleted, which nobody can undo.
    async fn namespace_is_gone(&self, saved: &Saved) -> Result<bool> {
        let found: Option<Namespace> = self.kubectl.get("namespace", &saved.namespace).await?;
        let is_it = |found: &Namespace| is_the_one(&found.metadata, saved.namespace_uid.as_ref());
        Ok(!found.is_some_and(|found| is_it(&found) && found.metadata.deletion_timestamp.is_none()))
    }

    async fn deployment_is_gone(&self, saved: &Saved) -> Result<bool> {
        let found: Option<Deployment> = self.kubectl.get("deployment", DEPLOYMENT).await?;
        Ok(!found.is_some_and(|found| is_the_one(&found.metadata, saved.deployment_uid.as_ref())))
    }

    async fn lease_holder(&self) -> Result<Option<String>> {
        let lease: Option<Value> = self.kubectl.get("lease", LEASE).await?;
        Ok(lease.map(|lease| lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()))
    }

    async fn volume(&self, saved: &Saved) -> Result<Volume> {
        let claim: Option<Claim> = self.kubectl.get("persistentvolumeclaim", DATA).await?;
        Ok(match claim.map(|claim| claim.metadata) {
            Some(claim) if saved.is_of_others(&claim) => Volume::OfOthers,
            Some(claim) if claim.uid == saved.claim_uid && claim.deletion_timestamp.is_none() => Volume::Untouched,
            _ => Volume::Lost,
        })
    }

    async fn finish_the_recovery(&mut self, saved: &Saved) -> Result<()> {
        let claim: Option<Claim> = self.kubectl.get("persistentvolumeclaim", DATA).await?;
        let dying = claim.as_ref().is_some_and(|claim| claim.metadata.deletion_timestamp.is_some());
        let served = claim.is_some() && !dying && self.pods().await?.iter().any(|pod| pod.is_ready());
        if served {
            // The service runs on the new volume; what it serves there is looked at next.
            return Ok(());
        }
        self.stop_everything().await?;
        self.renew(DATA, &saved.claim).await?;
        if saved.repository_lost {
            self.unused(REPOSITORY).await?;
            self.renew(REPOSITORY, &saved.repository).await?;
        }
        let mut arguments = vec!["restore", "--if-missing", "--json"];
        if let Some(lineage) = &saved.lineage {
            arguments.extend(["--lineage", lineage.as_str()]);
        }
        self.run_restore_job(&arguments).await.map(drop)
    }

    /// Makes sure that there is a claim, and not one that is about to go.
    async fn renew(&self, name: &str, fresh: &Value) -> Result<()> {
        let claim: Option<Claim> = self.kubectl.get("persistentvolumeclaim", name).await?;
        match claim {
            Some(claim) if claim.metadata.deletion_timestamp.is_none() => return Ok(()),
            Some(claim) => self.claim_gone(name, &claim.metadata.uid).await?,
            None => {}
        }
        self.create_claim(fresh).await
    }

    /// A service that is ready may serve an empty database: then the lost one is restored in its place. Before a
    /// lineage is remembered nothing is broken, and without one there is nothing to compare with.
    async fn serve_what_was_lost(&mut self, saved: &Saved) -> Result<()> {
        let Some(lost) = &saved.lineage else { return Ok(()) };
        let found = self.served_lineage(saved).await?;
        if found.as_ref() == Some(lost) {
            return Ok(());
        }
        let found = found.as_ref().map_or("none", Lineage::short);
        self.kubectl.note(&format!("the service serves lineage {found}, not the lost {}; restoring it", lost.short()));
        self.stop_everything().await?;
        self.restore_in(Manner::Replace, Some(lost)).await?;
        self.scale_back(saved).await
    }

    /// Reads back what was put right, and asks the service itself: an answer to a change is no evidence.
    async fn prove_whole(&mut self, saved: &Saved) -> Result<()> {
        let replicas = self.deployment().await?.spec.replicas;
        ensure!(replicas == saved.replicas, "{} replicas expected, found {replicas}", saved.replicas);
        let cron_job: CronJob = self.kubectl.must_get("cronjob", CRON_JOB).await?;
        let suspended = cron_job.spec.suspend;
        ensure!(
            suspended == saved.suspended,
            "cronjob {CRON_JOB}: suspend expected {}, found {suspended}",
            saved.suspended
        );
        let left = self.own_jobs().await?;
        ensure!(left.is_empty(), "no Job of the drill expected, found {}", left.join(", "));
        if let Some(expected) = &saved.lineage {
            let found = self.served_lineage(saved).await?;
            let shown = found.as_ref().map_or("none", Lineage::as_str);
            ensure!(found.as_ref() == Some(expected), "lineage {expected} expected at the service, found {shown}");
        }
        Ok(())
    }

    /// The lineage of the database that is served, once the service answers.
    async fn served_lineage(&mut self, saved: &Saved) -> Result<Option<Lineage>> {
        let client = Client::new(self.reach(&saved.access).await?)?;
        self.wait("an answer of the service", async || {
            Ok(match client.status().await {
                Ok(status) => State::Reached(status.lineage),
                Err(error) => State::NotYet(format!("GET /status: {error:#}")),
            })
        })
        .await
    }

    async fn scale_back(&self, saved: &Saved) -> Result<()> {
        self.scale(saved.replicas).await?;
        self.wait("the service to be available", async || {
            let deployment = self.deployment().await?;
            let seen = deployment.status.observed_generation >= deployment.metadata.generation;
            let available = deployment.status.available_replicas;
            Ok(if seen && available >= saved.replicas {
                State::Reached(())
            } else {
                State::NotYet(format!("{available} of {} replicas available", saved.replicas))
            })
        })
        .await
    }
}
