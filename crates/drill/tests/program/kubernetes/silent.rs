//! An API server that is away for a while. The numbers of changes are those of the list in `passed.rs`.

use serde_json::json;

use super::cluster::Cluster;
use super::for_each;

#[test]
fn a_passing_silence_of_the_api_server_does_not_end_a_measurement_and_the_report_says_so() {
    for_each(3..=11, |number| {
        let cluster = Cluster::new();
        cluster.tell(&json!({"away": [number, 3]}));
        let said = cluster.said(&["kill-pvc"], 0);
        assert!(said.contains("no answer of the API server, asking again for 60 s"), "{number}: {said}");
        let report = cluster.place.report();
        assert_eq!(report["verdict"], "pass", "{number}: {report:#}");
        assert!(report["warnings"].to_string().contains("the platform did not answer for up to "), "{report:#}");
        cluster.assert_whole_with_sentinel();
    });
}

#[test]
fn a_silence_beyond_the_bound_ends_the_measurement_and_is_put_right_afterwards() {
    let cluster = Cluster::new();
    cluster.tell(&json!({"away": [6, 9]}));
    cluster.said(&["kill-pvc", "--cluster-patience", "6s"], 6);
    let reasons = cluster.place.report()["reasons"].to_string();
    assert!(reasons.contains("the API server did not answer for 6 s"), "{reasons}");
    cluster.assert_whole_with_sentinel();
}

#[test]
fn an_api_server_that_is_away_from_the_beginning_is_not_waited_for() {
    let cluster = Cluster::new();
    cluster.tell(&json!({"away": [1, 600]}));
    let said = cluster.said(&["kill-pvc"], 5);
    assert!(said.contains("cannot acquire the drill lease"), "{said}");
}
