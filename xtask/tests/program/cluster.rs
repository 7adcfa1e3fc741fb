use crate::support::{Machine, RUNNING, assert_outcome};

const NODES: &str = "kubectl --context k3d-pra --request-timeout=15s get nodes --output json";
const LIST: &str = "k3d cluster list --output json";

#[test]
fn a_cluster_is_created_once_and_then_kept() {
    let machine = Machine::with_every_tool();
    assert_outcome(&machine.run(&["cluster", "up"]), 0, &["waiting for 3 ready nodes"]);
    let create = "k3d cluster create pra --image rancher/k3s:v1.33.5-k3s1 --servers 1 --agents 2 \
                  --port 8080:30080@loadbalancer --wait --timeout 300s";
    assert_eq!(machine.log(), [LIST, create, NODES]);

    assert_outcome(&machine.run(&["cluster", "up"]), 0, &["cluster pra exists and runs: kept"]);
    assert_eq!(machine.log()[3..], [LIST, NODES]);
}

#[test]
fn a_stopped_cluster_is_started() {
    let machine = Machine::with_every_tool();
    machine.has_cluster(&RUNNING.replace(r#""agentsRunning":2"#, r#""agentsRunning":0"#));
    assert_outcome(&machine.run(&["cluster", "up"]), 0, &["cluster pra exists and is stopped: starting it"]);
    assert_eq!(machine.log(), [LIST, "k3d cluster start pra --wait --timeout 180s", NODES]);
}

#[test]
fn a_cluster_without_the_port_is_not_taken_for_ours() {
    let machine = Machine::with_every_tool();
    machine.has_cluster(&RUNNING.replace("8080", "9090"));
    let said = ["cluster pra exists without the port 8080:30080@loadbalancer", "cargo xtask cluster down"];
    assert_outcome(&machine.run(&["cluster", "up"]), 1, &said);
    assert_eq!(machine.log(), [LIST]);
}

#[test]
fn a_cluster_that_k3d_cannot_make_is_a_failure_that_says_what_to_do() {
    let machine = Machine::with_every_tool();
    machine.program("k3d", "case \"$*\" in *list*) echo '[]' ;; *) exit 1 ;; esac");
    assert_outcome(&machine.run(&["cluster", "up"]), 1, &["if port 8080 is in use, free it and try again"]);
}

#[test]
fn a_missing_k3d_is_named() {
    assert_outcome(&Machine::bare().run(&["cluster", "up"]), 1, &["k3d", "cargo xtask doctor"]);
}

#[test]
fn only_a_cluster_that_exists_is_deleted() {
    let machine = Machine::with_every_tool();
    assert_outcome(&machine.run(&["cluster", "down"]), 0, &["there is no cluster pra: nothing to do"]);
    machine.has_cluster(RUNNING);
    assert_outcome(&machine.run(&["cluster", "down"]), 0, &[]);
    assert_eq!(machine.log(), [LIST, LIST, "k3d cluster delete pra"]);
}

fn import(machine: &Machine) -> String {
    assert_outcome(&machine.run(&["import"]), 0, &[]);
    machine.log().join("\n")
}

const IMPORT: &str = concat!("k3d image import pra/app:", env!("CARGO_PKG_VERSION"), " --cluster pra");
const LOOK: &str = "kubectl --context k3d-pra --namespace pra get deployment app --ignore-not-found --output name";

#[test]
fn an_image_is_imported_if_docker_has_it() {
    let machine = Machine::with_every_tool();
    assert!(import(&machine).ends_with(&[IMPORT, LOOK].join("\n")));

    machine.program("docker", "echo 'no such image' >&2; exit 1");
    assert_outcome(&machine.run(&["import"]), 1, &["build it with cargo xtask image"]);
}

#[test]
fn the_image_of_the_drill_is_imported_if_it_is_asked_for() {
    let machine = Machine::with_every_tool();
    assert_outcome(&machine.run(&["import", "--drill"]), 0, &[]);
    assert!(machine.log().contains(&IMPORT.to_owned()) && machine.log().contains(&IMPORT.replace("app", "drill")));

    machine.program("docker", "case \"$*\" in *pra/drill*) exit 1 ;; esac");
    assert_outcome(&machine.run(&["import", "--drill"]), 1, &["build it with cargo xtask image --drill"]);
}

#[test]
fn a_service_that_runs_goes_over_to_the_imported_image() {
    let machine = Machine::with_every_tool();
    machine.program("kubectl", "case \"$*\" in *get*) echo deployment.apps/app ;; esac");
    let rollout = "kubectl --context k3d-pra --namespace pra rollout";
    let restart =
        [format!("{rollout} restart deployment/app"), format!("{rollout} status deployment/app --timeout 180s")];
    assert!(import(&machine).ends_with(&format!("{IMPORT}\n{LOOK}\n{}", restart.join("\n"))));
}

#[test]
fn without_k3d_an_import_says_what_else_there_is() {
    let machine = Machine::bare();
    machine.program("docker", "exit 0");
    assert_outcome(&machine.run(&["import"]), 2, &["k3d is missing", "cargo xtask setup", "--with 'kind load"]);
    let elsewhere = machine.run(&["import", "--context", "school"]);
    assert_outcome(&elsewhere, 2, &["context school is not that of the k3d cluster pra", "cargo xtask deploy --image"]);
    assert_outcome(&machine.run(&["import", "--with", "load it"]), 2, &["with {image} in it"]);
    assert_eq!(machine.log(), [""; 0]);
}

#[test]
fn an_image_is_loaded_into_another_cluster_by_a_command_of_the_users() {
    let machine = Machine::bare();
    machine.program("docker", "exit 0");
    machine.program("load", "exit 0");
    machine.program("kubectl", "case \"$*\" in *get*) echo deployment.apps/app ;; esac");
    let import =
        ["import", "--drill", "--with", "load --into school {image}", "--context", "school", "--namespace", "me"];
    assert_outcome(&machine.run(&import), 0, &[]);
    let log = machine.log();
    let load = |image| concat!("load --into school pra/IMAGE:", env!("CARGO_PKG_VERSION")).replace("IMAGE", image);
    let place = |line: &str| log.iter().position(|logged| logged == line).unwrap_or_else(|| panic!("{line}: {log:#?}"));
    assert!(place(&load("drill")) < place(&load("app")));
    assert!(place(&load("app")) < place("kubectl --context school --namespace me rollout restart deployment/app"));

    machine.program("load", "exit 1");
    assert_outcome(&machine.run(&import), 1, &["was not loaded into the cluster"]);
}
