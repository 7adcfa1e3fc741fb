use std::fs;

use crate::support::{Machine, assert_outcome, is_there};

#[test]
fn an_image_without_its_tools_is_refused_before_anything_is_built() {
    let machine = Machine::bare();
    machine.program("cargo", "exit 0");
    machine.program("docker", "echo 28.2.2");
    assert_outcome(&machine.run(&["image"]), 2, &["needs packer, which is not there", "cargo xtask setup"]);
    machine.program("packer", "echo Packer v1.5.0");
    assert_outcome(&machine.run(&["image"]), 2, &["needs packer, 1.6 or newer, found 1.5.0"]);
    machine.program("docker", "exit 1");
    assert_outcome(&machine.run(&["image"]), 2, &["needs docker, which does not answer"]);
    assert_eq!(machine.log(), [""; 0]);
}

#[test]
fn a_kubectl_that_would_not_run_in_an_empty_image_is_refused_before_anything_is_built() {
    if !is_there("readelf") {
        return;
    }
    let machine = Machine::with_every_tool();
    machine.program("readelf", "exec readelf \"$@\"");
    let refused = |why: &str| {
        assert_outcome(&machine.run(&["image", "--drill"]), 2, &[why, "cargo xtask setup gets it"]);
        assert!(!machine.log().iter().any(|line| line.starts_with("cargo")), "{:?}", machine.log());
    };
    refused("is no program, but perhaps a script that starts one");
    let kubectl = machine.path("bin/kubectl");
    fs::copy("/bin/sh", &kubectl).unwrap();
    refused("needs a dynamic loader");
    fs::remove_file(kubectl).unwrap();
    refused("kubectl for the image is missing");
}
