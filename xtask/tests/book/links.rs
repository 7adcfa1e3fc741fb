use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::pages::{BOOKS, Page, chapters, page, pages, root};

/// A path without `..`, as a browser has it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the project", path.display()),
            component => plain.push(component),
        }
    }
    plain
}

/// Why a link leads nowhere; `None` if it leads somewhere, or off the project.
fn fault(from: &Page, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://localhost") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = match file {
        "" => from.path.clone(),
        file => plain(&from.path.parent().unwrap().join(file)),
    };
    let is_in_a_book = |path: &Path| BOOKS.iter().any(|book| path.starts_with(book));
    if !root().join(&target).exists() {
        return Some("no such file".to_owned());
    }
    if is_in_a_book(&from.path) && !is_in_a_book(&target) {
        return Some("it leaves the book, where it would lead nowhere once the book is built".to_owned());
    }
    let anchor = anchor?;
    let anchors = page(target).anchors();
    (!anchors.contains(&anchor.to_owned())).then(|| format!("no such heading; there are {anchors:?}"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let links: Vec<(&Page, String)> =
        pages.iter().flat_map(|page| page.links().into_iter().map(move |link| (page, link))).collect();
    assert!(links.len() > 100, "this test looks in the wrong place");
    let faults = links
        .iter()
        .filter_map(|(page, link)| fault(page, link).map(|fault| format!("{}: {link}: {fault}", page.path.display())));
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let from = page("docs/en/src/report.md");
    for (link, said) in [
        ("nowhere.md", "no such file"),
        ("measurement.md#nothing", "no such heading"),
        ("#nothing", "no such heading"),
        ("../../../README.md", "leaves the book"),
    ] {
        assert!(fault(&from, link).unwrap().contains(said), "{link}");
    }
    for link in ["measurement.md#resolution", "#several-runs", "../../fr/src/report.md", "https://rustup.rs"] {
        assert_eq!(fault(&from, link), None, "{link}");
    }
}

fn names(pages: &[Page]) -> BTreeSet<String> {
    pages.iter().map(|page| page.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_chapter_is_in_the_table_of_contents_of_its_book() {
    for book in BOOKS {
        let mut listed: BTreeSet<String> = page(format!("{book}/SUMMARY.md")).links().into_iter().collect();
        listed.insert("SUMMARY.md".to_owned());
        assert_eq!(names(&chapters(book)), listed, "{book}");
    }
}

#[test]
fn the_guide_has_the_same_chapters_in_both_languages() {
    let [english, french] = BOOKS.map(|book| {
        let mut names = names(&chapters(book));
        names.retain(|name| !name.starts_with("workshop") && name != "reference.md");
        names
    });
    let reference = page("docs/fr/src/reference.md").links();
    let of_the_reference: BTreeSet<String> =
        reference.iter().map(|link| link.trim_start_matches("../../en/src/").to_owned()).collect();
    assert_eq!(
        english,
        french.union(&of_the_reference).cloned().collect(),
        "and the French page of reference chapters"
    );
    assert!(french.is_disjoint(&of_the_reference), "{french:?}");
}
