//! Buckets with versions and locks, on a server that refuses what S3 refuses, and who comes to them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

use super::store::{KEY_ID, SECRET, Store, skip, tools};
use crate::stage::{Ended, Stage, ended};

/// Who may not know of locks.
pub const BLIND: &str = "AKIDOFTHEBLIND";

/// A bucket of one test's own. Its store is reached with credentials that may neither delete for good nor override a lock.
pub struct Vault {
    pub store: Store,
}

/// What the bucket can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Versions,
    Locks,
    /// Takes locks, and has none.
    ForgetsLocks,
}

/// A version of an object; `until` is empty if it is not locked.
#[derive(Clone, Debug)]
pub struct Version {
    pub key: String,
    pub is_marker: bool,
    pub mode: String,
    pub until: Option<Timestamp>,
}

impl Vault {
    /// `None`, said aloud, where there is no Python.
    pub fn new(kind: Kind) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let bucket = format!("vault-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let vault = Self { store: Store::at(&format!("s3://{bucket}/some/where"), &server.http) };
        let lock = match kind {
            Kind::Plain | Kind::Versions => "",
            Kind::Locks => "x-amz-bucket-object-lock-enabled: true\r\n",
            Kind::ForgetsLocks => "x-amz-bucket-object-lock-enabled: true\r\nx-test-forgets: yes\r\n",
        };
        vault.owner("PUT", "", lock, b"");
        if kind == Kind::Versions {
            vault.owner("PUT", "?versioning", "", b"<V><Status>Enabled</Status></V>");
        }
        Some(vault)
    }

    /// The program, with other credentials.
    pub fn run_as(&self, key_id: &str, stage: &Stage, arguments: &[&str]) -> Ended {
        let mut command = self.store.command(stage, arguments);
        command.env("AWS_ACCESS_KEY_ID", key_id);
        ended(command)
    }

    /// A request of whoever owns the bucket, who may do everything but break a lock. Gives the answer's body.
    pub fn owner(&self, method: &str, rest: &str, headers: &str, body: &[u8]) -> String {
        let address = server().unwrap().http.strip_prefix("http://").unwrap();
        let bucket = self.store.url.split('/').nth(2).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "{method} /{bucket}/{rest} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-test-owner: yes\r\n{headers}\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.replace("/?", "?").as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let is_unlocked = ["NoSuchObjectLockConfiguration", "missing Object Lock"].iter().any(|why| body.contains(why));
        assert!(head.starts_with("HTTP/1.1 2") || is_unlocked, "{method} {rest}: {answer}");
        body.to_owned()
    }

    pub fn write(&self, key: &str, content: &[u8]) {
        self.owner("PUT", &format!("some/where/{key}"), "", content);
    }

    /// Leaves a delete marker.
    pub fn delete(&self, key: &str) {
        self.owner("DELETE", &format!("some/where/{key}"), "", b"");
    }

    /// The keys of the objects that are there, without the prefix.
    pub fn keys(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for version in self.versions() {
            // The newest comes first.
            if seen.iter().all(|(key, _)| *key != version.key) {
                seen.push((version.key, version.is_marker));
            }
        }
        seen.into_iter().filter(|(_, is_marker)| !is_marker).map(|(key, _)| key).collect()
    }

    /// Every version, in the order of keys, each with its newest first.
    pub fn versions(&self) -> Vec<Version> {
        let (mut versions, mut marker) = (Vec::new(), String::new());
        loop {
            let page = self.owner("GET", &format!("?versions&prefix=some/where/{marker}"), "", b"");
            for (at, _) in page.match_indices("<Key>") {
                versions.push(self.version(&page[at..], page[..at].ends_with("<DeleteMarker>")));
            }
            let next = |name| text(&page, name);
            match (next("NextKeyMarker"), next("NextVersionIdMarker")) {
                (Some(key), Some(id)) => marker = format!("&key-marker={key}&version-id-marker={id}"),
                _ => return versions,
            }
        }
    }

    fn version(&self, described: &str, is_marker: bool) -> Version {
        let (key, id) = (text(described, "Key").unwrap(), text(described, "VersionId").unwrap());
        let asked = format!("{key}?retention&versionId={id}");
        let lock = if is_marker { String::new() } else { self.owner("GET", &asked, "", b"") };
        let until = text(&lock, "RetainUntilDate").map(|until| until.parse().unwrap());
        let mode = text(&lock, "Mode").unwrap_or_default();
        Version { key: key.strip_prefix("some/where/").unwrap().to_owned(), is_marker, mode, until }
    }

    /// A time after all that was done here until now, and before all that will be: the store dates by the second.
    pub fn between(&self) -> String {
        let second = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let (now, began) = (second(), Instant::now());
        while second() == now {
            assert!(began.elapsed() < Duration::from_secs(60), "the clock stands");
            std::thread::sleep(Duration::from_millis(10));
        }
        Timestamp::from_second(i64::try_from(now).unwrap()).unwrap().to_string()
    }
}

/// The first element of that name.
fn text(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(text, _)| text.to_owned())
}

#[derive(Deserialize)]
struct Server {
    http: String,
    #[serde(skip)]
    _process: Option<Child>,
}

/// The server of all tests of this process: it ends with its standard input, which ends with the process.
fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref()
}

fn start() -> Option<Server> {
    let own = tools().join("bin/python3");
    let python = if own.is_file() { own } else { PathBuf::from("python3") };
    let deletes = ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"];
    let asks = ["s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"];
    let identities = serde_json::json!({
        KEY_ID: {"secret": SECRET, "deny": deletes},
        BLIND: {"secret": SECRET, "deny": asks},
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/remote/locking_s3.py");
    let mut command = Command::new(python);
    command.arg(script).arg(identities.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut process) = command.spawn() else { return skip("there is no python3") };
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server: Server = serde_json::from_str(&line).unwrap();
    Some(Server { _process: Some(process), ..server })
}
