//! Signed reports, summaries and histories: OpenSSL makes the keys and checks the signature too, so that not only our own code says it is right.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::support::{Place, assert_exit, program};

fn openssl(place: &Place, arguments: &[&str]) {
    assert_exit(&Command::new("openssl").args(arguments).current_dir(place.path()).output().unwrap(), 0);
}

/// Keys NAME.pem and NAME.pub.
fn make_key(place: &Place, name: &str) {
    let (key, public) = (format!("{name}.pem"), format!("{name}.pub"));
    openssl(place, &["genpkey", "-algorithm", "ed25519", "-out", &key]);
    openssl(place, &["pkey", "-in", &key, "-pubout", "-out", &public]);
}

/// A place with a signed report, and its folder.
fn signed() -> (Place, PathBuf) {
    let place = Place::new();
    make_key(&place, "mine");
    let arguments = ["run", "kill-pod", "--backup-every", "1s", "--sign-key", "mine.pem"];
    assert_exit(&place.drill(&arguments).output().unwrap(), 0);
    let folder = place.reports().remove(0);
    (place, folder)
}

/// What `verify-evidence` says, which must end with this code.
fn verified(place: &Place, folder: &Path, key: &str, code: i32) -> String {
    let output = place.drill(&["verify-evidence", folder.to_str().unwrap(), "--key", key]).output().unwrap();
    assert_exit(&output, code);
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

fn envelope(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("evidence.dsse.json")).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn a_signature_is_one_that_openssl_accepts_over_a_statement_of_every_file() {
    let (place, folder) = signed();
    let shown = verified(&place, &folder, "mine.pub", 0);
    assert!(shown.contains("as it was signed: kill-pod on local, automatic recovery, pass"), "{shown}");
    let envelope = envelope(&folder);
    let kind = "application/vnd.in-toto+json";
    assert_eq!(envelope["payloadType"], kind);
    let payload = bytes(&envelope["payload"]);
    // DSSE's encoding, written out here once more.
    let signed = [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), &payload].concat();
    fs::write(place.path().join("signed"), signed).unwrap();
    fs::write(place.path().join("signature"), bytes(&envelope["signatures"][0]["sig"])).unwrap();
    let check = ["pkeyutl", "-verify", "-pubin", "-inkey", "mine.pub", "-rawin", "-in", "signed"];
    openssl(&place, &[&check[..], &["-sigfile", "signature"]].concat());

    let statement: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://pra.dev/drill/report/v1");
    assert_eq!(statement["predicate"]["verdict"], "pass");
    let subjects = statement["subject"].as_array().unwrap();
    assert_eq!(subjects.len(), fs::read_dir(&folder).unwrap().count() - 1, "{statement:#}");
    let report = subjects.iter().find(|subject| subject["name"] == "report.json").unwrap();
    let sum = Command::new("sha256sum").arg(folder.join("report.json")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(report["digest"]["sha256"], sum.split(' ').next().unwrap());
}

#[test]
fn whatever_is_tampered_with_is_named() {
    type Tamper = fn(&Path);
    let cases: [(&str, Tamper); 13] = [
        ("report.json was changed", |folder| {
            let path = folder.join("report.json");
            let text = fs::read_to_string(&path).unwrap().replace("\"lost\": 0", "\"lost\": 1");
            fs::write(path, text).unwrap();
        }),
        ("ledger.jsonl is missing", |folder| fs::remove_file(folder.join("ledger.jsonl")).unwrap()),
        ("more.txt was added", |folder| fs::write(folder.join("more.txt"), "").unwrap()),
        ("more was added", |folder| fs::create_dir(folder.join("more")).unwrap()),
        ("ledger.jsonl is a symbolic link", |folder| {
            let (path, moved) = (folder.join("ledger.jsonl"), folder.with_extension("moved"));
            fs::rename(&path, &moved).unwrap();
            symlink(moved, path).unwrap();
        }),
        ("evidence.dsse.json cannot be read", |folder| {
            let (path, moved) = (folder.join("evidence.dsse.json"), folder.with_extension("moved"));
            fs::rename(&path, &moved).unwrap();
            symlink(moved, path).unwrap();
        }),
        ("report.md is not a regular file", |folder| {
            fs::remove_file(folder.join("report.md")).unwrap();
            mkfifo(&folder.join("report.md"), Mode::S_IRWXU).unwrap();
        }),
        (r#""report.html\xFF" was added"#, |folder| {
            fs::write(folder.join(OsStr::from_bytes(b"report.html\xff")), "").unwrap();
        }),
        (r#""report\u{1b}[2K.json" was added"#, |folder| fs::write(folder.join("report\x1b[2K.json"), "").unwrap()),
        ("the signature was removed", |folder| fs::remove_file(folder.join("evidence.dsse.json")).unwrap()),
        ("no signature fits the key", |folder| {
            change(folder, |envelope| {
                let payload = String::from_utf8(bytes(&envelope["payload"])).unwrap();
                assert!(payload.contains(r#""verdict":"pass""#), "{payload}");
                let payload = payload.replace(r#""verdict":"pass""#, r#""verdict":"fail""#);
                envelope["payload"] = STANDARD.encode(payload).into();
            });
        }),
        ("no signature fits the key", |folder| {
            change(folder, |envelope| envelope["signatures"] = Value::Array(Vec::new()));
        }),
        ("expected \"application/vnd.in-toto+json\"", |folder| {
            change(folder, |envelope| envelope["payloadType"] = "text/plain".into());
        }),
    ];
    let (place, folder) = signed();
    for (number, (finding, tamper)) in cases.into_iter().enumerate() {
        let copy = place.path().join(format!("copy-{number}"));
        copy_folder(&folder, &copy);
        verified(&place, &copy, "mine.pub", 0);
        tamper(&copy);
        let shown = verified(&place, &copy, "mine.pub", 1);
        assert!(shown.contains(finding), "{finding:?} is not in {shown}");
    }
    make_key(&place, "other");
    assert!(verified(&place, &folder, "other.pub", 1).contains("another key signed it"));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn change(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut changed = envelope(folder);
    change(&mut changed);
    fs::write(folder.join("evidence.dsse.json"), changed.to_string()).unwrap();
}

#[test]
fn a_file_that_is_no_key_is_refused_before_anything_is_started() {
    let place = Place::new();
    fs::write(place.path().join("no.pem"), "-----BEGIN NOTHING-----\n").unwrap();
    openssl(&place, &["genpkey", "-algorithm", "ed448", "-out", "wrong.pem"]);
    openssl(&place, &["pkey", "-in", "wrong.pem", "-pubout", "-out", "wrong.pub"]);
    for key in ["no.pem", "absent.pem", "wrong.pem"] {
        let output = place.drill(&["run", "kill-pod", "--sign-key", key]).output().unwrap();
        assert_exit(&output, 2);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(key) && !said.contains("the service answers"), "{said}");
    }
    for key in ["no.pem", "wrong.pub"] {
        assert!(verified(&place, place.path(), key, 2).contains(key));
    }
    make_key(&place, "mine");
    assert!(verified(&place, Path::new("absent"), "mine.pub", 2).contains("cannot look into absent"));
}

/// A place with two signed runs, their folders, and that of the summary of both.
fn signed_twice() -> (Place, [PathBuf; 3]) {
    let place = Place::new();
    make_key(&place, "mine");
    let arguments = ["run", "kill-pod", "--backup-every", "1s", "--sign-key", "mine.pem", "--runs", "2"];
    assert_exit(&place.drill(&arguments).output().unwrap(), 0);
    let mut folders: Vec<PathBuf> = place.list("reports").into_iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    let (summary, runs): (Vec<PathBuf>, _) =
        folders.into_iter().partition(|path| path.to_str().unwrap().contains("summary"));
    (place, [&runs[..], &summary[..]].concat().try_into().unwrap())
}

/// What `verify-evidence --history` says, which must end with this code.
fn audited(place: &Place, code: i32) -> String {
    let output = place.drill(&["verify-evidence", "--history", "reports", "--key", "mine.pub"]).output().unwrap();
    assert_exit(&output, code);
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_report_is_not_taken_for_that_of_another_run_whatever_it_is_called() {
    let (place, [first, second, summary]) = signed_twice();
    assert!(verified(&place, &summary, "mine.pub", 0).contains("a summary of 2 runs on local"));
    let elsewhere = place.path().join("elsewhere");
    for folder in [&first, &summary] {
        let name = folder.file_name().unwrap();
        copy_folder(folder, &elsewhere.join(name));
        verified(&place, &elsewhere.join(name), "mine.pub", 0);
        fs::remove_dir_all(&elsewhere).unwrap();
    }
    let replayed = elsewhere.join(second.file_name().unwrap());
    for (folder, name) in [(&first, &second), (&first, &summary), (&summary, &second)] {
        let replayed = elsewhere.join(name.file_name().unwrap());
        copy_folder(folder, &replayed);
        let shown = verified(&place, &replayed, "mine.pub", 1);
        assert!(shown.contains("the folder goes by the name of another"), "{shown}");
        fs::remove_dir_all(&elsewhere).unwrap();
    }
    // By a link, in either direction.
    fs::create_dir(&elsewhere).unwrap();
    symlink(&first, &replayed).unwrap();
    verified(&place, &replayed, "mine.pub", 1);
    fs::remove_file(&replayed).unwrap();
    copy_folder(&first, &replayed);
    symlink(&replayed, elsewhere.join("latest")).unwrap();
    verified(&place, &elsewhere.join("latest"), "mine.pub", 1);

    let markdown = summary.join("summary.md");
    fs::write(&markdown, fs::read_to_string(&markdown).unwrap().replace("2 of 2", "1 of 2")).unwrap();
    assert!(verified(&place, &summary, "mine.pub", 1).contains("summary.md was changed"));
}

#[test]
fn whatever_was_signed_of_a_history_is_missed_or_recognised() {
    let (place, [first, second, _]) = signed_twice();
    let shown = audited(&place, 0);
    assert!(shown.contains("the history is as it was signed: 2 lines"), "{shown}");
    assert!(shown.contains("reports and summaries as they were signed: 3"), "{shown}");
    let file = place.path().join("reports/history.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let refused = |text: &str, finding: &str| {
        fs::write(&file, text).unwrap();
        let shown = audited(&place, 1);
        assert!(shown.contains(finding), "{finding:?} is not in {shown}");
    };
    refused(&format!("{}\n", lines[0]), "2 lines were signed, 1 are there");
    refused(&format!("{}\n", lines[1]), "2 lines were signed, 1 are there");
    refused("", "2 lines were signed, 0 are there");
    refused(&format!("{}\n{}\n", lines[1], lines[0]), "the first 2 lines are not those that were signed");
    let changed = text.replace(r#""lost":0"#, r#""lost":1"#);
    assert_ne!(changed, text);
    refused(&changed, "the first 2 lines are not those that were signed");
    refused(&changed, "the history has no line for run");

    // Nothing is broken, and nothing signed, on a history that is not what it was.
    let output = place.drill(&["run", "kill-pod", "--sign-key", "mine.pem"]).output().unwrap();
    assert_exit(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is not as it was signed") && said.contains("verify-evidence --history"), "{said}");

    // A report without its signature, of a run that was signed.
    fs::write(&file, &text).unwrap();
    fs::remove_file(first.join("evidence.dsse.json")).unwrap();
    assert!(audited(&place, 1).contains("the signature was removed"));
    fs::remove_dir_all(&first).unwrap();
    assert!(audited(&place, 0).contains("signed runs whose reports are not here: 1"));
    fs::remove_file(place.path().join("reports/history.dsse.json")).unwrap();
    assert!(audited(&place, 1).contains("the signature was removed"));
    assert!(second.is_dir());
}

#[test]
fn a_history_that_is_put_back_with_the_signature_of_then_lacks_what_a_younger_report_has_seen() {
    let place = Place::new();
    make_key(&place, "mine");
    let run = |key: bool| {
        let options: &[&str] = if key { &["--sign-key", "mine.pem"] } else { &[] };
        let arguments = [&["run", "kill-pod", "--backup-every", "1s"], options].concat();
        assert_exit(&place.drill(&arguments).output().unwrap(), 0);
    };
    let file = |name: &str| place.path().join("reports").join(name);
    run(true);
    let names = ["history.jsonl", "history.dsse.json"];
    let then = names.map(|name| fs::read(file(name)).unwrap());
    run(false);
    let shown = audited(&place, 0);
    assert!(shown.contains("lines that nobody signed: 0 before the last signed one, 1 after it"), "{shown}");
    assert!(shown.contains("folders that nobody signed: 1"), "{shown}");
    run(true);
    let shown = audited(&place, 0);
    // What came without the key does not become signed by what comes after it.
    assert!(shown.contains("lines that nobody signed: 1 before the last signed one, 0 after it"), "{shown}");
    for (name, bytes) in names.iter().zip(then) {
        fs::write(file(name), bytes).unwrap();
    }
    let shown = audited(&place, 1);
    assert!(shown.contains("the history does not begin with the 2 lines that were there before it"), "{shown}");
}

#[test]
fn a_key_that_others_have_is_warned_of() {
    let place = Place::new();
    make_key(&place, "mine");
    let key = place.path().join("mine.pem");
    for (mode, warning) in [(0o600, None), (0o400, None), (0o644, Some("mode 644")), (0o660, Some("mode 660"))] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        // Refused for what comes after the key, so that nothing is started.
        fs::create_dir_all(place.path().join("reports")).unwrap();
        fs::write(place.path().join("reports/history.dsse.json"), "").unwrap();
        let output = place.drill(&["run", "kill-pod", "--sign-key", "mine.pem"]).output().unwrap();
        assert_exit(&output, 2);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            said.contains("warning: the signing key mine.pem: others can read or write it"),
            warning.is_some(),
            "{said}"
        );
        assert!(said.contains(warning.unwrap_or_default()), "{said}");
    }
}

#[test]
fn a_key_that_is_given_in_the_place_of_its_file_is_not_repeated() {
    let place = Place::new();
    make_key(&place, "mine");
    let text = fs::read_to_string(place.path().join("mine.pem")).unwrap();
    let body = text.lines().nth(1).unwrap().to_owned();
    for given in [text.clone(), body.clone(), STANDARD.encode(&text)] {
        let output = place.drill(&["run", "kill-pod"]).env("DRILL_SIGN_KEY", &given).output().unwrap();
        assert_exit(&output, 2);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("expected the path of a key file"), "{said}");
        assert!(!said.contains(&body) && !said.contains(&given), "{said}");
        let help = place.drill(&["run", "--help"]).env("DRILL_SIGN_KEY", &given).output().unwrap();
        assert!(!String::from_utf8_lossy(&help.stdout).contains(&body));
    }
}

#[test]
fn how_far_the_remote_repository_was_is_signed_too() {
    let place = Place::new();
    make_key(&place, "mine");
    let (remote, fresh) = (place.path().join("remote"), place.path().join("fresh"));
    for directory in [&remote, &fresh] {
        fs::create_dir(directory).unwrap();
    }
    let url = format!("file://{}", remote.display());
    let drill = ["run", "lose-both-volumes", "--backup-every", "1s", "--remote", &url, "--sign-key", "mine.pem"];
    assert_exit(&place.drill(&drill).output().unwrap(), 0);
    let shown = verified(&place, &place.reports()[0], "mine.pub", 0);
    let (_, head) = shown.trim().split_once("; remote head ").unwrap();
    let pull = |head: &str| {
        let mut pull = Command::new(program("backup"));
        pull.args(["pull", "--remote", &url, "--expect-head", head, "--database", "none.db", "--repository"])
            .arg(&fresh);
        pull.current_dir(place.path()).output().unwrap()
    };
    assert_exit(&pull(&head.replace(':', "9:")), 6);
    assert_exit(&pull(head), 0);
}
