//! Each change that a drill makes may fail. The numbers are those of the list in `passed.rs`.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::for_each;
use crate::support::assert_exit;

const CHANGES: u32 = 13;

/// What a drill ends with whose change of this number failed.
fn expected_code(number: u32) -> i32 {
    match number {
        1..=2 => 3, // nothing was broken
        3..=6 => 6, // the fault did not take effect: nothing can be said
        8..=9 => 1, // a recovery that fails is a result
        7 | 10..=11 => 4,
        _ => 5,
    }
}

fn cleaned_up(cluster: &Cluster) {
    assert_exit(&cluster.cleanup().output().unwrap(), 0);
    cluster.assert_whole();
}

fn fails(number: u32, told: &Value, message: &str) {
    let cluster = Cluster::new();
    cluster.tell(told);
    let code = expected_code(number);
    let said = cluster.said(&["kill-pvc"], code);
    let reported = match code {
        3 => Value::Null,
        _ => cluster.place.report()["reasons"].take(),
    };
    assert!(said.contains(message) || reported.to_string().contains(message), "{number}: {said} {reported:#}");
    if code == 5 {
        assert!(said.contains("`drill cleanup` tries it again"), "{number}: {said}");
        assert!(
            said.contains("kubectl --context stand-in --namespace pra scale deployment app --replicas=1"),
            "{said}"
        );
        cleaned_up(&cluster);
    } else {
        cluster.assert_whole();
    }
}

#[test]
fn a_change_that_is_refused_leaves_a_whole_system() {
    for_each(1..=CHANGES, |number| fails(number, &json!({"fail": [number]}), "told to fail"));
}

#[test]
fn a_change_that_took_effect_though_its_answer_was_lost_leaves_a_whole_system() {
    // Those that create something which the drill, or the next, would meet again.
    for_each([1, 2, 7, 8], |number| fails(number, &json!({"lose": [number]}), "told to lose the answer"));
}

#[test]
fn a_cluster_that_refuses_everything_from_some_moment_on_is_put_right_later() {
    for_each([4, 7, 9], |number| {
        let cluster = Cluster::new();
        cluster.tell(&json!({"fail_from": number}));
        let said = cluster.said(&["kill-pvc"], 5);
        assert!(said.contains("the clean-up failed") && said.contains("told to fail"), "{said}");
        let refused = cluster.said(&["kill-pod"], 3);
        assert!(refused.contains("finish its recovery first: drill cleanup"), "{refused}");
        cluster.tell(&json!({}));
        cleaned_up(&cluster);
    });
}
