use std::fs;

use crate::support::{Machine, assert_outcome, output};

const CARGO: &str = r#"[ "$1" != test ] || { echo "$RUST_TEST_THREADS" > "$STATE/threads"; exit 101; }"#;

#[test]
fn all_tests_are_run_whatever_fails_and_more_at_once_than_there_are_cores() {
    let machine = Machine::bare();
    machine.program("cargo", CARGO);
    assert_outcome(&machine.run(&["test"]), 1, &["cargo test"]);
    let expected = ["cargo build --workspace --locked", "cargo test --workspace --locked --no-fail-fast"];
    assert_eq!(machine.log(), expected);
    let threads = || fs::read_to_string(machine.path("threads")).unwrap().trim().parse::<usize>().unwrap();
    assert!(threads() > std::thread::available_parallelism().unwrap().get());

    output(machine.command(&["test"]).env("RUST_TEST_THREADS", "1"));
    assert_eq!(threads(), 1);
}
