//! Goal: nothing that its publisher did not make gets installed, and nothing twice. Method: a publisher on localhost,
//! with a stand-in for Python's own environment, and the real curl and sha256sum.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{Machine, assert_outcome, is_there, output, write_script};

const KUBECTL: &str = "1.33.5";
const K3D: &str = "5.8.3";
const PACKER: &str = "1.14.2";

/// Publishes files, and remembers what was asked for.
struct Publisher {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Publisher {
    fn of(files: HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // It ends with the test program.
        thread::spawn(move || listener.incoming().flatten().for_each(|client| answer(&client, &files, &log)));
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn answer(mut client: &TcpStream, files: &HashMap<String, Vec<u8>>, log: &Mutex<Vec<String>>) {
    let lines: Vec<String> =
        BufReader::new(client).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let (status, body) = files.get(&path).map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
    log.lock().unwrap().push(path);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    drop(client.write_all(head.as_bytes()).and_then(|()| client.write_all(body)));
}

fn system() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" }
}

fn paths() -> [String; 3] {
    let system = system();
    [
        format!("/v{KUBECTL}/bin/linux/{system}/kubectl"),
        format!("/v{K3D}/k3d-linux-{system}"),
        format!("/{PACKER}/packer_{PACKER}_linux_{system}.zip"),
    ]
}

/// What the three publishers publish: programs that tell their version, and checksums in the form of each.
fn published(scratch: &Path) -> HashMap<String, Vec<u8>> {
    let program = |version: &str| format!("#!/bin/sh\necho v{version}\n").into_bytes();
    fs::write(scratch.join("packer"), program(PACKER)).unwrap();
    let arguments = ["-m", "zipfile", "--create", "packer.zip", "packer"];
    assert!(output(Command::new("python3").args(arguments).current_dir(scratch)).status.success());

    let [kubectl, k3d, packer] = paths();
    let mut files = HashMap::from([
        (kubectl.clone(), program(KUBECTL)),
        (k3d.clone(), program(K3D)),
        (packer.clone(), fs::read(scratch.join("packer.zip")).unwrap()),
    ]);
    let digest = |path: &str| {
        let file = scratch.join("digested");
        fs::write(&file, &files[path]).unwrap();
        let said = output(Command::new("sha256sum").arg(file)).stdout;
        String::from_utf8(said).unwrap()[..64].to_owned()
    };
    let other = "0".repeat(64);
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let checksums = [
        (format!("{kubectl}.sha256"), digest(&kubectl)),
        (
            format!("/v{K3D}/checksums.txt"),
            format!("{other}  _dist/k3d-darwin\n{}  _dist/{}\n", digest(&k3d), name(&k3d)),
        ),
        (
            format!("/{PACKER}/packer_{PACKER}_SHA256SUMS"),
            format!("{}  {}\n{other}  b\n", digest(&packer), name(&packer)),
        ),
    ];
    files.extend(checksums.map(|(path, text)| (path, text.into_bytes())));
    files
}

/// A machine with Python, whose environments cost nothing, and curl.
fn machine() -> Option<Machine> {
    if !(is_there("python3") && is_there("curl") && is_there("sha256sum")) {
        return None;
    }
    let machine = Machine::bare();
    let real = std::env::var("PATH").unwrap();
    machine.program(
        "python3",
        &format!(
            r#"PATH='{real}'
            case "$*" in
            "-m venv "*) mkdir -p "$3/bin" && printf '#!/bin/sh\necho "pip $*" >> "$STATE/log"\n' > "$3/bin/pip" &&
                chmod +x "$3/bin/pip" ;;
            *) exec python3 "$@" ;;
            esac"#
        ),
    );
    for tool in ["curl", "sha256sum"] {
        machine.program(tool, &format!("PATH='{real}'\nexec {tool} \"$@\""));
    }
    Some(machine)
}

fn setup(machine: &Machine, publisher: &Publisher) -> Output {
    let mut command = machine.command(&["setup"]);
    for publisher_of in ["PRA_KUBECTL_FROM", "PRA_K3D_FROM", "PRA_PACKER_FROM"] {
        command.env(publisher_of, &publisher.address);
    }
    output(&mut command)
}

