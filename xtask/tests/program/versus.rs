use std::fs;

use serde_json::Value;

use crate::support::{Machine, assert_outcome};

/// A drill that says what a contender lost; one that copies has nothing to be had back.
const DRILL: &str = r#"case "$*" in
    *cp.json*) echo "error: preflight refused, nothing was broken: message 1 cannot be had back" >&2; exit 3 ;;
    *kill-pvc*"--seed 2 "*cp-with-wal*) echo '[{"verdict":"inconclusive","reasons":["the fault did not take effect: busy"],"ledger":null,"actual":{}}]'; exit 6 ;;
    *sync*) echo '[{"verdict":"pass","reasons":[],"ledger":{"lost":0},"actual":{"rta_seconds":0.25,"rpa_seconds_max":0.0,"false_up_seconds":0.0}}]' ;;
    *) echo '[{"verdict":"fail","reasons":["RPO missed: 42 acknowledged writes"],"ledger":{"lost":42},"actual":{"rta_seconds":0.5,"rpa_seconds_max":1.5,"false_up_seconds":0.0}}]'; exit 1 ;;
    esac"#;

#[test]
fn everyone_who_is_there_meets_the_same_drills_and_who_is_not_is_named() {
    let machine = Machine::bare();
    machine.program("cargo", "exit 0");
    machine.built("drill", DRILL);
    machine.built("backup", "echo backup 0.1.0");
    let output = machine.path("versus");
    let ran = machine.run(&["versus", "--quick", "--runs", "2", "--seed", "1", "--output", output.to_str().unwrap()]);
    assert_outcome(&ran, 0, &["cannot be had back"]);
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("left out, not installed: litestream; wrk"), "{said}");
    let row = |title: &str| said.lines().find(|line| line.contains(title)).unwrap().split('|').map(str::trim).collect();
    let lost: Vec<&str> = row("volume lost: acknowledged writes lost");
    assert_eq!(lost[2..6], ["not measured", "42, of some runs", "42", "0"], "{said}");
    let passed: Vec<&str> = row("volume lost: passed");
    assert_eq!(passed[2..6], ["0 of 2", "0 of 1, 1 inconclusive", "0 of 2", "2 of 2"], "{said}");

    let drills: Vec<String> = machine.log().into_iter().filter(|line| line.starts_with("drill run")).collect();
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
