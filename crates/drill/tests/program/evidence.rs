//! Signed reports: OpenSSL makes the keys and checks the signature too, so that not only our own code says it is right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Place, assert_exit};

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
    let cases: [(&str, Tamper); 8] = [
        ("report.json was changed", |folder| {
            let path = folder.join("report.json");
            let text = fs::read_to_string(&path).unwrap().replace("\"lost\": 0", "\"lost\": 1");
            fs::write(path, text).unwrap();
        }),
        ("ledger.jsonl is missing", |folder| fs::remove_file(folder.join("ledger.jsonl")).unwrap()),
        ("more.txt was added", |folder| fs::write(folder.join("more.txt"), "").unwrap()),
        ("more was added", |folder| fs::create_dir(folder.join("more")).unwrap()),
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
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        verified(&place, &copy, "mine.pub", 0);
        tamper(&copy);
        let shown = verified(&place, &copy, "mine.pub", 1);
        assert!(shown.contains(finding), "{finding:?} is not in {shown}");
    }
    make_key(&place, "other");
    assert!(verified(&place, &folder, "other.pub", 1).contains("another key signed it"));
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
