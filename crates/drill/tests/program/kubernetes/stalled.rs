//! Recoveries that do not get on say why, and what to do next.

use serde_json::json;

use super::cluster::Cluster;
use super::for_each;
use crate::support::assert_exit;

/// Enough for all that works, on a machine that has much else to do.
const PATIENCE: &str = "6s";

#[test]
fn a_stalled_restore_names_the_cause_and_the_next_thing_to_do() {
    let affinity = "0/3 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity";
    let cases = [
        (json!({"pending": {"drill-restore": affinity}}), [affinity, "delete the empty one and restore before"]),
        (json!({"waiting": {"drill-restore": "ImagePullBackOff"}}), ["ImagePullBackOff", "import it"]),
    ];
    for_each(cases, |(told, causes)| {
        let cluster = Cluster::new();
        cluster.tell(&told);
        // The clean-up restores too, and meets the same obstacle.
        let said = cluster.said(&["kill-pvc", "--cluster-patience", PATIENCE], 5);
        let reasons = cluster.place.report()["reasons"].to_string();
        for cause in causes {
            assert!(reasons.contains(cause), "{cause} is not in {reasons}");
            assert!(said.contains(cause), "{cause} is not in {said}");
        }
        cluster.tell(&json!({}));
        assert_exit(&cluster.cleanup().output().unwrap(), 0);
        cluster.assert_whole_with_sentinel();
    });
}

#[test]
fn a_pod_that_holds_the_volume_is_named() {
    let cluster = Cluster::new();
    cluster.edit(|objects| {
        let volumes = json!([{"persistentVolumeClaim": {"claimName": "pra-data"}}]);
        objects["pod"]["debug"] = json!({
            "owner": "a person", "started": true, "metadata": {"name": "debug", "uid": "debug"}, "status": {},
            "spec": {"containers": [], "volumes": volumes},
        });
    });
    cluster.said(&["kill-pvc", "--cluster-patience", PATIENCE], 6);
    let reasons = cluster.place.report()["reasons"].to_string();
    assert!(reasons.contains("every pod that uses pra-data to be gone; last state: debug"), "{reasons}");
    cluster.assert_whole_with_sentinel();
}

#[test]
fn a_service_that_comes_up_empty_never_passes() {
    let cluster = Cluster::new();
    cluster.tell(&json!({"no_restore": true}));
    cluster.said(&["kill-pvc", "--automatic"], 1);
    let report = cluster.place.report();
    assert_eq!(report["verdict"], "fail");
    assert!(report["reasons"].to_string().contains("restored nothing"), "{report:#}");
}
