//! The description of the service is true: schemathesis, which knows nothing but the description, finds no answer that it
//! does not allow, and no route is left out of it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{App, Place};
use crate::status::take;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let place = Place::new();
    let app = place.start();
    let description = app.get("/openapi.json").await.json();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let described: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let router = std::fs::read_to_string(Path::new(ROOT).join("crates/app/src/router.rs")).unwrap();
    let all = router.split("fn router(").nth(1).unwrap().split("\n}").next().unwrap();
    let mut routes: Vec<&str> = all.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    // The parts of the page are nobody's interface.
    routes.retain(|route| !route.starts_with("/assets/"));
    routes.sort_unstable();
    assert!(routes.len() > 10, "{routes:?}");
    assert_eq!(described, routes);
    for (route, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let answer = app.request(method.to_uppercase().parse().unwrap(), route);
            // The events never end: that they begin is a test of the page.
            if route != "/events" {
                assert_ne!(answer.await.unwrap().status, 405, "{method} {route}");
            }
        }
    }
}

/// The checker, as `cargo xtask setup` installs it or as the machine has it.
fn schemathesis() -> Option<Command> {
    let installed = Path::new(ROOT).join("target/tools/bin/st");
    let program = if installed.is_file() { installed } else { "st".into() };
    if Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(Command::new(program));
    }
    assert!(std::env::var_os("CI").is_none(), "cannot check: st (schemathesis) is missing");
    eprintln!("skipped: st (schemathesis) is missing, see cargo xtask setup");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_description_does_not_allow_is_answered() {
    let Some(mut checker) = schemathesis() else { return };
    let place = Place::new();
    std::fs::create_dir(place.path().join("backup")).unwrap();
    let mut command = place.command();
    command.arg("--repository").arg(place.path().join("backup"));
    let app = App::start(command);
    app.add("x").await.id();
    take(&place, &place);
    checker.arg("--config-file").arg(Path::new(ROOT).join(".ci/schemathesis.toml")).arg("run");
    checker.arg(format!("http://{}/openapi.json", app.address)).args(["--exclude-path", "/events"]);
    // The same requests each time: what fails once fails again.
    checker.args(["--continue-on-failure", "--max-examples", "25", "--seed", "1", "--no-color"]);
    let output = checker.current_dir(place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Fuzzing") && said.contains("Coverage"), "{said}");
    let status: Value = app.get("/status").await.json();
    assert!(status["count"].as_i64().unwrap() > 1, "it must have added messages: {status}");
}
