use crate::support::{Machine, RUNNING, assert_outcome, output};

const LOCAL_DRILL: &str = "drill run kill-pod kill-pvc";

fn with_a_build() -> Machine {
    let machine = Machine::bare();
    machine.program("cargo", "exit 0");
    machine.built("drill", "exit 0");
    machine
}

#[test]
fn auto_is_local_where_a_tool_is_missing_and_names_it() {
    let machine = with_a_build();
    machine.program("docker", "echo 28.2.2");
    machine.program("kubectl", "echo Client Version: v1.33.5");
    let output = machine.run(&["all"]);
    assert_outcome(&output, 0, &["platform local: k3d would need k3d, packer, ansible-playbook"]);
    assert_eq!(machine.log().last().unwrap(), LOCAL_DRILL);
}

#[test]
fn auto_is_local_where_docker_does_not_answer() {
    let machine = Machine::with_every_tool();
    machine.program("cargo", "exit 0");
    machine.built("drill", "exit 0");
    machine.program("docker", "exit 1");
    assert_outcome(&machine.run(&["all"]), 0, &["platform local: k3d would need docker;"]);
    assert_eq!(machine.log(), ["cargo build --release --locked", LOCAL_DRILL]);
}

#[test]
fn k3d_is_refused_where_it_cannot_run() {
    let machine = with_a_build();
    let said = "platform k3d lacks docker, k3d, kubectl, packer, ansible-playbook";
    assert_outcome(&machine.run(&["all", "--platform", "k3d"]), 2, &[said, "--platform local"]);
    assert_eq!(machine.log(), [""; 0]);
}

#[test]
fn the_environment_pins_the_platform_and_the_command_line_overrules_it() {
    let machine = with_a_build();
    let pinned = output(machine.command(&["all"]).env("PRA_PLATFORM", "k3d"));
    assert_outcome(&pinned, 2, &["platform k3d lacks"]);
    let overruled = output(machine.command(&["all", "--platform", "local"]).env("PRA_PLATFORM", "k3d"));
    assert_outcome(&overruled, 0, &["platform local: as asked for"]);
}

#[test]
fn a_drill_on_k3d_is_told_its_cluster() {
    let machine = Machine::with_every_tool();
    machine.program("cargo", "exit 0");
    machine.built("drill", "exit 5");
    machine.has_cluster(RUNNING);
    let options = ["drill", "--kill-pvc", "--rto", "20s", "--automatic", "--brutal", "--dry-run", "--", "--rate", "5"];
    let output = machine.run(&options);
    assert_outcome(&output, 5, &["platform k3d: docker answers and every tool is there"]);
    assert_eq!(
        machine.log().last().unwrap(),
        "drill run --platform kubernetes --context k3d-pra --url http://localhost:8080 --kill-pvc --rto 20s --automatic \
         --brutal --dry-run --rate 5"
    );
}

#[test]
fn a_drill_on_k3d_without_a_cluster_builds_nothing() {
    let machine = Machine::with_every_tool();
    assert_outcome(&machine.run(&["drill", "--kill-pod"]), 3, &["make it with cargo xtask all"]);
    assert_eq!(machine.log(), ["k3d cluster list --output json"]);
}

#[test]
fn a_drill_on_another_cluster_asks_for_no_tool_of_k3d() {
    let machine = with_a_build();
    machine.program("kubectl", "exit 0");
    let options = ["drill", "--kill-pod", "--force", "--compare", "--platform", "kubernetes", "--context", "school"];
    assert_outcome(&machine.run(&[&options[..], &["--namespace", "me", "--url", "http://a:1"]].concat()), 0, &[]);
    assert_eq!(
        machine.log().last().unwrap(),
        "drill run --platform kubernetes --context school --namespace me --url http://a:1 --kill-pod --force --compare"
    );
}

