//! Starts the shipped program on a free port and talks to it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything here is waited for.
pub const BOUND: Duration = Duration::from_secs(60);

/// Held by a test that opens thousands of files: together, two of them are more than a process may.
pub static MANY_FILES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A directory with the place of a database in it.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("app.db")
    }

    pub fn wal(&self) -> PathBuf {
        self.path().join("app.db-wal")
    }

    pub fn shm(&self) -> PathBuf {
        self.path().join("app.db-shm")
    }

    /// The program, told of this database and of a free port; more flags may follow.
    pub fn command(&self) -> Command {
        command(&self.database())
    }

    pub fn start(&self) -> App {
        App::start(self.command())
    }

    /// A foreign connection, as another program would open it.
    pub fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }
}

pub fn command(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
    for variable in [
        "DB_PATH",
        "BACKUP_DIR",
        "RESTORE_FIRST",
        "PROTECT",
        "PROTECT_ON_ERROR",
        "QUEUE_DEPTH",
        "CONNECTIONS_MAX",
        "CLIENT_TIMEOUT",
        "CLIENT_TIMEOUT_SECONDS",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "PROBE_LISTEN",
        "WRITE_TOKEN_FILE",
        "READ_ONLY",
        "ALLOWED_HOSTS",
        "STATUS_PATHS",
    ] {
        command.env_remove(variable);
    }
    command.arg("--database").arg(database).env("LISTEN", "127.0.0.1:0");
    command
}

/// Runs a program that is expected not to serve; gives its exit code and what it wrote on stderr.
pub fn fails(command: Command) -> (Option<i32>, String) {
    let output = assert_cmd::Command::from_std(command).timeout(BOUND).output().unwrap();
    assert!(output.stdout.is_empty(), "it must print no address");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The running program; killed when dropped.
pub struct App {
    child: Child,
    log: TempDir,
    pub address: String,
    /// Where probes are answered, if that was asked for.
    pub probes: Option<String>,
    client: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of a message that was acknowledged.
    pub fn id(&self) -> i64 {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["id"].as_i64().unwrap()
    }
}

impl App {
    /// Starts the program and waits until it has printed its address.
    pub fn start(mut command: Command) -> Self {
        let log = tempfile::tempdir().unwrap();
        let stderr = File::create(log.path().join("stderr")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            sender.send(line)
        });
        // Built beside remote repositories, clients can do TLS and insist on a provider. An error says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut app = Self { child, log, address: String::new(), probes: None, client: Client::new() };
        let line = line.recv_timeout(BOUND).unwrap_or_default();
        let announcement: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no address: {line:?}\n{}", app.stderr()));
        assert_eq!(announcement["pid"], app.child.id());
        app.address = announcement["listening"].as_str().unwrap().to_owned();
        app.probes = announcement["probes"].as_str().map(str::to_owned);
        app
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.log.path().join("stderr")).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A request of its own, so that many may run at once; `None` if there is no answer.
    pub fn request(&self, method: Method, path: &str) -> impl Future<Output = Option<Answer>> + use<> {
        self.request_as(method, path, "*/*")
    }

    /// The same from a client that states what it accepts.
    pub fn request_as(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
    ) -> impl Future<Output = Option<Answer>> + use<> {
        self.request_with(method, path, &[("accept", accept)], "")
    }

    /// The same with these headers and a body.
    pub fn request_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> impl Future<Output = Option<Answer>> + use<> {
        let request = self.client.request(method, format!("http://{}{path}", self.address)).timeout(BOUND);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = if body.is_empty() { request } else { request.body(body) };
        async {
            let response = request.send().await.ok()?;
            let (status, headers) = (response.status(), response.headers().clone());
            Some(Answer { status, headers, text: response.text().await.ok()? })
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).await.unwrap_or_else(|| panic!("no answer to {path}\n{}", self.stderr()))
    }

    pub async fn get_as(&self, path: &str, accept: &'static str) -> Answer {
        let answer = self.request_as(Method::GET, path, accept).await;
        answer.unwrap_or_else(|| panic!("no answer to {path}\n{}", self.stderr()))
    }

    pub async fn add(&self, message: &str) -> Answer {
        self.get(&format!("/add?message={message}")).await
    }

    pub async fn count(&self) -> i64 {
        self.get("/count").await.json()["count"].as_i64().unwrap()
    }

    /// The ids of all messages, newest first, a page at a time.
    pub async fn ids(&self) -> Vec<i64> {
        let mut ids = Vec::new();
        loop {
            let before = ids.last().map_or(String::new(), |id| format!("&before={id}"));
            let page = ids_of(&self.get(&format!("/consultation?limit=1000{before}")).await);
            if page.is_empty() {
                return ids;
            }
            ids.extend(page);
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub fn ended(&mut self) -> ExitStatus {
        let log = self.log.path().join("stderr");
        testing::ended(&mut self.child, BOUND, || fs::read_to_string(&log).unwrap())
    }

    /// Asks it to stop, and checks that it says it did.
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.ended().code(), Some(0), "{}", self.stderr());
    }

    /// Asks it to stop once its database is lost: that is no success. Gives the last thing it says.
    pub fn stop_lost(mut self) -> String {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.ended().code(), Some(1), "{}", self.stderr());
        let log = self.stderr();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("lost while in use"), "{log}");
        assert!(last.contains("acknowledged writes") && last.contains("may be missing"), "{log}");
        last.to_owned()
    }

    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.ended();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub fn ids_of(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

/// Waits until something holds; says what it was last, if it never does.
pub async fn until<T>(mut holds: impl AsyncFnMut() -> Result<T, String>) -> T {
    let give_up = Instant::now() + BOUND;
    loop {
        match holds().await {
            Ok(value) => return value,
            Err(last) => assert!(Instant::now() < give_up, "{last}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
