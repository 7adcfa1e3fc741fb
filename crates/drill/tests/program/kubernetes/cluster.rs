//! A cluster for a test: `kubectl.py` in the place of kubectl, with a service, its data and its backups behind it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::support::{LIMIT, Place, Running, assert_exit, program};

const KUBECTL: &str = include_str!("kubectl.py");

/// A message that was there before the drill. Every restore point holds it.
const KEPT: &str = "kept";

/// A running cluster. Dropping it ends what runs on it.
pub struct Cluster {
    pub place: Place,
    port: u16,
}

impl Cluster {
    pub fn new() -> Self {
        let cluster = Self { place: Place::new(), port: free_port() };
        cluster.install();
        let programs = program("drill").parent().unwrap().to_str().unwrap().to_owned();
        assert_exit(&cluster.stand_in(&["begin", &programs, &cluster.port.to_string()]), 0);
        // First without a call, which costs more than all else here.
        cluster.until("the service listens", || TcpStream::connect(("127.0.0.1", cluster.port)).is_ok());
        cluster.until("the service is ready", || cluster.available() == 1);
        assert!(cluster.answer(&format!("/add?message={KEPT}")).contains("\"added\""));
        cluster
    }

    fn install(&self) {
        fs::create_dir(self.bin()).unwrap();
        // Without the wrapper that is called `python3` on some machines: it takes longer than the call itself.
        let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        let python = String::from_utf8(python.stdout).unwrap();
        // As a module, it is compiled once.
        let call = "import sys\nsys.path.insert(0, sys.argv[0][: -len('/kubectl')])\nimport stand_in\n\
                    sys.exit(stand_in.main(sys.argv[1:]))\n";
        testing::script(&format!("#!{} -IS\n{call}", python.trim()), &self.bin().join("kubectl"));
        fs::write(self.bin().join("stand_in.py"), KUBECTL).unwrap();
    }

    fn bin(&self) -> PathBuf {
        self.place.path().join("bin")
    }

    fn stand_in(&self, arguments: &[&str]) -> Output {
        Command::new(self.bin().join("kubectl")).args(arguments).output().unwrap()
    }

    /// `drill run` here, as it is typed for a cluster.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let url = format!("http://127.0.0.1:{}", self.port);
        self.run_without_url(&[arguments, &["--url", &url]].concat())
    }

    /// The same where nothing tells how the service can be reached.
    pub fn run_without_url(&self, arguments: &[&str]) -> Command {
        let here = ["--platform", "kubernetes", "--context", "stand-in", "--backup-every", "1s"];
        self.with_kubectl(&[&["run"], arguments, &here].concat())
    }

    pub fn cleanup(&self) -> Command {
        self.with_kubectl(&["cleanup"])
    }

    pub fn with_kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.drill(arguments);
        command.env_remove("KUBECONFIG");
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.bin().display()));
        command
    }

    /// Says what goes wrong from now on; the fields are explained in `kubectl.py`.
    pub fn tell(&self, what: &Value) {
        let partial = self.place.path().join("told.new");
        fs::write(&partial, what.to_string()).unwrap();
        fs::rename(partial, self.file("told.json")).unwrap();
    }

    /// Changes the state, as a person at another terminal would.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let lock = File::open(self.file("lock")).unwrap();
        lock.lock().unwrap();
        let mut state = self.state();
        change(&mut state["objects"]);
        fs::write(self.file("state.json"), state.to_string()).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join("cluster").join(name)
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file("state.json")).unwrap()).unwrap()
    }

    fn objects(&self, kind: &str) -> Value {
        self.state()["objects"][kind].take()
    }

    fn available(&self) -> u64 {
        assert_exit(&self.stand_in(&["--context=stand-in", "--namespace=pra", "get", "pods"]), 0);
        self.objects("deployment")["app"]["status"]["availableReplicas"].as_u64().unwrap()
    }

    /// What was changed, in order, refused changes too; without the number and the name of the run.
    pub fn changes(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("changes")).unwrap_or_default();
        let change = |line: &str| {
            let (_, change) = line.split_once(' ').unwrap();
            if change.starts_with("delete job ") {
                return "delete job".to_owned();
            }
            change.split_once("-20").map_or(change, |(change, _)| change).to_owned()
        };
        text.lines().map(change).collect()
    }

    pub fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let look = || if condition() { Ok(()) } else { Err(format!("{what}: {:#}", self.state())) };
        testing::until(LIMIT, look);
    }

    /// Waits until a change took effect whose answer never comes.
    pub fn until_hanging(&self) {
        self.until("a call hangs", || self.file("hanging").exists());
    }

    /// The body of a GET.
    fn answer(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The service serves its data, backups are on, and nothing of a drill is left.
    pub fn assert_whole(&self) {
        self.place.assert_clean();
        assert_eq!(self.objects("deployment")["app"]["spec"]["replicas"], 1);
        assert_eq!(self.available(), 1);
        for cron_job in ["sqlite-backup", "sqlite-offsite"] {
            assert_eq!(self.objects("cronjob")[cron_job]["spec"]["suspend"], false, "{cron_job}");
        }
        assert!(self.objects("persistentvolumeclaim")["pra-data"]["metadata"]["deletionTimestamp"].is_null());
        assert_ne!(self.state()["cordoned"], true);
        assert_ne!(self.state()["stopped"], true);
        assert_eq!(names(&self.objects("lease")), Vec::<String>::new());
        let jobs = names(&self.objects("job"));
        assert!(jobs.iter().all(|job| !job.starts_with("drill-")), "left behind: {jobs:?}");
        let messages = self.answer("/consultation?limit=1000");
        assert!(messages.contains(&format!("\"{KEPT}\"")), "the data are not those of before: {messages}");
    }

    /// How the node is stopped and started.
    pub fn power(&self) -> [String; 4] {
        let kubectl = self.bin().join("kubectl");
        let command = |state| format!("{} power {state} {{node}}", kubectl.display());
        ["--stop-node".to_owned(), command("off"), "--start-node".to_owned(), command("on")]
    }

    /// Whether the service is the one that was deployed.
    pub fn restores_before_it_starts(&self) -> bool {
        let service = &self.objects("deployment")["app"]["spec"]["template"]["spec"];
        service["initContainers"].is_array() && service["containers"][0]["env"][0]["value"] == "true"
    }

    /// The same, and the sentinel of the drill that was reported is among the data.
    pub fn assert_whole_with_sentinel(&self) {
        self.assert_whole();
        let run = self.place.report()["run"].as_str().unwrap().to_owned();
        let messages = self.answer("/consultation?limit=1000");
        assert!(messages.contains(&format!("\"drill/{run}/0\"")), "no sentinel: {messages}");
    }

    /// Ends a drill that was told to be short, with the exit code and what it said.
    pub fn said(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments).output().unwrap();
        assert_exit(&output, code);
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.run(arguments))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let ended = self.stand_in(&["end"]);
        if std::thread::panicking() {
            return;
        }
        assert_exit(&ended, 0);
        self.until("everything has ended", || self.place.processes_below("").is_empty());
    }
}

fn names(objects: &Value) -> Vec<String> {
    objects.as_object().map(|objects| objects.keys().cloned().collect()).unwrap_or_default()
}

/// A port that is free, and is no one's for a moment while the service is down: those below 32768 are given to nobody
/// who does not ask for one by its number.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
