//! What is declared is true: the image is built and run, the manifests are rendered and validated, the playbook is
//! checked. No cluster is needed. A check whose tool is missing says so, and fails where every tool has to be there.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on must fail, or say why not")]

mod drill_image;
mod manifests;
mod monitoring;

use std::env;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// More would mean that something else came into the image. Object stores, TLS and encryption are two fifths of it.
const IMAGE_BYTES_MAX: u64 = 25_000_000;

const USER: u32 = 10001;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The machine's tools, then those of `cargo xtask setup`.
fn search_path() -> Vec<PathBuf> {
    let tools = env::var_os("PRA_TOOLS").map_or_else(|| root().join("target/tools"), PathBuf::from);
    let machine = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&machine).chain([tools.join("bin")]).collect()
}

/// A tool to run in the project; `None`, said aloud, if it is missing and need not be there.
fn tool(name: &str) -> Option<Command> {
    let Some(path) = search_path().into_iter().map(|directory| directory.join(name)).find(|path| path.is_file()) else {
        return skip(&format!("{name} is missing, see cargo xtask doctor"));
    };
    let mut command = Command::new(path);
    command.current_dir(root()).env("PATH", env::join_paths(search_path()).unwrap());
    Some(command)
}

fn skip<T>(why: &str) -> Option<T> {
    let set = |name, value| env::var(name).is_ok_and(|found| found == value);
    assert!(!set("CI", "true") && !set("PRA_REQUIRE_TOOLS", "1"), "cannot check: {why}");
    eprintln!("skipped: {why}");
    None
}

/// Runs a tool that has to succeed; gives what it prints.
#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn docker(arguments: &[&str]) -> String {
    done(tool("docker").unwrap().args(arguments))
}

/// The image, built as a user builds it, once for all tests.
fn image() -> Option<&'static str> {
    static IMAGE: OnceLock<Option<String>> = OnceLock::new();
    IMAGE.get_or_init(|| build_images(&[])).as_deref()
}

/// Builds what is asked for; gives the name of the last image.
fn build_images(options: &[&str]) -> Option<String> {
    tool("packer")?;
    if !tool("docker")?.arg("version").output().unwrap().status.success() {
        return skip("docker does not answer, start its service");
    }
    let printed = done(Command::new(env!("CARGO_BIN_EXE_xtask")).arg("image").args(options));
    let (name, id) = printed.lines().last().unwrap().split_once(' ').unwrap();
    assert_eq!(inspect(name)["Id"], id);
    Some(name.to_owned())
}

fn inspect(image: &str) -> Value {
    let mut found: Vec<Value> = serde_json::from_str(&docker(&["image", "inspect", image])).unwrap();
    found.pop().unwrap()
}

