//! The book's tables of files and of JSON, held against what drills write and print.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Place, assert_exit};

/// The first column of the table that a chapter has under a heading.
fn documented(chapter: &str, heading: &str) -> BTreeSet<String> {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/en/src").join(chapter);
    let text = fs::read_to_string(chapter).unwrap();
    let section = text.split(&format!("# {heading}\n")).nth(1).unwrap_or_else(|| panic!("there is no {heading}"));
    let rows = section.lines().take_while(|line| !line.starts_with('#')).filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn fields<'a>(objects: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    objects.into_iter().flat_map(|object| object.as_object().unwrap().keys().cloned()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn printed(place: &Place, arguments: &[&str]) -> Value {
    let output = place.drill(arguments).output().unwrap();
    assert_exit(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A place with two signed drills, their summary, and a baseline.
fn drilled() -> Place {
    let place = Place::new();
    let key = place.path().join("key.pem");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&key).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let run = ["run", "kill-pvc", "--runs", "2", "--backup-every", "1s", "--sign-key", key.to_str().unwrap()];
    assert_exit(&place.drill(&run).output().unwrap(), 0);
    assert_exit(&place.drill(&["compare", "--save-baseline", "latest"]).output().unwrap(), 0);
    place
}

#[test]
fn the_book_has_every_file_and_every_field() {
    let place = drilled();
    let (summaries, reports): (Vec<_>, Vec<_>) =
        place.reports().into_iter().partition(|folder| folder.to_str().unwrap().contains("-summary-"));
    let [report, summary] = [&reports[0], &summaries[0]];
    assert_eq!(files(report), documented("report-files.md", "A report"));
    assert_eq!(files(summary), documented("report-files.md", "A summary"));
    assert_eq!(files(&place.path().join("reports")), documented("report-files.md", "The history"));

    let of_lines = |file: &str| fields(&lines(&report.join(file)));
    assert_eq!(of_lines("ledger.jsonl"), documented("report-files.md", "A line of `ledger.jsonl`"));
    assert_eq!(of_lines("reads.jsonl"), documented("report-files.md", "A line of `reads.jsonl`"));
    let history = lines(&place.path().join("reports/history.jsonl"));
    assert_eq!(fields(&history), documented("report-files.md", "A line of `history.jsonl`"));
    let summary: Value = serde_json::from_slice(&fs::read(summary.join("summary.json")).unwrap()).unwrap();
    assert_eq!(fields([&summary]), documented("report-files.md", "Fields of `summary.json`"));

    let shown = printed(&place, &["history", "--json"]);
    assert_eq!(fields([&shown]), documented("json.md", "`drill history`"));
    assert_eq!(fields([&shown["series"][0]]), documented("json.md", "A series"));
    assert_eq!(fields([&shown["runs"][0]]), documented("report-files.md", "A line of `history.jsonl`"));
    let compared = printed(&place, &["compare", "previous", "latest", "--tolerance", "100000%", "--json"]);
    assert_eq!(fields([&compared]), documented("json.md", "`drill compare`"));
}

#[test]
fn the_book_has_every_field_of_a_protector() {
    let place = Place::new();
    fs::write(place.path().join("other.json"), r#"{"none": 1}"#).unwrap();
    let output = place.drill(&["run", "kill-pvc", "--protector", "other.json"]).output().unwrap();
    assert_exit(&output, 2);
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = said.split_once("expected one of ").expect(&said).1;
    let fields: BTreeSet<String> = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(documented("protector.md", "Protector files"), fields, "{said}");
}
