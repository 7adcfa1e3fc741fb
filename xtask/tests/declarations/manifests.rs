//! The manifests: rendered, validated, and held to what is said of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{done, root, tool};

/// The oldest and the newest Kubernetes whose schemas the manifests must fit.
const KUBERNETES: [&str; 2] = ["1.31", "1.36"];

/// The templates of a restore.
const RESTORE_JOBS: [&str; 2] = ["k8s/restore-job.yaml", "k8s/restore-job-offsite.yaml"];

/// What is deployed as it is: every overlay, what they are made over, and what prunes elsewhere.
fn deployed() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(root().join("k8s/overlays")).unwrap().map(|overlay| overlay.unwrap().path()).collect();
    found.sort();
    assert!(!found.is_empty());
    found.extend(["k8s/base", "k8s/offsite-prune"].map(|path| root().join(path)));
    found
}

/// The objects of a kustomization, rendered, each as text; `None` without kubectl.
fn objects(path: impl AsRef<Path>) -> Option<Vec<String>> {
    let rendered = done(tool("kubectl")?.arg("kustomize").arg(path.as_ref()));
    Some(rendered.split("\n---\n").map(str::to_owned).collect())
}

/// The one of a kind and a name.
fn object<'a>(objects: &'a [String], kind: &str, name: &str) -> &'a str {
    let is_it = |object: &&String| {
        let has = |line: &str| object.lines().any(|found| found == line);
        has(&format!("kind: {kind}")) && has(&format!("  name: {name}"))
    };
    objects.iter().find(is_it).unwrap_or_else(|| panic!("{kind} {name} is missing"))
}

#[test]
fn every_overlay_is_rendered_and_fits_the_schemas_of_kubernetes() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for overlay in deployed() {
        let Some(objects) = objects(&overlay) else { return };
        let rendered = objects.join("\n---\n");
        for image in rendered.lines().filter_map(|line| line.trim().strip_prefix("image: ")) {
            let ours = ["pra/app:", "pra/drill:"].map(|name| name.to_owned() + env!("CARGO_PKG_VERSION"));
            assert!(ours.iter().any(|name| name == image), "{image} in {}", overlay.display());
        }
        assert!(!rendered.contains("\nkind: Job\n"), "a restore is never deployed: {}", overlay.display());
        let file = directory.path().join("rendered.yaml");
        fs::write(&file, rendered).unwrap();
        for version in KUBERNETES {
            let Some(mut validate) = tool("kubernetes-validate") else { return };
            done(validate.args(["--strict", "--kubernetes-version", version]).arg(&file).args(RESTORE_JOBS));
        }
    }
}

#[test]
fn a_restore_with_a_remote_repository_is_a_restore_with_a_pull_before() {
    let [plain, offsite] = RESTORE_JOBS.map(|file| fs::read_to_string(root().join(file)).unwrap());
    let mut lines = offsite.lines();
    for line in plain.lines().filter(|line| !line.trim_start().starts_with('#')) {
        assert!(lines.any(|other| other == line), "{line:?} is missing, or not in its place");
    }
    assert!(offsite.contains("args: [pull, --if-missing"));
}

#[test]
fn only_what_talks_to_the_remote_store_may_leave_the_cluster() {
    let Some(objects) = objects("k8s/overlays/offsite") else { return };
    for object in &objects {
        let (speaks, may) = (object.contains("secretRef:"), object.contains("pra.dev/offsite: allowed"));
        let is_policy = object.contains("kind: NetworkPolicy") && object.contains("  name: offsite\n");
        assert_eq!(speaks || is_policy, may, "{object}");
    }
    assert!(!objects.join("\n").contains("kind: Secret"), "credentials are never deployed from here");
}