/// A container with no right at all.
const CONFINED: [&str; 5] = ["run", "--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

/// Both volumes as directories that any user may write to, and what Kubernetes grants a container.
struct Volumes {
    directory: TempDir,
}

impl Volumes {
    fn new() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for volume in ["data", "backup"] {
            let path = directory.path().join(volume);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        Self { directory }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("data/app.db")
    }

    fn run(&self, options: &[&str], image: &str, arguments: &[&str]) -> String {
        let mounts = ["data", "backup"].map(|name| format!("{}:/{name}", self.directory.path().join(name).display()));
        let mounts = ["--volume", &mounts[0], "--volume", &mounts[1]];
        docker(&[&CONFINED, &mounts[..], options, &[image], arguments].concat())
    }

    fn backup(&self, image: &str, arguments: &[&str]) -> String {
        self.run(&["--entrypoint=/bin/backup"], image, arguments)
    }
}

/// The service in a container; removed when dropped.
struct Service {
    container: String,
    address: String,
}

impl Service {
    fn start(volumes: &Volumes, image: &str) -> Self {
        Self::start_with(volumes, image, &["--env=BACKUP_DIR=/backup", "--env=RESTORE_FIRST=true"])
    }

    fn start_with(volumes: &Volumes, image: &str, options: &[&str]) -> Self {
        let options = [&["--detach", "--publish=127.0.0.1::8080"], options].concat();
        let container = volumes.run(&options, image, &[]).trim().to_owned();
        let address = docker(&["port", &container, "8080"]).lines().next().unwrap().to_owned();
        let service = Self { container, address };
        service.wait_until_healthy();
        service
    }

    fn wait_until_healthy(&self) {
        testing::until(Duration::from_secs(60), || {
            let last = match self.get("/health") {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => return Ok(()),
                Ok(answer) => answer,
                Err(error) => error.to_string(),
            };
            Err(format!("{last}\n{}", docker(&["logs", &self.container])))
        });
    }

    /// A whole answer, with its head.
    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn has(&self, messages: u32) {
        let answer = self.get("/count").unwrap();
        assert!(answer.ends_with(&format!("{{\"count\":{messages}}}")), "{answer}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        docker(&["stop", &self.container]);
    }
}

#[test]
fn the_image_has_two_programs_and_nothing_to_pull() {
    let Some(image) = image() else { return };
    let found = inspect(image);
    let config = &found["Config"];
    assert_eq!(config["User"], format!("{USER}:{USER}"));
    assert_eq!(config["Entrypoint"], serde_json::json!(["/bin/app"]));
    assert!(config["ExposedPorts"]["8080/tcp"].is_object(), "{config}");
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap().to_owned();
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("title"), "pra/app");
    assert_eq!(label("licenses"), "MIT OR Apache-2.0");
    assert!(label("revision").len() >= 7);
    assert_eq!(found["RootFS"]["Layers"].as_array().unwrap().len(), 1);
    let bytes = found["Size"].as_u64().unwrap();
    assert!((1_000_000..=IMAGE_BYTES_MAX).contains(&bytes), "{bytes} bytes");
}

#[test]
fn the_image_serves_backs_up_and_restores_without_any_right() {
    let Some(image) = image() else { return };
    let volumes = Volumes::new();
    let first_start = volumes.backup(image, &["restore", "--if-missing", "--json"]);
    assert!(first_start.contains("nothing_to_restore"), "{first_start}");
    let service = Service::start(&volumes, image);
    assert!(service.get("/add?message=kept").unwrap().contains("\"status\":\"added\""));
    assert_eq!(fs::metadata(volumes.database()).unwrap().uid(), USER);
    // Beside the service, as the CronJob runs it. The full check is what might want a temporary directory.
    volumes.backup(image, &["take", "--check=full", "--keep-last=10"]);
    service.has(1);
    drop(service);

    fs::remove_file(volumes.database()).unwrap();
    let restored = volumes.backup(image, &["restore", "--if-missing", "--json"]);
    assert!(restored.contains("\"outcome\": \"restored\""), "{restored}");
    Service::start(&volumes, image).has(1);
}

#[test]
fn long_messages_are_read_where_nothing_but_the_volumes_can_be_written() {
    let Some(image) = image() else { return };
    let volumes = Volumes::new();
    let service = Service::start(&volumes, image);
    for _ in 0..1000 {
        let added = service.get(&format!("/add?message={}", "x".repeat(4000))).unwrap();
        assert!(added.contains("\"status\":\"added\""), "{added}");
    }
    for query in ["after=0", "before=1001", ""] {
        let answer = service.get(&format!("/consultation?limit=1000&{query}")).unwrap();
        let head = answer.lines().next().unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200") && answer.len() > 4_000_000,
            "{query}: {head}, {} bytes",
            answer.len()
        );
    }
}

#[test]
fn the_same_programs_give_the_same_layer() {
    let Some(image) = image() else { return };
    // The programs as another machine might have them: elsewhere, of another time and mode.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let container = docker(&["create", image]);
    for program in ["backup", "app"] {
        let copy = directory.path().join(program);
        docker(&["cp", &format!("{}:/bin/{program}", container.trim()), copy.to_str().unwrap()]);
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
        File::open(&copy).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    }
    docker(&["rm", container.trim()]);
    let programs = format!("programs={}", directory.path().display());
    let layer = format!("layer={}", directory.path().join("layer.tar").display());
    let arguments = ["build", "-var", "version=again", "-var", &programs, "-var", &layer, "packer/image.pkr.hcl"];
    done(tool("packer").unwrap().args(arguments));
    let again = inspect("pra/app:again");
    docker(&["image", "rm", "pra/app:again"]);
    assert_eq!(again["RootFS"]["Layers"], inspect(image)["RootFS"]["Layers"]);
}

#[test]
fn the_tag_of_the_image_is_the_version() {
    for path in ["base", "components/offsite", "components/offsite-pull", "offsite-prune", "overlays/scheduled-drill"] {
        let path = format!("k8s/{path}/kustomization.yaml");
        let kustomization = fs::read_to_string(root().join(&path)).unwrap();
        let tag = kustomization.lines().find_map(|line| line.trim().strip_prefix("newTag: "));
        assert_eq!(tag, Some(env!("CARGO_PKG_VERSION")), "set it in {path}");
    }
}

#[test]
fn the_bill_of_materials_has_what_is_linked_and_nothing_else() {
    let Some(_) = image() else { return };
    let bill: Value = serde_json::from_slice(&fs::read(root().join("target/image.cdx.json")).unwrap()).unwrap();
    let names: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for linked in ["app", "backup", "libsqlite3-sys", "axum", "blake3"] {
        assert!(names.contains(&linked), "{linked} is missing");
    }
    for other in ["drill", "xtask", "proptest", "fantoccini", "cc", "serde_derive"] {
        assert!(!names.contains(&other), "{other} is not in the image");
    }
}

#[test]
fn the_playbook_is_sound() {
    let Some(mut playbook) = tool("ansible-playbook") else { return };
    done(playbook.args(["--syntax-check", "--inventory", "localhost,", "ansible/playbook.yml"]));
    let Some(mut lint) = tool("ansible-lint") else { return };
    done(lint.args(["--offline", "--strict", "ansible/playbook.yml"]));
}
