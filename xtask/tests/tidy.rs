//! Invariants of the whole workspace that no compiler checks.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The edges between crates of the workspace, tests left aside.
fn edges() -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut edges = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["path"].is_string() && dependency["kind"] != "dev" {
                let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
                edges.push((name(package), name(dependency)));
            }
        }
    }
    edges.sort();
    edges
}

#[test]
fn crates_depend_on_each_other_only_where_the_architecture_says_so() {
    let expected = [("app", "backup"), ("drill", "backup")];
    assert_eq!(edges(), expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
}

fn sources() -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for directory in ["bench", "crates", "xtask"] {
        walk(&root().join(directory), &mut found);
    }
    assert!(found.len() > 50, "this test looks in the wrong place: {found:?}");
    found
}

/// The length of each function in a formatted file: from the line that begins it to the brace in the same column.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let signature = code.split_once("fn ").filter(|(before, _)| {
            before
                .split_whitespace()
                .all(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(&word))
        });
        if signature.is_some() {
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let length = lines[number..].iter().position(|line| *line == end).map_or(1, |last| last + 1);
            functions.push((code, length));
        }
    }
    functions
}

#[test]
fn no_function_is_longer_than_70_lines() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for (signature, length) in functions(&text) {
            assert!(length <= 70, "{}: {signature} has {length} lines", path.display());
        }
    }
}

#[test]
fn every_subcommand_is_a_file_of_its_own() {
    let main = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let commands =
        main.lines().skip_while(|line| !line.starts_with("enum Command")).skip(1).take_while(|line| *line != "}");
    let files: Vec<String> = commands.map(|line| line.trim().split('(').next().unwrap().to_lowercase()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert!(root().join(format!("xtask/src/{file}.rs")).is_file(), "xtask/src/{file}.rs is missing");
    }
}

/// What opens, creates or replaces a file by its path, following links and waiting for pipes.
const BY_PATH: [&str; 12] = [
    "File::open",
    "File::create",
    "File::options",
    "OpenOptions",
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
    "fs::copy(",
    "fs::rename(",
    "fs::remove_file(",
    "fs::set_permissions(",
    "Connection::open_with_flags",
];

/// Where that is right, with what it is: the module itself, and SQLite, which opens by path alone.
const MAY_OPEN: [(&str, &[&str]); 6] = [
    ("crates/backup/src/openat.rs", &["File::open"]),
    // A key that a user names: Kubernetes mounts it behind links. It is opened without waiting, and has to be a regular file.
    ("crates/backup/src/signature.rs", &["File::options", "OpenOptions"]),
    ("crates/backup/src/untrusted.rs", &["Connection::open_with_flags"]),
    ("crates/app/src/store/mod.rs", &["Connection::open_with_flags"]),
    ("crates/app/src/store/schema.rs", &["Connection::open_with_flags"]),
    // A file of the kernel.
    ("crates/app/src/store/journal/instance.rs", &["fs::read_to_string("]),
];

#[test]
fn files_are_opened_where_others_may_write_by_one_module() {
    let places = [
        "crates/backup/src",
        "crates/app/src",
        "crates/drill/src/report",
        "crates/drill/src/history",
        "crates/drill/src/evidence",
    ];
    let mut used = 0;
    for path in sources() {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if !places.iter().any(|place| name.starts_with(place)) || name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap();
        for call in BY_PATH.iter().filter(|call| shipped.contains(**call)) {
            let may = MAY_OPEN.iter().any(|(file, calls)| *file == name && calls.contains(call));
            assert!(may, "{name}: {call} follows links and waits for pipes; use backup::openat");
            used += 1;
        }
    }
    assert!(used >= MAY_OPEN.len(), "this test looks for something else");
}

/// A number as `bounds.rs` has it, as the book shows it.
fn shown(expression: &str) -> String {
    let plain = expression.replace('_', "");
    if let Some((number, shift)) = plain.split_once(" << ") {
        let bytes = number.parse::<u64>().unwrap() << shift.parse::<u32>().unwrap();
        let (unit, shift) =
            [("TiB", 40), ("MiB", 20), ("KiB", 10)].into_iter().find(|(_, shift)| bytes >> shift > 0).unwrap();
        return format!("{} {unit}", bytes >> shift);
    }
    if let Some(seconds) = plain.strip_prefix("Duration::fromsecs(") {
        return format!("{} s", seconds.trim_end_matches(')'));
    }
    expression.replace('_', ",")
}

#[test]
fn the_book_has_every_bound() {
    let bounds = fs::read_to_string(root().join("crates/backup/src/bounds.rs")).unwrap();
    let book = fs::read_to_string(root().join("docs/en/src/bounds.md")).unwrap();
    let constants = || {
        let lines = bounds.lines().filter_map(|line| line.strip_prefix("pub const "));
        lines.map(|line| {
            let (name, value) = line.split_once(" = ").unwrap();
            (name.split(':').next().unwrap(), value.trim_end_matches(';'))
        })
    };
    for (name, value) in constants() {
        let value = constants().find(|(other, _)| *other == value).map_or(value, |(_, value)| value);
        let row = format!("| `{name}` | {} |", shown(value));
        assert!(book.contains(&row), "docs/en/src/bounds.md lacks the row {row}");
    }
    let rows = book.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, constants().count(), "docs/en/src/bounds.md has a bound that is none");
}

/// The rows of the table of exit codes in a program's source: `  6  refused`, perhaps in several lines.
fn exit_codes(source: &str) -> Vec<String> {
    let table = source.split_once("HELP: &str = \"").unwrap().1.split_once("\";").unwrap().0;
    let mut rows: Vec<String> = Vec::new();
    for line in table.lines().skip_while(|line| !line.starts_with("  0  ")) {
        match line.trim().split_once("  ") {
            Some((code, meaning)) => rows.push(format!("| {code} | {meaning}")),
            None => *rows.last_mut().unwrap() += &format!(" {}", line.trim()),
        }
    }
    rows.into_iter().map(|row| row + " |").collect()
}

#[test]
fn the_book_has_the_exit_codes_that_the_programs_show() {
    let book = fs::read_to_string(root().join("docs/en/src/exit-codes.md")).unwrap();
    for (program, file, codes) in [("backup", "crates/backup/src/exit.rs", 9), ("drill", "crates/drill/src/exit.rs", 7)]
    {
        let rows = exit_codes(&fs::read_to_string(root().join(file)).unwrap());
        assert_eq!(rows.len(), codes, "{file}: {rows:?}");
        let section = book.split(&format!("## {program}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        let found: Vec<&str> =
            section.lines().filter(|line| line.starts_with("| ") && !line.contains("---")).skip(1).collect();
        assert_eq!(found, rows, "docs/en/src/exit-codes.md differs from {file}");
    }
}

#[test]
fn a_codespace_has_the_compiler_of_everybody_else() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
    let codespace = read(".devcontainer/devcontainer.json");
    assert!(codespace.contains(&format!(r#"/rust:1.5.1": {{ "version": {channel} }}"#)), "not {channel}: {codespace}");
}
