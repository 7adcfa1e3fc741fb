//! Where a test pushes to.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use backup::remote::pull::Pulled;
use backup::remote::push::Pushed;
use serde::Deserialize;
use tempfile::TempDir;

use super::proxy::{self, Fault, Request};
use crate::stage::{Ended, Stage, ended};

pub const KEY_ID: &str = "AKIDOFATEST";
pub const SECRET: &str = "a-secret-of-a-test";

/// A remote repository of one test's own.
pub struct Store {
    pub url: String,
    /// Where its server is, or a proxy before it.
    pub endpoint: String,
    /// Of the repository; only a directory has one.
    directory: Option<TempDir>,
}

/// What `s3_server.py` prints.
#[derive(Deserialize)]
pub struct Server {
    pub http: String,
    pub https: String,
    pub certificate: PathBuf,
    #[serde(skip)]
    _process: Option<Child>,
}

impl Store {
    pub fn directory() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            url: format!("file://{}", directory.path().display()),
            endpoint: String::new(),
            directory: Some(directory),
        }
    }

    /// `None`, said aloud, where there is no S3 server.
    pub fn bucket() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let bucket = format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let store = Self { url: format!("s3://{bucket}/some/where"), endpoint: server.http.clone(), directory: None };
        store.http("PUT", &format!("/{bucket}"), &[]);
        Some(store)
    }

    /// One that may be there or not.
    pub fn at(url: &str, endpoint: &str) -> Self {
        Self { url: url.into(), endpoint: endpoint.into(), directory: None }
    }

    /// One of each kind.
    pub fn each() -> impl Iterator<Item = Self> {
        [Some(Self::directory()), Self::bucket()].into_iter().flatten()
    }

    pub fn command(&self, stage: &Stage, arguments: &[&str]) -> Command {
        let mut command = stage.std_command(arguments);
        command.env("BACKUP_REMOTE", &self.url).env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1");
        command
    }

    pub fn run(&self, stage: &Stage, arguments: &[&str]) -> Ended {
        ended(self.command(stage, arguments))
    }

    pub fn json<T: serde::de::DeserializeOwned>(&self, stage: &Stage, arguments: &[&str]) -> T {
        let ended = self.run(stage, &[arguments, &["--json"]].concat()).expect(0);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    pub fn push(&self, stage: &Stage) -> Pushed {
        self.json(stage, &["push"])
    }

    pub fn pull(&self, stage: &Stage) -> Pulled {
        self.json(stage, &["pull"])
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = match &self.directory {
            Some(directory) => files(directory.path(), directory.path()),
            None => {
                let listed = self.http("GET", &format!("/{}?list-type=2", self.bucket_name()), &[]);
                let keys = listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
                keys.map(|key| key.strip_prefix("some/where/").unwrap().to_owned()).collect()
            }
        };
        keys.sort();
        keys
    }

    pub fn pieces(&self) -> Vec<String> {
        self.keys().into_iter().filter(|key| key.contains('/')).collect()
    }

    pub fn write(&self, key: &str, content: &[u8]) {
        match &self.directory {
            Some(directory) => fs::write(directory.path().join(key), content).unwrap(),
            None => drop(self.http("PUT", &self.path(key), content)),
        }
    }

    pub fn remove(&self, key: &str) {
        match &self.directory {
            Some(directory) => fs::remove_file(directory.path().join(key)).unwrap(),
            None => drop(self.http("DELETE", &self.path(key), &[])),
        }
    }

    /// A text that is stored.
    pub fn read(&self, key: &str) -> String {
        match &self.directory {
            Some(directory) => fs::read_to_string(directory.path().join(key)).unwrap(),
            None => self.http("GET", &self.path(key), &[]),
        }
    }

    /// A file of a directory.
    pub fn file(&self, key: &str) -> PathBuf {
        self.try_file(key).unwrap()
    }

    /// `None` of a bucket.
    pub fn try_file(&self, key: &str) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.path().join(key))
    }

    /// The same bucket behind faults.
    pub fn behind(&self, choose: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        Self::at(&self.url, &proxy::before(self, choose))
    }

    /// The keys of its records, in no order of theirs.
    pub fn records(&self) -> Vec<String> {
        self.keys().into_iter().filter(|key| !key.contains('/')).collect()
    }

    /// All of a directory, elsewhere.
    pub fn copy(&self) -> Self {
        let copy = Self::directory();
        for key in self.keys() {
            let target = copy.file(&key);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(self.file(&key), target).unwrap();
        }
        copy
    }

    fn bucket_name(&self) -> &str {
        self.url.split('/').nth(2).unwrap()
    }

    fn path(&self, key: &str) -> String {
        format!("/{}/some/where/{key}", self.bucket_name())
    }

    /// A request of one's own, past any proxy; gives the answer's body.
    fn http(&self, method: &str, path: &str, body: &[u8]) -> String {
        let address = server().unwrap().http.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        // The server asks for a signature, but does not verify it.
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        body.to_owned()
    }
}

fn files(directory: &Path, root: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path, root),
            false => vec![path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()],
        })
        .collect()
}

/// The S3 server of all tests of this process: it ends with its standard input, which ends with the process.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref()
}

fn start() -> Option<Server> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let tools = env::var_os("PRA_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
    let python = tools.join("bin/python3");
    let has_server = Command::new(&python).args(["-c", "import moto, flask_cors"]).output();
    if !has_server.is_ok_and(|output| output.status.success()) {
        return skip("there is no S3 server (moto); cargo xtask setup --python-only gets it");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/remote/s3_server.py");
    let mut process = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server: Server = serde_json::from_str(&line).unwrap();
    Some(Server { _process: Some(process), ..server })
}

#[expect(clippy::print_stderr, reason = "a test that cannot check must say so")]
fn skip<T>(why: &str) -> Option<T> {
    let set = |name, value| env::var(name).is_ok_and(|found| found == value);
    assert!(!set("CI", "true") && !set("PRA_REQUIRE_TOOLS", "1"), "cannot check: {why}");
    eprintln!("skipped: {why}");
    None
}
