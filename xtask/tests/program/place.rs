//! Which folder the pipeline works on.

use std::fs;
use std::path::Path;
use std::process::Command;

use testing::install;

use crate::support::{assert_outcome, output};

fn pipeline() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_xtask"))
}

/// What makes a folder the project, and this pipeline as it was compiled elsewhere.
fn copied_project(folder: &Path) {
    for part in ["xtask", "crates/drill", "k8s", "target/debug"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    for package in ["xtask", "crates/drill"] {
        fs::write(folder.join(package).join("Cargo.toml"), "").unwrap();
    }
    install(pipeline(), &folder.join("target/debug/xtask"));
}

#[test]
fn a_folder_that_was_copied_works_on_itself() {
    // Not below the folder of this project.
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().canonicalize().unwrap();
    let copy = elsewhere.join("copy");
    copied_project(&copy);
    let program = copy.join("target/debug/xtask");
    let expected = format!("expected {}", copy.join("k8s/overlays/none").display());
    for here in [&copy, &copy.join("k8s"), &elsewhere] {
        let run = output(Command::new(&program).args(["deploy", "--overlay", "none"]).current_dir(here));
        assert_outcome(&run, 2, &[&expected]);
    }
    // Moved, it goes on working.
    let moved = elsewhere.join("moved");
    fs::rename(&copy, &moved).unwrap();
    let moved_program = moved.join("target/debug/xtask");
    let run = output(Command::new(moved_program).args(["deploy", "--overlay", "none"]).current_dir(&moved));
    assert_outcome(&run, 2, &[&format!("expected {}", moved.join("k8s/overlays/none").display())]);
}

/// A package with a build script that watches what `cargo run` sets, as that of `ring` does.
fn watching_package(folder: &Path) {
    fs::create_dir_all(folder.join("src")).unwrap();
    for (file, text) in [
        ("Cargo.toml", "[package]\nname = \"drill\"\nversion = \"1.0.0\"\nedition = \"2024\"\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("build.rs", "fn main() {\n    println!(\"cargo:rerun-if-env-changed=CARGO_MANIFEST_DIR\");\n}\n"),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
}

#[test]
fn after_a_build_by_hand_the_pipeline_compiles_nothing_anew() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path().canonicalize().unwrap();
    copied_project(&project);
    watching_package(&project.join("crates/drill"));
    fs::write(project.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"crates/drill\"]\n").unwrap();
    let lock = "version = 4\n\n[[package]]\nname = \"drill\"\nversion = \"1.0.0\"\n";
    fs::write(project.join("Cargo.lock"), lock).unwrap();

    let mut by_hand = Command::new(env!("CARGO"));
    by_hand.args(["build", "--release", "--locked"]).env_remove("CARGO_MANIFEST_DIR");
    assert_outcome(&output(by_hand.current_dir(&project)), 0, &["Compiling drill"]);
    let mut pipeline = Command::new(project.join("target/debug/xtask"));
    let run = output(pipeline.arg("build").env("CARGO_MANIFEST_DIR", project.join("xtask")).current_dir(&project));
    assert_outcome(&run, 0, &["Finished"]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!said.contains("Compiling"), "{said}");
}

#[test]
fn outside_of_any_project_the_pipeline_says_where_it_looked() {
    let elsewhere = tempfile::tempdir().unwrap();
    let program = elsewhere.path().join("xtask");
    install(pipeline(), &program);
    let run = output(Command::new(&program).arg("doctor").current_dir(elsewhere.path()));
    assert_outcome(&run, 2, &["is the project", "cd to the project, then cargo xtask"]);
}
