//! Both volumes lost, with restore points off the cluster (`k8s/components/offsite`).

use anyhow::{Context as _, Result, ensure};

use super::kubectl::result_in;
use super::{DATA, Kubernetes, PUSHES, REPOSITORY};
use crate::platform::pushed::Pushed;

impl Kubernetes {
    /// Pushes what is not off the cluster yet, at once.
    pub(super) async fn push_now(&mut self) -> Result<String> {
        // It pushes the newest: at least the one that is known by now.
        let newest = self.recorder.look(|record| record.restore_points.last().map(|point| point.manifest.sequence));
        let name = self.run_job_of("push", PUSHES).await?;
        // The CronJob would remove it as soon as one of its own has ended as well: its history is one long.
        let disown = r#"{"metadata":{"ownerReferences":null}}"#;
        self.kubectl.change(&["patch", "job", &name, "--patch", disown]).await?;
        self.finished(&name).await?;
        let log = self.kubectl.call(&["logs", &format!("job/{name}"), "--container=push"], None).await?;
        let pushed: Pushed =
            result_in(&log).with_context(|| format!("cannot understand what the push printed: {log}"))?;
        let restored = self.rehearse_the_fetch().await.context("cannot restore what is kept off the cluster")?;
        let (name, found) = (restored.restore_point.name, restored.restore_point.sequence);
        ensure!(
            newest <= Some(found),
            "the newest point that can be restored from off the cluster is {name}, number {found}"
        );
        self.recorder.add(|record| {
            record.elsewhere.extend(newest);
            record.remote_head = pushed.head();
        });
        Ok(format!("off the cluster too, from where {name} was restored to a scratch volume"))
    }

    pub(super) async fn destroy_both_volumes(&mut self) -> Result<String> {
        let checked = self.checked()?;
        let uids = [(DATA, checked.claim_uid.clone()), (REPOSITORY, checked.repository_uid.clone())];
        self.save(|saved| saved.repository_lost = true)?;
        // A push that starts later would be the first consumer of the new volume, and decide on its node.
        self.suspend(PUSHES, true).await?;
        self.stop_everything().await?;
        self.unused(REPOSITORY).await?;
        self.kubectl
            .change(&["delete", "persistentvolumeclaim", DATA, REPOSITORY, "--wait=false", "--ignore-not-found"])
            .await?;
        for (claim, uid) in &uids {
            self.claim_gone(claim, uid).await?;
        }
        let [(data, data_uid), (repository, repository_uid)] = uids;
        Ok(format!("claims {data} ({data_uid}) and {repository} ({repository_uid}) are gone"))
    }

    /// Lets restore points leave the cluster again, if they did.
    pub(super) async fn resume_pushes(&self) -> Result<()> {
        match self.saved()?.pushes_suspended {
            Some(suspended) => self.suspend(PUSHES, suspended).await,
            None => Ok(()),
        }
    }
}
