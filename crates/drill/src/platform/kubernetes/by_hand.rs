//! What a person types where the clean-up cannot be finished by the drill.

use super::{CRON_JOB, DATA, DEPLOYMENT, Kubernetes, LEASE, PUSHES, REPOSITORY};

impl Kubernetes {
    /// The commands, in order. Each may be run again, and one that finds nothing to do changes nothing.
    pub(super) fn commands_by_hand(&self) -> Vec<String> {
        let Some(saved) = &self.saved else { return Vec::new() };
        let kubectl = format!("kubectl --context {} --namespace {}", saved.context, saved.namespace);
        let suspend = |name, suspended| {
            format!("{kubectl} patch cronjob {name} --patch '{{\"spec\":{{\"suspend\":{suspended}}}}}'")
        };
        let apply = |claim| format!("{kubectl} apply --filename=k8s/base/{claim}.yaml");
        let replicas = saved.replicas;
        let mut commands: Vec<String> =
            saved.cordoned.iter().map(|node| format!("kubectl --context {} uncordon {node}", saved.context)).collect();
        let undo = |revision| format!("{kubectl} rollout undo deployment/{DEPLOYMENT} --to-revision={revision}");
        commands.splice(0..0, saved.stopped.iter().map(|stopped| stopped.start.clone()));
        commands.extend(saved.revision.iter().map(undo));
        commands.extend([
            suspend(CRON_JOB, true),
            format!("{kubectl} scale deployment {DEPLOYMENT} --replicas=0"),
            apply(DATA),
        ]);
        if saved.repository_lost {
            commands.push(apply(REPOSITORY));
            let secrets = "get secret offsite offsite-identity --ignore-not-found";
            commands.push(format!(
                "{kubectl} {secrets}   # where the restore points are; the second has the key, if they are encrypted"
            ));
        }
        if saved.damage.is_some() {
            let job = "k8s/restore-job.yaml";
            commands.push(format!(
                "{kubectl} create --filename={job}   # with the image of the service, args [restore, --latest, --force, --json]"
            ));
        }
        commands.extend([
            format!("{kubectl} scale deployment {DEPLOYMENT} --replicas={replicas}   # its init container restores"),
            format!("{kubectl} rollout status deployment {DEPLOYMENT}"),
            suspend(CRON_JOB, saved.suspended),
            format!("{kubectl} delete lease {LEASE} --ignore-not-found"),
        ]);
        commands.extend(saved.pushes_suspended.map(|suspended| suspend(PUSHES, suspended)));
        commands
    }
}
