//! What a person types where the clean-up cannot be finished by the drill.

use super::{CRON_JOB, DATA, DEPLOYMENT, Kubernetes, LEASE};

impl Kubernetes {
    /// The commands, in order. Each may be run again, and one that finds nothing to do changes nothing.
    pub(super) fn commands_by_hand(&self) -> Vec<String> {
        let Some(saved) = &self.saved else { return Vec::new() };
        let kubectl = format!("kubectl --context {} --namespace {}", saved.context, saved.namespace);
        let suspend = |suspended| {
            format!("{kubectl} patch cronjob {CRON_JOB} --patch '{{\"spec\":{{\"suspend\":{suspended}}}}}'")
        };
        let replicas = saved.replicas;
        let mut commands: Vec<String> =
            saved.cordoned.iter().map(|node| format!("kubectl --context {} uncordon {node}", saved.context)).collect();
        commands.extend([
            suspend(true),
            format!("{kubectl} scale deployment {DEPLOYMENT} --replicas=0"),
            format!("{kubectl} apply --filename=k8s/base/{DATA}.yaml"),
            format!("{kubectl} scale deployment {DEPLOYMENT} --replicas={replicas}   # its init container restores"),
            format!("{kubectl} rollout status deployment {DEPLOYMENT}"),
            suspend(saved.suspended),
            format!("{kubectl} delete lease {LEASE} --ignore-not-found"),
        ]);
        commands
    }
}
