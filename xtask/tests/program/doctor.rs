use std::process::Command;

use crate::support::{Machine, output};

#[test]
fn doctor_finds_what_built_this_test() {
    let output = output(Command::new(env!("CARGO_BIN_EXE_xtask")).arg("doctor"));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.lines().any(|line| line.starts_with("cargo") && !line.contains("missing")), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn doctor_names_what_is_missing_and_how_to_get_it() {
    let output = Machine::bare().run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("https://rustup.rs"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("k3d") && line.ends_with("cargo xtask setup")), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing or too old: cargo, rustc, cc, git"));
}

#[test]
fn doctor_accepts_a_machine_without_a_cluster() {
    let machine = Machine::bare();
    for (tool, said) in [("cargo", "cargo 1.95.0"), ("rustc", "rustc 1.95.0"), ("cc", "cc 12"), ("git", "git 2.39")] {
        machine.program(tool, &format!("echo {said}"));
    }
    machine.program("k3d", "echo k3d version v5.4.9");
    machine.program("docker", "echo 'the service does not answer' >&2; exit 1");
    let output = machine.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("this machine can run: local\n"), "{table}");
    assert!(table.contains("k3d lacks: docker, k3d, kubectl, packer, ansible-playbook"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("k3d") && line.contains("5.4.9")), "{table}");
}

#[test]
fn doctor_knows_a_machine_that_runs_a_cluster() {
    let machine = Machine::with_every_tool();
    for (tool, said) in [("cargo", "cargo 1.95.0"), ("rustc", "rustc 1.95.0"), ("cc", "cc 12"), ("git", "git 2.39")] {
        machine.program(tool, &format!("echo {said}"));
    }
    let output = machine.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("this machine can run: local, k3d\n"));
}
