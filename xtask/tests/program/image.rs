use std::fs;

use crate::support::{Machine, assert_outcome, is_there};

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
    refused("there is no kubectl for the image");
}
