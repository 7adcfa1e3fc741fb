//! A namespace that is deleted and deployed anew while a killed drill waits for its clean-up.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{context, kubectl, namespace, on_the_cluster, whole};
use crate::support::{Place, Running, assert_exit};

/// Every object and how often what is asked of it has changed.
fn generations() -> String {
    let each =
        "--output=jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.generation};{end}";
    kubectl(&["get", "deployments,cronjobs,persistentvolumeclaims", each])
}

fn deploy() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let arguments = ["xtask", "deploy", "--context", &context(), "--namespace", &namespace()];
    let deployed = Command::new("cargo").args(arguments).current_dir(project).output().unwrap();
    assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn what_was_deployed_anew_is_not_touched_by_the_clean_up() {
    let place = Place::new();
    let mut drill = Running::start(on_the_cluster(&place, &["kill-pvc"]));
    drill.wait_for("  D1  ");
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None);

    kubectl(&["delete", "namespace", &namespace(), "--timeout=120s"]);
    // Nobody in another place is kept away.
    let elsewhere = place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&elsewhere, 0);
    deploy();
    let before = generations();
    let cleaned = place.drill(&["cleanup"]).output().unwrap();
    assert_exit(&cleaned, 0);
    assert!(String::from_utf8_lossy(&cleaned.stdout).contains("was deleted since"), "{cleaned:?}");
    assert_eq!(generations(), before);
    place.assert_clean();
    whole();
}
