//! How things are broken on a cluster, volumes and nodes aside.

use anyhow::{Result, ensure};

use super::kubectl::State;
use super::objects::{Job, Pod};
use super::{CRON_JOB, Kubernetes, REPOSITORY};

impl Kubernetes {
    pub(super) async fn kill_service(&mut self) -> Result<String> {
        let pods: Vec<Pod> = self.pods().await?.into_iter().filter(Pod::is_ready).collect();
        ensure!(!pods.is_empty(), "no pod of the service is ready: there is nothing to kill");
        let names: Vec<String> = pods.iter().map(|pod| pod.metadata.name.clone()).collect();
        self.killed = pods.into_iter().map(|pod| pod.metadata.uid).collect();
        let mut arguments = vec!["delete", "pod", "--wait=false", "--ignore-not-found"];
        if self.conduct.no_grace {
            arguments.extend(["--force", "--grace-period=0"]);
        }
        arguments.extend(names.iter().map(String::as_str));
        self.kubectl.change(&arguments).await?;
        self.wait("the killed pod to be gone", async || {
            let left: Vec<String> = self.pods().await?.into_iter().map(|pod| pod.metadata.uid).collect();
            let still = left.iter().filter(|uid| self.killed.contains(*uid)).count();
            Ok(if still == 0 { State::Reached(()) } else { State::NotYet(format!("{still} still there")) })
        })
        .await?;
        Ok(format!("pod {} is gone", names.join(", ")))
    }

    /// Suspends the CronJob and waits for the backup that may be under way.
    pub(super) async fn stop_backups(&self) -> Result<String> {
        self.set_suspended(true).await?;
        self.wait("the last backup to end", async || {
            let jobs: Vec<Job> = self.kubectl.list("jobs", None).await?;
            let running = jobs.iter().find(|job| {
                let ended = job.status.succeeded > 0 || job.status.failed > 0;
                job.spec.template.spec.mounts(REPOSITORY) && !ended
            });
            Ok(running.map_or(State::Reached(()), |job| State::NotYet(format!("job {} runs", job.metadata.name))))
        })
        .await?;
        Ok(format!("cronjob {CRON_JOB} is suspended, and no backup runs"))
    }
}
