//! The forms of a report: what a person, a browser and a build server are given.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, assert_exit, program};

fn folder(place: &Place) -> PathBuf {
    place.reports().remove(0)
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Parses a file with an XML parser that is not ours.
fn assert_well_formed(file: &Path) {
    let mut python = Command::new("python3");
    python.args(["-c", "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])"]).arg(file);
    assert_exit(&python.output().unwrap(), 0);
}

#[test]
fn the_page_needs_nothing_but_itself_and_links_every_file_beside_it() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pvc", "--backup-every", "1s", "--commit", "c0ffee"]).output().unwrap();
    assert_exit(&output, 0);
    let folder = folder(&place);
    let page = text(&folder, "report.html");
    for wanted in ["<!DOCTYPE html>", "class=\"pass\"", "The outage", "c0ffee", "Of ", " acknowledged writes, "] {
        assert!(page.contains(wanted), "{wanted:?} is not in {page}");
    }
    // For an auditor.
    let method = &place.report()["method"];
    for known in ["operator", "host", "sqlite_version", "commit"] {
        assert!(page.contains(method[known].as_str().unwrap()), "{known} of {method:#} is not in {page}");
    }
    assert!(method["database_bytes"].as_u64().unwrap() > 0, "{method:#}");
    for fetched in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(fetched), "{fetched:?} is in {page}");
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "report.html" || page.contains(&format!("href=\"{name}\"")), "{name} is not linked");
    }
    let svg = text(&folder, "timeline.svg");
    assert!(svg.contains("<title") && svg.contains("<desc") && svg.contains("fault effective"), "{svg}");
    assert_well_formed(&folder.join("timeline.svg"));
    let reads = text(&folder, "reads.jsonl");
    assert!(reads.lines().any(|line| line.ends_with(r#""seen":"correct"}"#)), "{reads}");
}

#[test]
fn a_build_server_is_told_of_a_pass_and_of_a_failure() {
    let place = Place::new();
    let arguments = ["run", "kill-pod", "--backup-every", "1s"];
    assert_exit(&place.drill(&arguments).output().unwrap(), 0);
    let passed = text(&folder(&place), "junit.xml");
    assert!(passed.contains(r#"tests="1" failures="0" errors="0""#), "{passed}");
    let place = Place::new();
    assert_exit(&place.drill(&[&arguments[..], &["--rto", "1ms"]].concat()).output().unwrap(), 1);
    let failed = text(&folder(&place), "junit.xml");
    assert!(failed.contains(r#"failures="1" errors="0""#) && failed.contains("RTO missed"), "{failed}");
}

#[test]
fn what_programs_say_is_shown_and_not_interpreted() {
    let place = Place::with_backup_in(|_| {
        let said = r#"error: nothing \033[31m<b onclick="x()">good</b> & well"#;
        let backup = program("backup");
        format!("#!/bin/sh\n[ \"$1\" = restore ] || exec {} \"$@\"\nprintf '{said}' >&2\nexit 3\n", backup.display())
    });
    assert_exit(&place.drill_in_place(&["run", "kill-pvc", "--backup-every", "1s"]).output().unwrap(), 1);
    let folder = folder(&place);
    let page = text(&folder, "report.html");
    assert!(page.contains("&lt;b onclick=&quot;x()&quot;&gt;good&lt;/b&gt; &amp; well"), "{page}");
    assert!(!page.contains("<b onclick"), "{page}");
    for name in ["junit.xml", "timeline.svg"] {
        assert_well_formed(&folder.join(name));
    }
}
