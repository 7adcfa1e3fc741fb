//! Restore points without room: a volume in memory that is too small, in the place of theirs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{kubectl, namespace, on_the_cluster, whole};
use crate::support::{Place, assert_exit};

/// What the service answers, through the API server.
fn answer(path: &str) -> String {
    kubectl(&["get", "--raw", &format!("/api/v1/namespaces/{}/services/app:80/proxy{path}", namespace())])
}

/// The volume of the restore points in a kind of pods, replaced for as long as this lives.
struct TooSmall {
    object: &'static str,
    path: String,
}

impl TooSmall {
    fn volume(object: &'static str, pod: &str) -> Self {
        let names =
            kubectl(&["get", object, &format!("--output=jsonpath={{{}.volumes[*].name}}", pod.replace('/', "."))]);
        let index = names.split_whitespace().position(|name| name == "backup").unwrap();
        let small = Self { object, path: format!("{pod}/volumes/{index}") };
        small.put(r#"{"name": "backup", "emptyDir": {"medium": "Memory", "sizeLimit": "64Ki"}}"#);
        small
    }

    fn put(&self, volume: &str) {
        let patch = format!(r#"[{{"op": "replace", "path": "{}", "value": {volume}}}]"#, self.path);
        kubectl(&["patch", self.object, "--type=json", "--patch", &patch]);
        if self.object.starts_with("deployment") {
            kubectl(&["rollout", "status", self.object, "--timeout=120s"]);
        }
    }
}

impl Drop for TooSmall {
    fn drop(&mut self) {
        self.put(r#"{"name": "backup", "persistentVolumeClaim": {"claimName": "pra-backup"}}"#);
    }
}

/// Refused in seconds, not after the minutes in which a backup might have come, and for that cause.
fn refused_soon(cause: &str) {
    let (place, began) = (Place::new(), Instant::now());
    let output = on_the_cluster(&place, &["kill-pvc"]).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(cause), "{cause:?} is not in {said}");
    assert!(began.elapsed() < Duration::from_secs(60), "after {:?}: {said}", began.elapsed());
    whole();
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_full_volume_is_told_by_its_cause_by_the_job_the_drill_the_status_and_the_metrics() {
    for _ in 0..40 {
        answer(&format!("/add?message={}", "x".repeat(4000)));
    }
    let backups = TooSmall::volume("cronjob/sqlite-backup", "/spec/jobTemplate/spec/template/spec");
    refused_soon("No space left on device");

    let service = TooSmall::volume("deployment/app", "/spec/template/spec");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        // The old pod answers for a moment more.
        let status: Value = serde_json::from_str(&answer("/status")).unwrap();
        if status["backup_error"].as_str().is_some_and(|error| error.contains("no room for another restore point")) {
            break;
        }
        assert!(Instant::now() < deadline, "{status:#}");
        sleep(Duration::from_millis(200));
    }
    let metrics = answer("/metrics");
    assert!(metrics.contains("pra_repository_room 0"), "{metrics}");
    refused_soon("the service says that there will be no restore point: no room");
    drop((service, backups));
}
