//! The Jobs of a drill: a backup now, a restore, a change of content.

use anyhow::{Context, Result, bail};
use backup::Restored;
use serde_json::{Value, json};

use super::kubectl::{State, result_in};
use super::objects::Job;
use super::{CRON_JOB, DEPLOYMENT, Kubernetes, RUN_LABEL, watch};

/// The Job that restores, as it is kept beside the other manifests. `deploy` does not apply it.
const RESTORE_JOB: &str = include_str!("../../../../../k8s/restore-job.yaml");

/// The same where the restore points are to be fetched first.
const FETCH_JOB: &str = include_str!("../../../../../k8s/restore-job-offsite.yaml");

/// The container of both that restores.
const CONTAINER: &str = "--container=restore";

impl Kubernetes {
    /// The program `backup` in the image.
    pub(super) fn program(&self) -> Result<String> {
        Ok(self.checked()?.program.clone())
    }

    /// Runs the CronJob's Job once, at once.
    pub(super) async fn back_up_now(&mut self) -> Result<()> {
        let name = self.run_job_of("backup", CRON_JOB).await?;
        self.tasks.spawn(watch::follow(self.kubectl.clone(), name, self.recorder.clone()));
        Ok(())
    }

    /// Begins a CronJob's Job once, at once, and gives its name.
    pub(super) async fn run_job_of(&mut self, purpose: &str, cron_job: &str) -> Result<String> {
        let name = self.job_name(purpose);
        self.kubectl.change(&["create", "job", &name, &format!("--from=cronjob/{cron_job}")]).await?;
        Ok(name)
    }

    /// Restores in a Job of its own: the first consumer of the new volume mounts the repository too, which brings
    /// both to the same node.
    pub(super) async fn restore_by_job(&mut self, arguments: &[&str]) -> Result<Restored> {
        let log = self.run_restore_job(arguments).await?;
        result_in(&log).with_context(|| format!("cannot understand what the restore printed: {log}"))
    }

    /// Runs the restore Job to its end and gives its log. Where the restore points are lost too, it fetches them first.
    pub(super) async fn run_restore_job(&mut self, arguments: &[&str]) -> Result<String> {
        let template = if self.saved()?.repository_lost { FETCH_JOB } else { RESTORE_JOB };
        let job = self.restore_job("restore", template, arguments).await?;
        self.run_to_its_end(&job).await
    }

    /// Goes the way back from off the cluster, to volumes that go with the Job: whatever is missing for it, such as a key, is
    /// missing before anything is destroyed.
    pub(super) async fn rehearse_the_fetch(&mut self) -> Result<Restored> {
        let mut job = self.restore_job("rehearsal", FETCH_JOB, &["restore", "--latest", "--json"]).await?;
        for volume in job["spec"]["template"]["spec"]["volumes"].as_array_mut().into_iter().flatten() {
            if let Some(volume) = volume.as_object_mut()
                && volume.remove("persistentVolumeClaim").is_some()
            {
                volume.insert("emptyDir".to_owned(), json!({}));
            }
        }
        let log = self.run_to_its_end(&job).await?;
        result_in(&log).with_context(|| format!("cannot understand what the restore printed: {log}"))
    }

    async fn restore_job(&mut self, purpose: &str, template: &str, arguments: &[&str]) -> Result<Value> {
        let image = self.image().await?;
        let lineage = self.saved()?.lineage.clone();
        let mut job = self.job(purpose, template).await?;
        let pod = &mut job["spec"]["template"]["spec"];
        // By `get_mut`: an index would add what is not there.
        if let Some(fetch) = pod.get_mut("initContainers").and_then(|containers| containers.get_mut(0)) {
            fetch["image"] = json!(image);
            let fixed = fetch["args"].as_array().into_iter().flatten().cloned();
            let lineage = lineage.iter().flat_map(|lineage| [json!("--lineage"), json!(lineage)]);
            fetch["args"] = fixed.chain(lineage).collect();
        }
        let restore = &mut pod["containers"][0];
        restore["image"] = json!(image);
        restore["args"] = json!(arguments);
        Ok(job)
    }