fn installed(machine: &Machine) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(machine.path("tools/bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "pip")
        .collect();
    names.sort();
    names
}

/// No file of a download is left behind.
fn assert_swept(machine: &Machine) {
    let left = fs::read_dir(machine.path("tools/partial")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn what_the_publisher_vouches_for_is_installed_and_then_left_alone() {
    let Some(machine) = machine() else { return };
    let publisher = Publisher::of(published(&machine.path("")));
    assert_outcome(&setup(&machine, &publisher), 0, &["kubectl 1.33.5 installed", "packer 1.14.2 installed"]);
    assert_eq!(installed(&machine), ["k3d", "kubectl", "packer"]);
    assert_swept(&machine);
    assert!(pip_was_run(&machine));

    let asked = publisher.asked();
    assert_eq!(asked, 6);
    assert_outcome(&setup(&machine, &publisher), 0, &["kubectl 1.33.5 is there", "k3d 5.8.3 is there"]);
    assert_eq!(publisher.asked(), asked, "what is there was downloaded again");
}

fn pip_was_run(machine: &Machine) -> bool {
    let log = fs::read_to_string(machine.path("log")).unwrap();
    log.lines().any(|line| {
        line.starts_with("pip install")
            && line.ends_with("--requirement ansible/requirements.txt --requirement .ci/requirements.txt")
    })
}

#[test]
fn another_version_is_replaced() {
    let Some(machine) = machine() else { return };
    let publisher = Publisher::of(published(&machine.path("")));
    assert_outcome(&setup(&machine, &publisher), 0, &[]);
    write_script(&machine.path("tools/bin/k3d"), "echo v5.4.0");
    assert_outcome(&setup(&machine, &publisher), 0, &["kubectl 1.33.5 is there", "k3d 5.8.3 installed"]);
}

#[test]
fn what_the_machine_has_in_a_good_version_is_not_downloaded_unless_it_is_asked_for() {
    let Some(machine) = machine() else { return };
    machine.program("kubectl", "echo Client Version: v1.36.0");
    machine.program("packer", "echo Packer v1.6.0");
    machine.program("k3d", "echo k3d version v5.4.0");
    // Only k3d is too old, and only k3d can be reached.
    let mut files = published(&machine.path(""));
    files.retain(|path, _| path.contains(K3D));
    let publisher = Publisher::of(files);
    let said = ["kubectl 1.36.0 is there, 1.30 is wanted: left alone", "packer 1.6.0 is there", "k3d 5.8.3 installed"];
    assert_outcome(&setup(&machine, &publisher), 0, &said);
    assert_eq!(installed(&machine), ["k3d"]);

    let mut all = machine.command(&["setup", "--all"]);
    all.env("PRA_KUBECTL_FROM", &publisher.address);
    assert_outcome(&output(&mut all), 1, &["kubectl 1.33.5 was not installed", "cannot download http://127.0.0.1"]);
}

#[test]
fn a_file_that_was_tampered_with_is_not_installed() {
    for (tool, path) in ["kubectl", "k3d", "packer"].into_iter().zip(paths()) {
        let Some(machine) = machine() else { return };
        let mut files = published(&machine.path(""));
        files.get_mut(&path).unwrap().push(b'\n');
        let publisher = Publisher::of(files);
        let output = setup(&machine, &publisher);
        let address = format!("{}{path}", publisher.address);
        assert_outcome(&output, 1, &[&format!("{tool} "), &address, "expected SHA-256 ", ", found "]);
        assert!(!installed(&machine).contains(&tool.to_owned()));
        assert_swept(&machine);
    }
}

#[test]
fn a_file_without_a_checksum_is_not_installed() {
    let Some(machine) = machine() else { return };
    let mut files = published(&machine.path(""));
    files.insert(format!("/v{K3D}/checksums.txt"), b"<html>".to_vec());
    let publisher = Publisher::of(files);
    assert_outcome(&setup(&machine, &publisher), 1, &["k3d 5.8.3 was not installed", "has no checksum of k3d-linux-"]);
    assert_eq!(installed(&machine), ["kubectl"]);
}

#[test]
fn a_publisher_that_cannot_be_reached_is_named() {
    let Some(machine) = machine() else { return };
    let publisher = Publisher::of(HashMap::new());
    let output = setup(&machine, &publisher);
    assert_outcome(&output, 1, &["kubectl 1.33.5 was not installed", "cannot download http://127.0.0.1"]);
    assert_swept(&machine);
}

#[test]
fn the_python_part_alone_downloads_no_program() {
    let Some(machine) = machine() else { return };
    assert_outcome(&machine.run(&["setup", "--python-only"]), 0, &[]);
    assert!(pip_was_run(&machine));
    assert_eq!(installed(&machine), [""; 0]);
}

#[test]
fn what_setup_needs_is_named() {
    assert_outcome(&Machine::bare().run(&["setup"]), 2, &["setup needs python3, curl; see cargo xtask doctor"]);
}
