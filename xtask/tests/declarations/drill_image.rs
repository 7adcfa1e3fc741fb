//! The image in which the drill is.

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use super::{CONFINED, Service, USER, Volumes, build_images, docker, inspect, root, tool};

/// More would mean that something else came into the image. Most of it is kubectl, 50 to 60 MB.
const BYTES_MAX: u64 = 110_000_000;

fn drill_image() -> Option<&'static str> {
    static IMAGE: OnceLock<Option<String>> = OnceLock::new();
    tool("kubectl")?;
    IMAGE.get_or_init(|| build_images(&["--drill"])).as_deref()
}

fn run(image: &str, program: &str, arguments: &[&str]) -> String {
    docker(&[&CONFINED, &["--entrypoint", program, image][..], arguments].concat())
}

#[test]
fn the_image_of_the_drill_has_four_programs_that_run_without_any_right() {
    let Some(image) = drill_image() else { return };
    let found = inspect(image);
    let config = &found["Config"];
    assert_eq!(config["User"], format!("{USER}:{USER}"));
    assert_eq!(config["Entrypoint"], serde_json::json!(["/bin/drill"]));
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap().to_owned();
    assert_eq!(label("title"), "pra/drill");
    assert_eq!(label("licenses"), "(MIT OR Apache-2.0) AND Apache-2.0");
    assert_eq!(found["RootFS"]["Layers"].as_array().unwrap().len(), 1);
    let bytes = found["Size"].as_u64().unwrap();
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");

    for program in ["app", "backup", "drill"] {
        let version = run(image, &format!("/bin/{program}"), &["--version"]);
        assert_eq!(version.trim(), format!("{program} {}", env!("CARGO_PKG_VERSION")));
    }
    assert!(run(image, "/bin/kubectl", &["version", "--client"]).contains("Client Version: v"));
    assert!(run(image, "/bin/drill", &["list"]).contains("kill-pvc"));
}

#[test]
fn the_bill_of_the_drill_names_kubectl_and_what_is_linked_once() {
    let Some(_) = drill_image() else { return };
    let bill: Value = serde_json::from_slice(&fs::read(root().join("target/drill.cdx.json")).unwrap()).unwrap();
    let mut names: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|one| one["purl"].as_str().unwrap()).collect();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    for part in ["pkg:cargo/app@", "pkg:cargo/drill@", "pkg:cargo/reqwest@", "pkg:golang/k8s.io/kubernetes@v"] {
        assert!(names.iter().any(|name| name.starts_with(part)), "{part} is missing");
    }
}

/// A network of containers that know each other by name; removed when dropped.
struct Network(String);

impl Network {
    fn new() -> Self {
        let name = format!("pra-test-{}", std::process::id());
        docker(&["network", "create", &name]);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        docker(&["network", "rm", &self.0]);
    }
}

/// The C library of a program that is not static loads what looks names up. A static one has to have it.
#[test]
fn the_programs_find_others_by_name_with_no_library_beside_them() {
    let Some(image) = drill_image() else { return };
    let network = Network::new();
    let volumes = Volumes::new();
    let network = ["--network", &network.0];
    let named = ["--entrypoint=/bin/app", "--env=LISTEN=0.0.0.0:8080", "--network-alias=store"];
    let _service = Service::start_with(&volumes, image, &[&network[..], &named].concat());
    let mut asking = tool("docker").unwrap();
    asking.args(CONFINED).args(network).args(["--entrypoint=/bin/backup", "--env=AWS_ENDPOINT_URL=http://store:8080"]);
    asking.args(["--env=AWS_ALLOW_HTTP=true", "--env=AWS_ACCESS_KEY_ID=a", "--env=AWS_SECRET_ACCESS_KEY=b"]);
    let output = asking.args([image, "list", "--remote=s3://bucket/pra"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // The service is no store, and says so: it was found.
    assert!(said.contains("404"), "{said}");
}