/// What whoever pushes may do is not what whoever fetches may do, and nobody beside the service may delete.
#[test]
fn each_pod_gets_the_secrets_of_what_it_does_and_no_others() {
    let Some(objects) = objects("k8s/overlays/offsite") else { return };
    let fetch = fs::read_to_string(root().join(RESTORE_JOBS[1])).unwrap();
    let has = |object: &str, secret: &str| {
        let named = ["name: ", "secretName: "].map(|key| format!("{key}{secret}"));
        object.lines().any(|line| named.iter().any(|name| line.trim().trim_start_matches("- ") == name))
    };
    let secrets = ["offsite", "offsite-push", "offsite-sign", "offsite-identity", "offsite-prune"];
    for (pod, expected) in [
        (object(&objects, "Deployment", "app"), [true, false, false, true, false]),
        (object(&objects, "CronJob", "sqlite-offsite"), [true, true, true, false, false]),
        (object(&objects, "CronJob", "sqlite-backup"), [false; 5]),
        (fetch.as_str(), [true, false, false, true, false]),
    ] {
        assert_eq!(secrets.map(|secret| has(pod, secret)), expected, "{pod}");
        assert!(!pod.contains("prune"), "{pod}");
        // Readable by the group that the volume is given to, and nobody else.
        assert_eq!(pod.matches("secretName: ").count(), pod.matches("defaultMode: ").count(), "{pod}");
    }
    let pushes = object(&objects, "CronJob", "sqlite-offsite");
    assert!(pushes.contains("- name: BACKUP_IDENTITY\n              value: \"\""), "{pushes}");
}

#[test]
fn every_pod_is_restricted_and_none_has_a_token_that_it_does_not_need() {
    let mut pods: Vec<String> = Vec::new();
    for path in deployed() {
        let Some(objects) = objects(&path) else { return };
        pods.extend(objects.into_iter().filter(|object| object.contains("  containers:\n")));
    }
    pods.extend(RESTORE_JOBS.map(|job| fs::read_to_string(root().join(job)).unwrap()));
    for pod in pods {
        let count = |text: &str| pod.matches(text).count();
        let containers = count("image: pra/");
        for wanted in ["allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true", "drop:"] {
            assert_eq!(count(wanted), containers, "{wanted} in {pod}");
        }
        assert_eq!((count("runAsNonRoot: true"), count("type: RuntimeDefault")), (1, 1), "{pod}");
        let calls_the_cluster = pod.contains("serviceAccountName: drill");
        assert_eq!(count("automountServiceAccountToken: false"), usize::from(!calls_the_cluster), "{pod}");
        for granted in ["hostPath:", "hostNetwork:", "privileged:", "add:", "hostPort:"] {
            assert_eq!(count(granted), 0, "{granted} in {pod}");
        }
    }
}

#[test]
fn what_production_deploys_is_not_there_to_be_destroyed() {
    let label = "pra.dev/drill: allowed";
    for (path, expected) in
        [("base", false), ("offsite-prune", false), ("overlays/k3d", true), ("overlays/scheduled-drill", true)]
    {
        let Some(objects) = objects(format!("k8s/{path}")) else { return };
        assert_eq!(objects.iter().any(|object| object.contains(label)), expected, "{path}");
    }
}

/// A Role cannot say what is in a Job: `admission.yaml` does, and is bound.
#[test]
fn the_account_of_the_drill_has_no_verb_for_a_secret_and_a_policy_for_the_rest() {
    let Some(objects) = objects("k8s/overlays/scheduled-drill") else { return };
    let role = object(&objects, "Role", "drill");
    assert!(
        !role.contains("secrets") && !role.contains("'*'") && !role.contains("pods\n    verbs:\n    - create"),
        "{role}"
    );
    for policy in ["pra-drill-jobs", "pra-drill-cronjobs", "pra-drill-exec"] {
        assert!(object(&objects, "ValidatingAdmissionPolicy", policy).contains("failurePolicy: Fail"));
        assert!(object(&objects, "ValidatingAdmissionPolicyBinding", policy).contains("- Deny"));
    }
}
