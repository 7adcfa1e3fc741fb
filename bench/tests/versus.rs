//! The fair fight, with a scripted drill.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A drill that says what a contender lost; one that copies has nothing to be had back.
const DRILL: &str = r#"case "$*" in
    *cp.json*) echo "error: preflight refused, nothing was broken: message 1 cannot be had back" >&2; exit 3 ;;
    *kill-pvc*"--seed 2 "*cp-with-wal*) echo '[{"verdict":"inconclusive","reasons":["the fault did not take effect: busy"],"ledger":null,"actual":{}}]'; exit 6 ;;
    *sync*) echo '[{"verdict":"pass","reasons":[],"ledger":{"lost":0},"actual":{"rta_seconds":0.25,"rpa_seconds_max":0.0,"false_up_seconds":0.0}}]' ;;
    *) echo '[{"verdict":"fail","reasons":["RPO missed: 42 acknowledged writes"],"ledger":{"lost":42},"actual":{"rta_seconds":0.5,"rpa_seconds_max":1.5,"false_up_seconds":0.0}}]'; exit 1 ;;
    esac"#;

/// Puts a shell script on the machine, which logs how it was called.
fn program(machine: &Path, file: &str, body: &str) {
    let file = machine.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let name = file.file_name().unwrap().display();
    testing::script(&format!("#!/bin/sh\necho \"{name} $*\" >> \"$STATE/log\"\nPATH=/usr/bin:/bin\n{body}\n"), &file);
}

#[test]
fn everyone_who_is_there_meets_the_same_drills_and_who_is_not_is_named() {
    let machine = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let machine = machine.path();
    program(machine, "bin/cargo", "exit 0");
    program(machine, "target/release/drill", DRILL);
    program(machine, "target/release/backup", "echo backup 0.1.0");
    fs::create_dir_all(machine.join("target/debug")).unwrap();
    // It finds what is built by its own place.
    let bench = machine.join("target/debug/bench");
    fs::hard_link(env!("CARGO_BIN_EXE_bench"), &bench).unwrap();
    let output = machine.join("versus");
    let mut versus = Command::new(bench);
    versus.args(["versus", "--quick", "--runs", "2", "--seed", "1", "--output"]).arg(&output).env_clear();
    let ran = versus.env("PATH", machine.join("bin")).env("PRA_TOOLS", machine).env("STATE", machine).output().unwrap();
    let error = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success() && error.contains("cannot be had back"), "{error}");
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("left out, not installed: litestream; wrk"), "{said}");
    let row = |title: &str| said.lines().find(|line| line.contains(title)).unwrap().split('|').map(str::trim).collect();
    let lost: Vec<&str> = row("volume lost: acknowledged writes lost");
    assert_eq!(lost[2..6], ["not measured", "42, of some runs", "42", "0"], "{said}");
    let passed: Vec<&str> = row("volume lost: passed");
    assert_eq!(passed[2..6], ["0 of 2", "0 of 1, 1 inconclusive", "0 of 2", "2 of 2"], "{said}");

    let log = fs::read_to_string(machine.join("log")).unwrap();
    let drills: Vec<&str> = log.lines().filter(|line| line.starts_with("drill run")).collect();
    assert_eq!(drills.len(), 2 * 2 * 4, "{drills:#?}");
    assert!(
        drills.iter().all(|line| line.contains("--inject-at random") && line.contains("--writers 32")),
        "{drills:#?}"
    );
    let with = |seed: &str| drills.iter().filter(|line| line.contains(seed)).count();
    assert_eq!((with("--seed 1 "), with("--seed 2 ")), (8, 8), "everyone gets the same moments: {drills:#?}");

    let data: Value = serde_json::from_slice(&fs::read(output.join("versus.json")).unwrap()).unwrap();
    assert_eq!(data["rounds"][1]["drills"][0]["report"], Value::Null);
    assert!(
        data["remarks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|remark| remark == "restore points, kill-pvc: RPO missed (2 of 2 runs)"),
        "{data:#}"
    );
    let picture = fs::read_to_string(output.join("versus.svg")).unwrap();
    assert!(picture.matches("<circle").count() > 8 && !picture.contains("NaN"), "{picture}");
}

#[test]
fn what_cannot_be_asked_for_is_a_usage_error() {
    for (arguments, said) in [
        (&["versus", "--quick", "--docs"][..], "cannot be used with"),
        (&["versus", "--runs", "0"], "0"),
        (&[], "Usage"),
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(refused.stderr).unwrap().contains(said), "{arguments:?}");
    }
}