    /// Changes content in a Job, with the program of the drill itself, and gives what it said.
    pub(super) async fn run_content_job(&mut self, arguments: &[&str]) -> Result<String> {
        let image = self.drill_image().await?;
        let mut job = self.job("content", RESTORE_JOB).await?;
        let container = &mut job["spec"]["template"]["spec"]["containers"][0];
        container["image"] = json!(image);
        container["command"] = json!(["/bin/drill"]);
        container["args"] = ["content"].iter().chain(arguments).copied().collect();
        Ok(self.run_to_its_end(&job).await?.trim().to_owned())
    }

    async fn run_to_its_end(&mut self, job: &Value) -> Result<String> {
        self.kubectl.create(job).await?;
        let name = job["metadata"]["name"].as_str().context("a Job without a name")?;
        self.finished(name).await?;
        self.kubectl.call(&["logs", &format!("job/{name}"), CONTAINER], None).await
    }

    /// What the init container of the service restored.
    pub(super) async fn restored_by_init_container(&self) -> Result<Restored> {
        let pods = self.pods().await?;
        let pod = pods.iter().find(|pod| pod.is_ready()).context("no pod of the service is ready")?;
        let name = &pod.metadata.name;
        let log = self.kubectl.call(&["logs", name, "--container=restore"], None).await?;
        result_in(&log).with_context(|| format!("the init container of pod {name} restored nothing: {log}"))
    }

    /// The image of the service.
    async fn image(&self) -> Result<String> {
        let containers = self.deployment().await?.spec.template.spec.containers;
        let image = containers.into_iter().next().map(|container| container.image);
        image.with_context(|| format!("deployment {DEPLOYMENT} has no container"))
    }

    /// The image of the drill: what was given, or that beside the service's, of the same version.
    async fn drill_image(&self) -> Result<String> {
        if let Some(image) = &self.saved()?.drill_image {
            return Ok(image.clone());
        }
        let image = self.image().await?;
        beside(&image).with_context(|| {
            format!(
                "the image of the service is {image}, which does not tell that of the drill; give it: --drill-image"
            )
        })
    }

    /// A Job of this run's from a template.
    async fn job(&mut self, purpose: &str, template: &str) -> Result<Value> {
        // kubectl reads YAML, so that nobody else has to.
        let convert = ["create", "--dry-run=client", "--output=json", "--filename=-"];
        let json = self.kubectl.call(&convert, Some(template.to_owned())).await?;
        let mut job: Value = serde_json::from_str(&json).context("cannot understand the restore Job")?;
        let run = self.run.to_lowercase();
        job["metadata"]["name"] = json!(self.job_name(purpose));
        job["metadata"]["namespace"] = json!(self.kubectl.namespace());
        job["metadata"]["labels"][RUN_LABEL] = json!(run);
        job["spec"]["template"]["metadata"]["labels"][RUN_LABEL] = json!(run);
        Ok(job)
    }

    pub(super) async fn finished(&self, name: &str) -> Result<()> {
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
            // A container that never came to its turn has no log.
            let all = ["logs", &format!("job/{name}"), "--all-containers", "--ignore-errors"];
            let log = self.kubectl.call(&all, None).await?;
            let said: Vec<&str> = log.lines().filter(|line| !line.starts_with("error: container ")).collect();
            bail!("job {name} failed: {}", said.join("\n").trim());
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

/// The image of the drill beside that of the service: `…/app:1` is `…/drill:1`.
fn beside(image: &str) -> Option<String> {
    let (name, tag) = image.rsplit_once(':').filter(|(name, _)| !name.contains('@'))?;
    let folder = name.strip_suffix("app").filter(|folder| folder.is_empty() || folder.ends_with('/'))?;
    Some(format!("{folder}drill:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_the_drill_is_beside_that_of_the_service() {
        for (image, expected) in [
            ("pra/app:0.1.0", Some("pra/drill:0.1.0")),
            ("registry:5000/pra/app:1", Some("registry:5000/pra/drill:1")),
            ("app:1", Some("drill:1")),
            ("pra/webapp:1", None),
            ("pra/app", None),
            ("pra/app@sha256:00", None),
        ] {
            assert_eq!(beside(image).as_deref(), expected, "{image}");
        }
    }

    #[test]
    fn a_result_is_found_among_log_lines() {
        let log = "INFO restoring\n{\n  \"a\": {\n  }\n}\nINFO done\n";
        // Found, and then not a result of a restore.
        assert!(result_in::<Restored>(log).unwrap_err().to_string().contains("missing field"));
        assert_eq!(result_in::<Restored>("nothing\n").unwrap_err().to_string(), "no result");
    }
}