#[test]
fn what_the_pipeline_does_not_know_is_handed_on_in_any_order() {
    let machine = with_a_build();
    for (line, run) in [
        ("drill kill-pvc --protect sync --runs 5 --platform local", "run kill-pvc --protect sync --runs 5"),
        ("drill --platform=local --runs 5 --kill-pvc", "run --runs 5 --kill-pvc"),
        ("drill --kill-pvc -- --runs 5", "run --kill-pvc --runs 5"),
        (
            "drill --url http://a:1 --json kill-pod --context school --platform kubernetes",
            "run --platform kubernetes --context school --url http://a:1 --json kill-pod",
        ),
        ("all --runs 5 --platform local --rto 20s", "run kill-pod kill-pvc --runs 5 --rto 20s"),
        ("up --protect sync", "up --protect sync"),
        ("up -- --protect sync", "up --protect sync"),
    ] {
        machine.program("kubectl", "exit 0");
        assert_outcome(&machine.run(&line.split(' ').collect::<Vec<_>>()), 0, &[]);
        assert_eq!(machine.log().pop().unwrap(), format!("drill {run}"), "{line}");
    }
}

#[test]
fn the_drill_explains_its_options_itself() {
    let machine = with_a_build();
    for (line, run) in [
        (&["drill", "--help"][..], "drill run --help"),
        (&["drill", "kill-pvc", "-h"], "drill run --help"),
        (&["all", "--help"], "drill run --help"),
        (&["up", "--help"], "drill up --help"),
    ] {
        let explained = machine.run(line);
        assert_outcome(&explained, 0, &[]);
        assert_eq!(machine.log().pop().unwrap(), run);
        let said = String::from_utf8(explained.stdout).unwrap();
        assert_eq!(said.contains("--platform <PLATFORM>"), run == "drill run --help", "{said}");
    }
}

#[test]
fn a_cluster_without_kubectl_is_refused_before_anything_is_built() {
    let machine = with_a_build();
    let drill = ["drill", "kill-pod", "--platform", "kubernetes", "--context", "school"];
    assert_outcome(&machine.run(&drill), 2, &["kubectl is missing", "cargo xtask setup"]);
    assert_eq!(machine.log(), [""; 0]);
}

/// Builds nothing, and lists one crate for the bill of materials.
const CARGO: &str = r#"[ "$1" != tree ] || printf 'app v0.1.0\tMIT\n'"#;

#[test]
fn all_on_k3d_goes_from_nothing_to_a_drill() {
    let machine = Machine::with_every_tool();
    machine.program("cargo", CARGO);
    machine.program("rustc", "echo host: x86_64-unknown-linux-gnu");
    machine.program("git", "echo 0123abc");
    machine.built("drill", "exit 1");
    assert_outcome(&machine.run(&["all"]), 1, &["platform k3d: docker answers", "the service: http://localhost:8080"]);

    let log = machine.log();
    let image = format!("pra/app:{}", env!("CARGO_PKG_VERSION"));
    let steps = [
        "cargo build --release --locked",
        "packer build",
        "k3d cluster create pra",
        &format!("k3d image import {image} --cluster pra"),
        &format!("ansible-playbook ansible/playbook.yml --extra-vars pra_image={image}"),
        "drill run kill-pod kill-pvc --platform kubernetes --context k3d-pra --url http://localhost:8080",
    ];
    let places = steps.map(|step| log.iter().position(|line| line.starts_with(step)).unwrap_or(usize::MAX));
    assert!(places.is_sorted() && places[5] == log.len() - 1, "{places:?} {log:#?}");
}

#[test]
fn all_on_k3d_ends_with_the_first_step_that_fails() {
    let machine = Machine::with_every_tool();
    machine.program("cargo", CARGO);
    machine.program("rustc", "echo host: x86_64-unknown-linux-gnu");
    machine.program("git", "echo 0123abc");
    machine.built("drill", "exit 0");
    machine.program("ansible-playbook", "[ \"$1\" = --version ] && echo 'ansible-playbook [core 2.19.3]'");
    assert_outcome(&machine.run(&["all", "--platform", "k3d"]), 1, &["the deployment failed"]);
    assert!(!machine.log().iter().any(|line| line.starts_with("drill")), "{:?}", machine.log());
}
