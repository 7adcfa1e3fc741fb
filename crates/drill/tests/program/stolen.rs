//! A thief with the service's own credentials, before a bucket that refuses what S3 refuses.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Place, assert_exit};

const SECRET: &str = "a-secret-of-a-test";

/// May do everything in its bucket, as a service should not.
const MIGHTY: &str = "AKIDOFTHEMIGHTY";

/// May not delete versions nor override locks.
const MODEST: &str = "AKIDOFTHEMODEST";

/// A server of buckets of one test's own; it ends with its standard input.
struct Store {
    http: String,
    _process: Child,
}

impl Store {
    /// `None`, said aloud, where there is no Python.
    fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let tools = env::var_os("PRA_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
        let own = tools.join("bin/python3");
        let denied = ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutBucketVersioning"];
        let identities = json!({
            MIGHTY: {"secret": SECRET, "deny": []},
            MODEST: {"secret": SECRET, "deny": denied},
        });
        let mut command = Command::new(if own.is_file() { own } else { PathBuf::from("python3") });
        command.arg(root.join("crates/backup/tests/program/remote/locking_s3.py")).arg(identities.to_string());
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut process) = started else {
            let set = |name, value| env::var(name).is_ok_and(|found| found == value);
            assert!(!set("CI", "true") && !set("PRA_REQUIRE_TOOLS", "1"), "cannot check: there is no python3");
            eprintln!("skipped: there is no python3");
            return None;
        };
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Some(Self { http: said["http"].as_str().unwrap().to_owned(), _process: process })
    }

    /// A request of the owner.
    fn owner(&self, method: &str, path: &str, headers: &str, body: &str) {
        let address = self.http.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: s3\r\nx-test-owner: yes\r\nconnection: close\r\n{headers}");
        write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }

    fn drill(&self, place: &Place, key_id: &str, arguments: &[&str], lock: &[(&str, &str)]) -> Output {
        let mut command = place.drill(&[&["run", "stolen-credentials", "--backup-every", "1s"], arguments].concat());
        command.env("AWS_ENDPOINT_URL", &self.http).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", key_id).env("AWS_SECRET_ACCESS_KEY", SECRET);
        command.envs(lock.iter().copied()).output().unwrap()
    }
}

fn with_locks(store: &Store) {
    store.owner("PUT", "/bucket", "x-amz-bucket-object-lock-enabled: true\r\n", "");
}

fn deed<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let deeds = report["theft"]["deeds"].as_array().unwrap_or_else(|| panic!("no theft in {report:#}"));
    deeds.iter().find(|deed| deed["kind"] == kind).unwrap()
}

/// How often it was allowed and refused.
fn came_of(report: &Value, kind: &str) -> (u64, u64) {
    let deed = deed(report, kind);
    (deed["allowed"].as_u64().unwrap(), deed["refused"].as_u64().unwrap())
}

#[test]
fn what_was_locked_comes_back_whatever_the_thief_may() {
    let Some(store) = Store::start() else { return };
    with_locks(&store);
    for (key_id, mode) in [(MODEST, "governance"), (MIGHTY, "compliance")] {
        let place = Place::new();
        let lock = [("BACKUP_LOCK_FOR", "1h"), ("BACKUP_LOCK_MODE", mode)];
        let output = store.drill(&place, key_id, &["--remote", "s3://bucket/drills"], &lock);
        assert_exit(&output, 0);
        place.assert_clean();
        let report = place.report();
        assert_eq!(
            (&report["verdict"], &report["ledger"]["lost_after_fault"]),
            (&"pass".into(), &0.into()),
            "{report:#}"
        );
        assert!(report["ledger"]["lost_before_fault"].as_u64().unwrap() >= 1, "what came after the theft: {report:#}");
        for kind in ["shorten-lock", "override-lock", "delete-version", "override-and-delete"] {
            let (allowed, refused) = came_of(&report, kind);
            assert!(allowed == 0 && refused >= 2, "{kind}: {report:#}");
        }
        for kind in ["append", "overwrite", "delete"] {
            let (allowed, refused) = came_of(&report, kind);
            assert!(allowed >= 2 && refused == 0, "{kind}: {report:#}");
        }
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("What a thief could do") && said.contains("delete their versions for good"), "{said}");
        let folder = &place.reports()[0];
        for file in ["report.md", "report.html"] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            assert!(text.contains("What a thief could do") && text.contains("AccessDenied"), "{file}: {text}");
        }
    }
}

#[test]
fn who_may_override_a_lock_takes_all_and_the_report_says_so() {
    let Some(store) = Store::start() else { return };
    with_locks(&store);
    let place = Place::new();
    let lock = [("BACKUP_LOCK_FOR", "1h")];
    let output = store.drill(&place, MIGHTY, &["--remote", "s3://bucket/drills"], &lock);
    assert_exit(&output, 1);
    let report = place.report();
    assert_eq!((&report["verdict"], &report["causes"]), (&"fail".into(), &json!(["not-recovered"])), "{report:#}");
    let (allowed, refused) = came_of(&report, "override-and-delete");
    assert!(allowed >= 2 && refused == 0, "{report:#}");
}

#[test]
fn what_is_missing_is_said_before_anything_is_broken() {
    let Some(store) = Store::start() else { return };
    let refused = |arguments: &[&str], lock: &[(&str, &str)], code: i32, why: &str| {
        let place = Place::new();
        let output = store.drill(&place, MODEST, arguments, lock);
        assert_exit(&output, code);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why), "expected {why:?}, found: {said}");
        assert!(place.reports().is_empty());
    };
    let (bucket, lock) = (["--remote", "s3://bucket"], [("BACKUP_LOCK_FOR", "1h")]);
    refused(&[], &lock, 2, "without --remote s3://");
    refused(&["--remote", "file:///tmp"], &lock, 2, "without --remote s3://");
    store.owner("PUT", "/bucket", "", "");
    refused(&bucket, &lock, 3, "versioning is off");
    store.owner("PUT", "/bucket?versioning", "", "<V><Status>Enabled</Status></V>");
    refused(&bucket, &lock, 3, "object lock is off");
    with_locks(&store);
    refused(&bucket, &[], 3, "set BACKUP_LOCK_FOR");
    refused(&["--remote", "s3://elsewhere"], &lock, 3, "NoSuchBucket");
}
