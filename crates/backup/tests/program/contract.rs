//! The book's tables of JSON, held against the types of the library and against what the program prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use backup::prune::Pruned;
use backup::remote::pull::Pulled;
use backup::remote::push::Pushed;
use backup::restore::{IntoLive, Plan, Undone};
use backup::take::Taken;
use backup::verify::Checked;
use backup::{Manifest, Rehearsal, Restored, Source};
use serde::Deserialize;
use serde_aux::serde_introspection::serde_introspect;
use serde_json::Value;

use crate::stage::Stage;

/// The fields that the chapter has under a heading, and those of them that are optional.
fn documented(heading: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/en/src/json.md");
    let text = fs::read_to_string(chapter).unwrap();
    let section = text.split(&format!("# {heading}\n")).nth(1).unwrap_or_else(|| panic!("there is no {heading}"));
    let rows = section.lines().take_while(|line| !line.starts_with('#')).filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<(&str, &str)> = rows.map(|row| row.split_once("` | ").unwrap()).collect();
    let names = |rows: &mut dyn Iterator<Item = &(&str, &str)>| rows.map(|(name, _)| (*name).to_owned()).collect();
    (names(&mut rows.iter()), names(&mut rows.iter().filter(|(_, meaning)| meaning.starts_with("optional"))))
}

fn assert_fields<'de, T: Deserialize<'de>>(heading: &str) {
    let fields: BTreeSet<String> = serde_introspect::<T>().iter().map(|field| (*field).to_owned()).collect();
    assert_eq!(documented(heading).0, fields, "{heading}");
}

#[test]
fn the_book_has_every_field_of_every_type() {
    assert_fields::<Taken>("`backup take`");
    assert_fields::<Restored>("`backup restore`");
    assert_fields::<Plan>("`backup restore --dry-run`");
    assert_fields::<Pruned>("`backup prune`");
    assert_fields::<Pushed>("`backup push`");
    assert_fields::<Pulled>("`backup pull`");
    assert_fields::<Manifest>("A manifest");
    assert_fields::<Source>("A source");
    assert_fields::<Checked>("A check");
    assert_fields::<Rehearsal>("A rehearsal");
    assert_fields::<Undone>("What is undone");
    assert_fields::<IntoLive>("A restore into a live database");
}

/// Asserts that an object has the fields under these headings: all of them but optional ones, and no other.
#[track_caller]
fn assert_printed(headings: &[&str], object: &Value) {
    let printed: BTreeSet<String> = object.as_object().unwrap().keys().cloned().collect();
    let (mut fields, mut optional) = (BTreeSet::new(), BTreeSet::new());
    for heading in headings {
        let documented = documented(heading);
        fields.extend(documented.0);
        optional.extend(documented.1);
    }
    let unknown: Vec<&String> = printed.difference(&fields).collect();
    assert!(unknown.is_empty(), "{headings:?} lacks {unknown:?}");
    let missing: Vec<&String> = fields.difference(&printed).filter(|field| !optional.contains(*field)).collect();
    assert!(missing.is_empty(), "{headings:?} has {missing:?}, which is not printed");
}

#[test]
fn every_command_prints_what_the_book_says() {
    let (stage, connection) = Stage::with_rows(5);
    let remote = format!("file://{}", stage.path("remote").display());
    fs::create_dir(stage.path("remote")).unwrap();
    let remote = ["--remote", &remote];
    let print = |arguments: &[&str]| stage.json::<Value>(arguments);
    let with_remote = |command: &str| print(&[&[command], &remote[..]].concat());

    let taken = print(&["take"]);
    assert_printed(&["`backup take`"], &taken);
    assert_printed(&["A manifest"], &taken["restore_point"]);
    assert_printed(&["A source"], &taken["restore_point"]["source"]);
    let [verified, listed] = [print(&["verify", "--deep"]), print(&["list"])];
    assert_printed(&["`backup verify`"], &verified[0]);
    assert_printed(&["A rehearsal"], &verified[0]["rehearsal"]);
    assert_printed(&["A check"], &verified[0]["checked"]);
    assert_printed(&["`backup list`"], &listed[0]);
    assert_printed(&["A manifest"], &print(&["trust", listed[0]["name"].as_str().unwrap()]));
    assert_printed(&["`backup push`"], &with_remote("push"));
    assert_printed(&["`backup pull`"], &with_remote("pull"));
    let elsewhere = with_remote("list");
    assert_printed(&["`backup list`"], &elsewhere[0]);
    assert_printed(&["A head"], &elsewhere[0]["record"]);
    let keep = ["prune", "--keep-last", "1"];
    assert_printed(&["`backup prune`"], &print(&keep));
    assert_printed(&["`backup prune`", "`backup prune --remote`"], &print(&[&keep[..], &remote].concat()));
    let live = print(&["restore", "--into-live"]);
    assert_printed(&["`backup restore`"], &live);
    assert_printed(&["A restore into a live database"], &live["live"]);
    drop(connection);
    assert_printed(&["`backup restore --dry-run`"], &print(&["restore", "--force", "--dry-run"]));
    stage.lose_database();
    let mut ensured = print(&["restore", "--if-missing"]);
    assert_eq!(ensured.as_object_mut().unwrap().remove("outcome").unwrap(), "restored");
    assert_printed(&["`backup restore`"], &ensured);
}
