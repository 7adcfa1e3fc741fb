//! What the account of a scheduled drill may do, asked of a real cluster.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::deploy;
use crate::kubectl::Target;

/// Deploys a copy beside, and tries as its account to reach a Secret in every way that its Role leaves open.
pub fn check(sh: &Shell, target: &Target, image: &str) -> Result<()> {
    let copy = Target { namespace: format!("{}-confined", target.namespace), ..target.clone() };
    deploy::deploy_overlay(sh, &copy, image, "scheduled-drill", None)?;
    let account = Account::of(&copy);
    for (verb, resource) in [("get", "secrets"), ("list", "secrets"), ("create", "pods"), ("update", "jobs")] {
        ensure!(!account.may(sh, verb, resource)?, "the account of the drill may {verb} {resource}");
    }
    ensure!(account.may(sh, "create", "jobs")?, "the account of the drill may not create Jobs");
    account.creates_jobs_without_secrets(sh)?;
    account.changes_no_cron_job(sh)?;
    account.runs_nothing_else(sh)?;
    copy.delete(sh, Duration::from_secs(120))
}

/// The account, by which each call is made.
struct Account {
    kubectl: Vec<String>,
    user: String,
}

impl Account {
    fn of(Target { context, namespace }: &Target) -> Self {
        let user = format!("system:serviceaccount:{namespace}:drill");
        let kubectl = ["--context", context, "--namespace", namespace, "--as", &user].map(str::to_owned).to_vec();
        Self { kubectl, user }
    }

    fn may(&self, sh: &Shell, verb: &str, resource: &str) -> Result<bool> {
        let kubectl = &self.kubectl;
        let answer = cmd!(sh, "kubectl {kubectl...} auth can-i {verb} {resource}").ignore_status().read()?;
        Ok(answer == "yes")
    }

    /// Makes a call that must be refused, for this reason; else the drill could do it.
    fn refused(&self, sh: &Shell, arguments: &[&str], input: &Value, reason: &str) -> Result<()> {
        let kubectl = &self.kubectl;
        let output =
            cmd!(sh, "kubectl {kubectl...} {arguments...}").stdin(input.to_string()).ignore_status().output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let user = &self.user;
        ensure!(
            !output.status.success() && said.contains(reason),
            "{user}: expected {reason:?}, found {said:?}: {input}"
        );
        Ok(())
    }

    fn creates_jobs_without_secrets(&self, sh: &Shell) -> Result<()> {
        let create = ["create", "--dry-run=server", "--filename=-"];
        let kubectl = &self.kubectl;
        cmd!(sh, "kubectl {kubectl...} {create...}").stdin(job(|_| {}).to_string()).run()?;
        let mounts = "mounts claims and scratch space, and nothing else";
        for volume in [
            json!({"name": "stolen", "secret": {"secretName": "offsite"}}),
            json!({"name": "stolen", "projected": {"sources": [{"secret": {"name": "offsite"}}]}}),
        ] {
            self.refused(sh, &create, &job(|pod| pod["volumes"] = json!([volume])), mounts)?;
        }
        let from = json!({"name": "STOLEN", "valueFrom": {"secretKeyRef": {"name": "offsite", "key": "a"}}});
        for (field, value) in [("envFrom", json!([{"secretRef": {"name": "offsite"}}])), ("env", json!([from]))] {
            let variables = "takes no variable from elsewhere";
            self.refused(sh, &create, &job(|pod| pod["containers"][0][field] = value.clone()), variables)?;
            let first = job(|pod| {
                pod["initContainers"] = pod["containers"].clone();
                pod["initContainers"][0]["name"] = json!("first");
                pod["initContainers"][0][field] = value.clone();
            });
            self.refused(sh, &create, &first, variables)?;
        }
        self.refused(sh, &create, &job(|pod| pod["serviceAccountName"] = json!("drill")), "runs as no other account")
    }

    fn changes_no_cron_job(&self, sh: &Shell) -> Result<()> {
        let kubectl = &self.kubectl;
        let patch = ["patch", "cronjob", "sqlite-backup", "--dry-run=server", "--patch"];
        let suspend = json!({"spec": {"suspend": true}}).to_string();
        cmd!(sh, "kubectl {kubectl...} {patch...} {suspend}").run()?;
        let stolen = json!({"name": "backup", "envFrom": [{"secretRef": {"name": "offsite"}}]});
        let stolen = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [stolen]}}}}}});
        let stolen = stolen.to_string();
        self.refused(sh, &[&patch[..], &[&stolen]].concat(), &Value::Null, "not change what it runs")
    }

    fn runs_nothing_else(&self, sh: &Shell) -> Result<()> {
        let kubectl = &self.kubectl;
        cmd!(sh, "kubectl {kubectl...} exec deployment/app -- /bin/backup list --json").ignore_stdout().run()?;
        let other = ["exec", "deployment/app", "--", "/bin/backup", "list"];
        self.refused(sh, &other, &Value::Null, "runs nothing else")
    }
}

/// A Job as the drill creates it, changed.
fn job(change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "restartPolicy": "Never",
        "containers": [{"name": "restore", "image": "pra/app", "env": [{"name": "BACKUP_DIR", "value": "/backup"}]}],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "pra-data"}},
            {"name": "tmp", "emptyDir": {}},
        ],
    });
    change(&mut pod);
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "tried"}, "spec": {"template": {"spec": pod}}})
}
