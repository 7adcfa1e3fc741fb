//! Which folder the pipeline works on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{assert_outcome, copy_pipeline, output};

/// What makes a folder the project, and this pipeline as it was compiled elsewhere.
fn copied_project(folder: &Path) {
    for part in ["xtask", "crates/drill", "k8s", "target/debug"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    for package in ["xtask", "crates/drill"] {
        fs::write(folder.join(package).join("Cargo.toml"), "").unwrap();
    }
    copy_pipeline(&folder.join("target/debug/xtask"));
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

#[test]
fn outside_of_any_project_the_pipeline_says_where_it_looked() {
    let elsewhere = tempfile::tempdir().unwrap();
    let program = elsewhere.path().join("xtask");
    copy_pipeline(&program);
    let run = output(Command::new(&program).arg("doctor").current_dir(elsewhere.path()));
    assert_outcome(&run, 2, &["is the project", "cd to the project, then cargo xtask"]);
}
