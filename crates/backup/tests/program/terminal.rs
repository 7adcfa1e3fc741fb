//! What others wrote reaches a terminal only escaped: every text of a manifest, names of files and tables, a store's words.

use std::fs;

use backup::{Manifest, Repository};
use rusqlite::Connection;
use serde_json::Value;

use crate::remote;
use crate::stage::{Ended, Stage, create_table, insert};

/// Clears the screen, sets the title, forges a line, turns text around and ends a line; from both sets of controls.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\r\nforged\u{9b}31m\u{202e}abc\u{2066}\u{2028}\u{7f}";

#[track_caller]
fn expect_escaped(ended: &Ended, what: &str) {
    for text in [&ended.stdout, &ended.stderr] {
        let obeyed =
            |letter: char| (letter.is_control() && letter != '\n') || "\u{202e}\u{2066}\u{2028}".contains(letter);
        assert!(!text.contains(obeyed), "{what}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("forged")), "{what}: {text:?}");
    }
}

/// The places of all texts of a manifest, as JSON pointers; keys of maps are places too.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(values) => {
            (0..).zip(values).for_each(|(index, value)| texts(value, &format!("{at}/{index}"), found));
        }
        Value::Object(values) => values.iter().for_each(|(key, value)| texts(value, &format!("{at}/{key}"), found)),
        _ => {}
    }
}

/// A manifest in which every text there can be is there.
fn full(stage: &Stage, manifest: &Manifest) -> Value {
    let bytes = fs::read(stage.repository.manifest(&manifest.name)).unwrap();
    let mut value: Value = serde_json::from_slice(&bytes).unwrap();
    value.as_object_mut().unwrap().remove("manifest_blake3");
    value["checked"] =
        serde_json::json!({"check": "quick", "verdict": "inconsistent", "findings": ["NULL value in t.a"]});
    value["suspicions"] = serde_json::json!([{"kind": "shrunk", "reason": "expected, found"}]);
    value["source"]["name"] = "shop".into();
    value["lineage"] = "0".repeat(32).into();
    value["follows_suspect"] = value["name"].clone();
    value["restored_from"] = value["name"].clone();
    value["trusted_at"] = value["created_at"].clone();
    value["confirmed_at"] = value["created_at"].clone();
    value
}

fn every_command(stage: &Stage, what: &str) {
    let database = stage.path("copy.db");
    let remote = stage.path("remote");
    fs::create_dir_all(&remote).unwrap();
    let remote = format!("file://{}", remote.display());
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["verify", "--all"],
        &["verify", "--all", "--json"],
        &["restore", "--dry-run", "--database", database.to_str().unwrap()],
        &["restore", "--lineage", HOSTILE, "--database", database.to_str().unwrap()],
        &["prune", "--keep-last", "1", "--dry-run"],
        &["push", "--all", "--remote", &remote],
        &["list", "--remote", &remote],
        &["take", "--copy-unchanged"],
    ] {
        expect_escaped(&stage.run(arguments), &format!("{what}, {arguments:?}"));
    }
}

#[test]
fn no_text_of_a_manifest_is_obeyed() {
    let (stage, connection) = Stage::with_rows(3);
    insert(&connection, 1);
    drop(connection);
    let manifest = stage.take();
    let full = full(&stage, &manifest);
    let mut places = Vec::new();
    texts(&full, "", &mut places);
    assert!(places.len() > 15, "{places:?}");
    for place in places {
        let mut value = full.clone();
        *value.pointer_mut(&place).unwrap() = HOSTILE.into();
        for map in ["high_water", "tables"] {
            if let Some(first) = value[map].as_object().and_then(|map| map.values().next().cloned()) {
                value[map][HOSTILE] = first;
            }
        }
        fs::write(stage.repository.manifest(&manifest.name), value.to_string()).unwrap();
        every_command(&stage, &place);
    }
}

#[test]
fn no_name_of_a_file_or_a_table_is_obeyed() {
    let mut stage = Stage::new();
    let directory = stage.path(&HOSTILE.replace('\0', ""));
    fs::create_dir_all(directory.join("repository")).unwrap();
    stage.database = directory.join("app.db");
    stage.repository = Repository::at(directory.join("repository"));
    let connection = Connection::open(&stage.database).unwrap();
    create_table(&connection);
    insert(&connection, 3);
    let table = HOSTILE.replace('"', "");
    connection.execute_batch(&format!("CREATE TABLE \"{table}\" (a NOT NULL, b UNIQUE)")).unwrap();
    connection.execute_batch("PRAGMA writable_schema = 1").unwrap();
    drop(connection);
    for (arguments, _) in
        [(&["take"][..], 0), (&["take", "--json"], 0), (&["restore", "--force"], 0), (&["verify", "--deep"], 0)]
    {
        expect_escaped(&stage.run(arguments), &format!("{arguments:?}"));
    }
    fs::write(stage.repository.path().join("app-20300101T000000.000Z.json"), "{").unwrap();
    every_command(&stage, "names");
    expect_escaped(&stage.run(&["take", "--database", stage.path(HOSTILE).join("none").to_str().unwrap()]), "missing");
}

#[test]
fn no_answer_of_a_store_is_obeyed() {
    let (stage, _connection) = Stage::with_rows(1);
    stage.take();
    for status in ["403 Forbidden", "500 Internal Server Error", "200 OK"] {
        let body = format!("<Error><Code>{HOSTILE}</Code><Message>{HOSTILE}</Message></Error>");
        let endpoint = remote::answering(status, &body);
        let store = remote::Store::at("s3://bucket/prefix", &endpoint);
        for arguments in [&["list", "--remote", "--remote-retries", "0"][..], &["push", "--remote-retries", "0"]] {
            expect_escaped(&store.run(&stage, arguments), &format!("{status}, {arguments:?}"));
        }
    }
}
