//! The Jobs of a drill: a backup now, and a restore.

use anyhow::{Context, Result, bail};
use backup::Restored;
use serde_json::{Value, json};

use super::kubectl::State;
use super::objects::Job;
use super::{CRON_JOB, DEPLOYMENT, Kubernetes, RUN_LABEL};

/// The Job that restores, as it is kept beside the other manifests. `deploy` does not apply it.
const RESTORE_JOB: &str = include_str!("../../../../../k8s/restore-job.yaml");

impl Kubernetes {
    /// The program `backup` in the image.
    pub(super) fn program(&self) -> Result<String> {
        Ok(self.checked()?.program.clone())
    }

    /// Runs the CronJob's Job once, at once.
    pub(super) async fn back_up_now(&mut self) -> Result<()> {
        let name = self.job_name("backup");
        self.kubectl.change(&["create", "job", &name, &format!("--from=cronjob/{CRON_JOB}")]).await.map(drop)
    }

    /// Restores in a Job of its own: the first consumer of the new volume mounts the repository too, which brings
    /// both to the same node.
    pub(super) async fn restore_by_job(&mut self, arguments: &[&str]) -> Result<Restored> {
        let log = self.run_restore_job(arguments).await?;
        restored(&log).with_context(|| format!("cannot understand what the restore printed: {log}"))
    }

    /// Runs the restore Job to its end and gives its log.
    pub(super) async fn run_restore_job(&mut self, arguments: &[&str]) -> Result<String> {
        let name = self.job_name("restore");
        let job = self.restore_job(&name, arguments).await?;
        self.kubectl.create(&job).await?;
        self.finished(&name).await?;
        self.kubectl.call(&["logs", &format!("job/{name}")], None).await
    }

    /// What the init container of the service restored.
    pub(super) async fn restored_by_init_container(&self) -> Result<Restored> {
        let pods = self.pods().await?;
        let pod = pods.iter().find(|pod| pod.is_ready()).context("no pod of the service is ready")?;
        let name = &pod.metadata.name;
        let log = self.kubectl.call(&["logs", name, "--container=restore"], None).await?;
        restored(&log).with_context(|| format!("the init container of pod {name} restored nothing: {log}"))
    }

    async fn restore_job(&self, name: &str, arguments: &[&str]) -> Result<Value> {
        // kubectl reads YAML, so that nobody else has to.
        let convert = ["create", "--dry-run=client", "--output=json", "--filename=-"];
        let json = self.kubectl.call(&convert, Some(RESTORE_JOB.to_owned())).await?;
        let mut job: Value = serde_json::from_str(&json).context("cannot understand the restore Job")?;
        let run = self.run.to_lowercase();
        job["metadata"]["name"] = json!(name);
        job["metadata"]["namespace"] = json!(self.kubectl.namespace());
        job["metadata"]["labels"][RUN_LABEL] = json!(run);
        job["spec"]["template"]["metadata"]["labels"][RUN_LABEL] = json!(run);
        let deployment = self.deployment().await?;
        let image = deployment.spec.template.spec.containers.into_iter().next().map(|container| container.image);
        let container = &mut job["spec"]["template"]["spec"]["containers"][0];
        container["image"] = json!(image.with_context(|| format!("deployment {DEPLOYMENT} has no container"))?);
        container["args"] = json!(arguments);
        Ok(job)
    }

    async fn finished(&self, name: &str) -> Result<()> {
        let failed = self
            .wait(&format!("job {name} to end"), async || {
                let job: Job = self.kubectl.must_get("job", name).await?;
                Ok(match (job.status.succeeded, job.status.failed) {
                    (0, 0) => State::NotYet("neither succeeded nor failed".to_owned()),
                    (0, _) => State::Reached(true),
                    _ => State::Reached(false),
                })
            })
            .await?;
        if failed {
            let log = self.kubectl.call(&["logs", &format!("job/{name}")], None).await?;
            bail!("job {name} failed: {}", log.trim());
        }
        Ok(())
    }

    /// Never the same name twice: a Job that is complete is not run again.
    fn job_name(&mut self, purpose: &str) -> String {
        self.jobs += 1;
        format!("drill-{purpose}-{}-{}", self.run_in_names(), self.jobs)
    }

    /// Deletes the Jobs that this run created.
    pub(super) async fn delete_own_jobs(&self) -> Result<()> {
        let own = self.own_jobs().await?;
        if own.is_empty() {
            return Ok(());
        }
        let names = own.iter().map(String::as_str);
        let arguments: Vec<&str> = ["delete", "job", "--ignore-not-found"].into_iter().chain(names).collect();
        self.kubectl.change(&arguments).await.map(drop)
    }

    /// They are known by their names: one that is made from the CronJob gets no label of ours in the same call, and the
    /// drill may be stopped before the next.
    pub(super) async fn own_jobs(&self) -> Result<Vec<String>> {
        let jobs: Vec<Job> = self.kubectl.list("jobs", None).await?;
        let run = format!("-{}-", self.run_in_names());
        let names = jobs.into_iter().map(|job| job.metadata.name);
        Ok(names.filter(|name| name.starts_with("drill-") && name.contains(&run)).collect())
    }

    fn run_in_names(&self) -> String {
        self.run.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

/// The result among the lines of a log, where stdout and stderr are mixed.
fn restored(log: &str) -> Result<Restored> {
    let lines: Vec<&str> = log.lines().skip_while(|line| *line != "{").collect();
    let end = lines.iter().position(|line| *line == "}").context("no result")?;
    Ok(serde_json::from_str(&lines[..=end].join("\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_found_among_log_lines() {
        let log = "INFO restoring\n{\n  \"a\": {\n  }\n}\nINFO done\n";
        // Found, and then not a result of a restore.
        assert!(restored(log).unwrap_err().to_string().contains("missing field"));
        assert_eq!(restored("nothing\n").unwrap_err().to_string(), "no result");
    }
}
