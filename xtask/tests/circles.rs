//! Inside a crate, no two files need each other, be it through others: whoever reads one can stop at those it imports. A module
//! and what is within it are one thing here.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const CRATES: [&str; 4] = ["crates/app/src", "crates/backup/src", "crates/drill/src", "xtask/src"];

/// `["store", "journal"]` is the module `crate::store::journal`; the root has no names.
type Module = Vec<String>;

/// The source of each module, without comments and tests.
type Sources = BTreeMap<Module, String>;

/// By module and name, the path of what it re-exports.
type Reexports = BTreeMap<(Module, String), Vec<String>>;

type Edges = BTreeMap<Module, BTreeSet<Module>>;

fn collect(directory: &Path, module: &Module, sources: &mut Sources) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let within = |name: String| [module.clone(), vec![name]].concat();
        if path.is_dir() {
            collect(&path, &within(name), sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if ["lib", "main", "mod"].contains(&name.as_str()) { module.clone() } else { within(name) };
            let text = fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = shipped.lines().map(|line| line.split("//").next().unwrap());
            // A library and its program have the same root.
            sources.entry(module).or_default().extend(code.flat_map(|line| [line, "\n"]));
        }
    }
}

/// The paths that a tree of a `use` stands for: `a::{b, c::{d, e}}` has three.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<Vec<String>>) {
    let Some((before, within)) = tree.split_once('{') else {
        let whole = format!("{prefix}{}", tree.split(" as ").next().unwrap());
        return paths.push(whole.split("::").map(|name| name.trim().to_owned()).collect());
    };
    let (prefix, within) = (format!("{prefix}{}", before.trim()), &within[..within.rfind('}').unwrap()]);
    let (mut depth, mut begin) = (0, 0);
    for (at, letter) in within.char_indices().chain([(within.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = within[begin..at].trim();
                if !branch.is_empty() {
                    expand(&prefix, branch, paths);
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
}

/// Every path in a source: those of its `use` declarations, with whether they are re-exports, and those in its code.
fn paths(source: &str) -> Vec<(Vec<String>, bool)> {
    let mut found = Vec::new();
    let mut statement = String::new();
    for line in source.lines() {
        let code = line.trim_start();
        let begins = code.starts_with("use ") || (code.starts_with("pub") && code.contains(" use "));
        if begins || !statement.is_empty() {
            statement.push_str(code);
            if code.ends_with(';') {
                let (before, tree) = statement.split_once("use ").unwrap();
                let mut paths = Vec::new();
                expand("", tree.trim_end_matches(';'), &mut paths);
                found.extend(paths.into_iter().map(|path| (path, before.starts_with("pub"))));
                statement.clear();
            }
            continue;
        }
        let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':');
        found.extend(words.filter(|word| word.contains("::")).map(|word| {
            let names = word.split("::").filter(|name| !name.is_empty()).map(str::to_owned);
            (names.collect(), false)
        }));
    }
    found
}

/// The path from the root, if it is one of this crate.
fn absolute(module: &Module, path: &[String], sources: &Sources) -> Option<Vec<String>> {
    let (mut base, mut rest) = (module.clone(), path);
    match rest.first()?.as_str() {
        "crate" => (base, rest) = (Vec::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        name => {
            if !sources.contains_key(&[&base[..], &[name.to_owned()]].concat()) {
                return None;
            }
        }
    }
    Some([&base[..], rest].concat())
}

/// The module in which what a path leads to is written, through re-exports.
fn defining(mut path: Vec<String>, sources: &Sources, reexports: &Reexports) -> Module {
    loop {
        let length = (0..=path.len()).rfind(|length| sources.contains_key(&path[..*length])).unwrap_or(0);
        let (module, rest) = path.split_at(length);
        let Some(target) = rest.first().and_then(|name| reexports.get(&(module.to_vec(), name.clone()))) else {
            return module.to_vec();
        };
        path = [&target[..], &rest[1..]].concat();
    }
}

fn edges(sources: &Sources) -> Edges {
    let mut reexports = Reexports::new();
    let mut used = Vec::new();
    for (module, source) in sources {
        for (path, is_reexport) in paths(source) {
            let Some(target) = absolute(module, &path, sources) else { continue };
            if is_reexport && target != *module {
                reexports.insert((module.clone(), path.last().unwrap().clone()), target.clone());
            }
            used.push((module.clone(), target));
        }
    }
    let mut edges = Edges::new();
    for (from, path) in used {
        let to = defining(path, sources, &reexports);
        if !from.starts_with(&to) && !to.starts_with(&from) {
            edges.entry(from).or_default().insert(to);
        }
    }
    edges
}

/// Whatever can be reached from a module.
fn reached<'a>(from: &'a Module, edges: &'a Edges) -> BTreeSet<&'a Module> {
    let (mut reached, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(module) = left.pop() {
        left.extend(edges.get(module).into_iter().flatten().filter(|to| reached.insert(*to)));
    }
    reached
}

/// The edges that are part of a circle.
fn circular(edges: &Edges) -> Vec<String> {
    let pairs = edges.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)));
    let circular = pairs.filter(|(from, to)| reached(to, edges).contains(from));
    circular.map(|(from, to)| format!("{} -> {}", from.join("::"), to.join("::"))).collect()
}

#[test]
fn no_two_files_of_a_crate_need_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for directory in CRATES {
        let mut sources = Sources::new();
        collect(&root.join(directory), &Module::new(), &mut sources);
        let edges = edges(&sources);
        assert!(edges.len() > 15, "{directory}: this test sees no imports: {edges:?}");
        assert_eq!(circular(&edges), [""; 0], "{directory} has circles");
    }
}

#[test]
fn a_circle_is_seen_through_others_and_through_what_is_exported_again() {
    let source = |name: &str, text: &str| (vec![name.to_owned()], text.to_owned());
    let root = (Module::new(), "pub use c::{Thing, other};\n".to_owned());
    let far = [root, source("a", "use crate::b;\n"), source("b", "fn f() -> crate::Thing {}\n")];
    let chain = far.clone().into_iter().chain([source("c", "use std::fmt;\n")]).collect();
    assert_eq!(circular(&edges(&chain)), [""; 0]);
    let circle = far.into_iter().chain([source("c", "use super::{\n    a::{self},\n};\n")]).collect();
    assert_eq!(circular(&edges(&circle)), ["a -> b", "b -> c", "c -> a"]);
}
