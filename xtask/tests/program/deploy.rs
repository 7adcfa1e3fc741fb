use crate::support::{Machine, assert_outcome};

/// A kubectl that answers a question about the namespace, until it is deleted.
fn kubectl(namespace: &str) -> String {
    format!(
        r#"case "$*" in
        *"delete namespace"*) : > "$STATE/deleted" ;;
        *"get namespace"*) [ -e "$STATE/deleted" ] || echo '{namespace}' ;;
        esac"#
    )
}

const OURS: &str = r#"{"metadata":{"labels":{"pra.dev/drill":"allowed"}}}"#;
const FOREIGN: &str = r#"{"metadata":{"labels":{"pra.dev/drill":"denied"}}}"#;
const LOOK: &str = "kubectl --context k3d-pra --request-timeout=15s get namespace pra --ignore-not-found --output json";

#[test]
fn a_deployment_is_one_playbook_with_image_context_and_namespace() {
    let machine = Machine::with_every_tool();
    assert_outcome(&machine.run(&["deploy"]), 0, &["the service: http://localhost:8080"]);
    let playbook = format!(
        "ansible-playbook ansible/playbook.yml --extra-vars pra_image=pra/app:{} --extra-vars pra_context=k3d-pra --extra-vars \
         pra_namespace=pra",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(machine.log()[..2], [LOOK, &playbook]);
    assert!(machine.log()[2].starts_with("curl ") && machine.log()[2].ends_with("http://localhost:8080/health"));
}

#[test]
fn a_deployment_elsewhere_says_how_to_find_the_service() {
    let machine = Machine::with_every_tool();
    let output = machine.run(&["deploy", "--context", "school", "--namespace", "me", "--image", "there/app:2"]);
    assert_outcome(&output, 0, &["port 30080 of any node of context school"]);
    assert!(
        machine.log()[1].ends_with(
            "--extra-vars pra_image=there/app:2 --extra-vars pra_context=school --extra-vars pra_namespace=me"
        )
    );
}

#[test]
fn a_scheduled_drill_is_deployed_beside_the_service_and_never_into_it() {
    let machine = Machine::with_every_tool();
    let deploy = ["deploy", "--overlay", "scheduled-drill"];
    assert_outcome(&machine.run(&deploy), 2, &["is destroyed on schedule", "--namespace pra-drill"]);
    assert_eq!(machine.log(), Vec::<String>::new());

    let output = machine.run(&[&deploy[..], &["--namespace", "pra-drill", "--drill-image", "there/drill:2"]].concat());
    assert_outcome(
        &output,
        0,
        &["the drill is off", "--namespace pra-drill create job drill-now --from=cronjob/drill"],
    );
    let playbook = machine.log().pop().unwrap();
    assert!(playbook.contains("--extra-vars pra_namespace=pra-drill --extra-vars pra_overlay=/"), "{playbook}");
    assert!(
        playbook.ends_with("/k8s/overlays/scheduled-drill --extra-vars pra_drill_image=there/drill:2"),
        "{playbook}"
    );
}

#[test]
fn an_overlay_that_is_not_there_is_named() {
    let machine = Machine::with_every_tool();
    assert_outcome(&machine.run(&["deploy", "--overlay", "k3s"]), 2, &["there is no overlay k3s", "k8s/overlays/k3s"]);
}

#[test]
fn a_failed_deployment_shows_what_there_is() {
    let machine = Machine::with_every_tool();
    machine.program("ansible-playbook", "exit 2");
    assert_outcome(&machine.run(&["deploy"]), 1, &["the deployment failed", "ansible-playbook"]);
    assert_eq!(
        machine.log().last().unwrap(),
        "kubectl --context k3d-pra --namespace pra --request-timeout=15s get \
         deployments,pods,jobs,persistentvolumeclaims"
    );
}

#[test]
fn a_namespace_without_the_label_is_neither_deployed_to_nor_removed() {
    let machine = Machine::with_every_tool();
    machine.program("kubectl", &kubectl(FOREIGN));
    for command in ["deploy", "down"] {
        assert_outcome(&machine.run(&[command]), 3, &["lacks the label pra.dev/drill=allowed and is left as it is"]);
    }
    assert_eq!(machine.log(), [LOOK, LOOK]);
}

/// What is in production is not there to be destroyed, and is deployed to again and again.
#[test]
fn an_overlay_without_the_label_needs_none_and_one_with_it_never_brings_it_along() {
    let machine = Machine::with_every_tool();
    let production = r#"{"metadata":{"labels":{"app.kubernetes.io/part-of":"pra"}}}"#;
    let rendered = |labels: &str, namespace: &str| {
        let script =
            format!("case \"$*\" in kustomize*) echo '{labels}' ;; *\"get namespace\"*) echo '{namespace}' ;; esac");
        machine.program("kubectl", &script);
    };
    let deploy = ["deploy", "--overlay", "protected"];
    rendered("    app.kubernetes.io/part-of: pra", production);
    assert_outcome(&machine.run(&deploy), 0, &[]);
    rendered("    app.kubernetes.io/part-of: pra", FOREIGN);
    assert_outcome(&machine.run(&deploy), 3, &["lacks the label app.kubernetes.io/part-of=pra"]);
    rendered("    pra.dev/drill: allowed", production);
    assert_outcome(&machine.run(&deploy), 3, &["lacks the label pra.dev/drill=allowed and is left as it is"]);
    for command in ["deploy", "down"] {
        assert_outcome(&machine.run(&[command]), 3, &["lacks the label pra.dev/drill=allowed and is left as it is"]);
    }
    assert_eq!(machine.log().iter().filter(|line| line.starts_with("ansible-playbook")).count(), 1);
}

#[test]
fn a_cluster_that_does_not_answer_is_named() {
    let machine = Machine::with_every_tool();
    machine.program("kubectl", "echo 'error: context \"school\" does not exist' >&2; exit 1");
    for command in ["deploy", "down"] {
        let said = ["context school does not answer", "does not exist", "kubectl config get-contexts"];
        assert_outcome(&machine.run(&[command, "--context", "school"]), 3, &said);
    }
}

#[test]
fn what_was_deployed_is_removed_by_name_and_label_and_seen_to_go() {
    let machine = Machine::with_every_tool();
    machine.program("kubectl", &kubectl(OURS));
    assert_outcome(&machine.run(&["down"]), 0, &["waiting for the end of namespace pra, at most 120 s"]);
    let delete = "kubectl --context k3d-pra delete namespace --selector pra.dev/drill=allowed --field-selector \
                  metadata.name=pra --wait=false";
    assert_eq!(machine.log()[..2], [LOOK, delete]);

    assert_outcome(&machine.run(&["down"]), 0, &["there is no namespace pra: nothing to do"]);
    assert_eq!(machine.log().last().unwrap(), LOOK);
}

#[test]
fn a_service_whose_port_another_has_is_found_at_its_own() {
    let machine = Machine::with_every_tool();
    machine.program("kubectl", "case \"$*\" in *\"get service app\"*) printf 31234 ;; esac");
    let output = machine.run(&["deploy", "--namespace", "other"]);
    let tunnel = "kubectl --context k3d-pra --namespace other port-forward service/app 8081:80";
    assert_outcome(&output, 0, &["port 31234 of any node of context k3d-pra", tunnel]);
    assert!(!machine.log().iter().any(|line| line.starts_with("curl")), "that is the service of another namespace");
}

#[test]
fn why_a_deployment_failed_is_among_its_events() {
    let machine = Machine::with_every_tool();
    machine.program("ansible-playbook", "exit 2");
    assert_outcome(&machine.run(&["deploy"]), 1, &[]);
    let events =
        "kubectl --context k3d-pra --namespace pra --request-timeout=15s get events --field-selector=type=Warning";
    assert!(machine.log().iter().any(|line| line.starts_with(events)), "{:#?}", machine.log());
}

#[test]
fn a_copy_of_what_is_off_the_cluster_is_not_started_without_its_credentials() {
    let machine = Machine::with_every_tool();
    let deploy = ["deploy", "--overlay", "scheduled-drill-offsite", "--namespace", "pra-drill"];
    let secret = "--namespace pra-drill create secret generic offsite --from-env-file=offsite.env";
    let label = "label namespace pra-drill pra.dev/drill=allowed";
    assert_outcome(&machine.run(&deploy), 3, &["create namespace pra-drill", label, secret]);

    machine.program("kubectl", &kubectl(OURS));
    assert_outcome(&machine.run(&deploy), 3, &["needs the Secret offsite in namespace pra-drill", secret]);
    assert!(!machine.log().iter().any(|line| line.starts_with("ansible-playbook")));

    machine.program(
        "kubectl",
        &format!("case \"$*\" in *secret*) echo secret/offsite ;; *namespace*) echo '{OURS}' ;; esac"),
    );
    assert_outcome(&machine.run(&deploy), 0, &["the drill is off"]);
}

#[test]
fn a_cluster_that_cannot_be_asked_is_named_before_anything_is_compiled() {
    let machine = Machine::with_every_tool();
    machine.program("cargo", "exit 0");
    machine.program("kubectl", "echo 'error: context \"nope\" does not exist' >&2; exit 1");
    let said = ["context nope does not answer", "kubectl config get-contexts"];
    assert_outcome(&machine.run(&["test", "--cluster", "--context", "nope"]), 3, &said);
    let drill = ["drill", "--kill-pod", "--platform", "kubernetes", "--context", "nope"];
    assert_outcome(&machine.run(&drill), 3, &said);

    machine.program("kubectl", "echo 'Error from server (NotFound): namespaces \"me\" not found' >&2; exit 1");
    let deploy = "cargo xtask deploy --context nope --namespace me";
    let said = ["there is no namespace me in the cluster of context nope", deploy];
    assert_outcome(&machine.run(&[&drill[..], &["--namespace", "me"]].concat()), 3, &said);
    assert!(!machine.log().iter().any(|line| line.starts_with("cargo")), "{:#?}", machine.log());
}
