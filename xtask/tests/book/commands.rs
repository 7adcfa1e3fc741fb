use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::pages::{Page, page, pages, root};
use crate::support::{Machine, RUNNING, is_there, output};

/// Of these blocks none is a command.
const OTHER_LANGUAGES: [&str; 2] = ["text", "json"];

/// Commands within sentences begin with one of these.
const PROGRAMS: [&str; 5] = ["app ", "backup ", "drill ", "cargo xtask ", "target/release/"];

/// A place where the commands of one page are given to the programs.
struct Reader {
    machine: Machine,
    scratch: TempDir,
}

/// A program of this build.
fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace` first", path.display());
    path
}

impl Reader {
    fn new() -> Self {
        let machine = Machine::with_every_tool();
        machine.has_cluster(RUNNING);
        machine.program("cargo", "exit 0");
        let drill = built("drill").display().to_string();
        machine.built(
            "drill",
            &format!("case \"$*\" in {DEAF}) exec {drill} \"$@\" --help ;; esac\nexec {drill} \"$@\" --dry-run"),
        );
        let scratch = tempfile::tempdir().unwrap();
        // Where the book says FILE, it means a protector.
        let protector = page("docs/en/src/protector.md").code();
        let (_, protector) = protector.into_iter().find(|(language, _)| language.as_deref() == Some("json")).unwrap();
        fs::write(scratch.path().join("FILE"), protector).unwrap();
        Self { machine, scratch }
    }

    /// What is wrong with a command; `None` if it is understood.
    fn fault(&self, line: &str) -> Option<String> {
        let words = shlex::split(line).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let result = match &words[..] {
            [] | ["cd", _] => return None,
            ["export", variables @ ..] => {
                return variables.iter().find(|word| !word.contains('=')).map(|word| format!("{word} sets nothing"));
            }
            ["cargo", "xtask", "drill" | "all", ..] if !is_of_k3d_alone(&words) => {
                output(self.machine.command(&words[2..]).env("PRA_PLATFORM", "local"))
            }
            ["cargo", "xtask", words @ ..] => self.machine.run(&[words, &["--help"]].concat()),
            ["cargo", "speed" | "versus", ..] => self.explain(&built("bench"), &words[1..]),
            ["cargo" | "mdbook", ..] => {
                let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
                return (!ci.lines().any(|run| run == words.join(" "))).then(|| "CI does not run it".to_owned());
            }
            ["openssl", words @ ..] => self.run(Command::new("openssl").args(words)),
            ["kubectl", ..] if !is_there("kubectl") => return None,
            ["kubectl", words @ ..] => self.explain(Path::new("kubectl"), words),
            [program, words @ ..] => match Path::new(program).file_name().unwrap().to_str().unwrap() {
                "drill" if !is_deaf(words) => self.run(Command::new(built("drill")).args(words).arg("--dry-run")),
                name @ ("app" | "backup" | "drill") => self.explain(&built(name), words),
                _ => return Some("nobody knows whether it is right".to_owned()),
            },
        };
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        (!result.status.success()).then(|| format!("{}: {said}", result.status))
    }

    /// Lets a program read its options, and then do nothing but explain them.
    fn explain(&self, program: &Path, words: &[&str]) -> std::process::Output {
        self.run(Command::new(program).args(words).arg("--help"))
    }

    fn run(&self, command: &mut Command) -> std::process::Output {
        output(command.current_dir(self.scratch.path()))
    }
}

/// Drills that a dry run would refuse, since it looks at what is not here: of these, the options alone are read.
const DEAF: &str = "*kubernetes*|*--copy-of*|*--remote*|*--dry-run*";

fn is_deaf(words: &[&str]) -> bool {
    words.first() != Some(&"run")
        || words.iter().any(|word| ["kubernetes", "--copy-of", "--remote", "--dry-run"].contains(word))
}

/// The whole pipeline of a cluster.
fn is_of_k3d_alone(words: &[&str]) -> bool {
    words[2] == "all" && words.contains(&"k3d")
}

/// The commands of a page as they would be typed: whole lines of blocks, and those within sentences, for their options alone.
fn commands(page: &Page) -> Vec<String> {
    let mut commands = Vec::new();
    for (language, code) in page.code() {
        match language.as_deref() {
            Some("sh") => commands.extend(code.lines().map(str::to_owned)),
            Some(other) => {
                assert!(OTHER_LANGUAGES.contains(&other), "{}: a block of code in {other:?}", page.path.display());
            }
            None if code.contains('…') || !PROGRAMS.iter().any(|program| code.starts_with(program)) => {}
            None => commands.push(format!("{code} --help")),
        }
    }
    commands
}

/// Without what a program wrote, which shows what it ran.
fn written_by_people(mut page: Page) -> Page {
    while let Some((before, rest)) = page.text.split_once("<!-- written by cargo") {
        let (_, after) = rest.split_once(": end -->").unwrap();
        page.text = format!("{before}{after}");
    }
    page
}

#[test]
fn every_command_is_understood_by_its_program() {
    let mut seen = 0;
    let mut faults = Vec::new();
    let is_of_today = |page: &Page| !page.path.ends_with("CHANGELOG.md") && !page.path.starts_with("fuzz");
    for page in pages().into_iter().filter(is_of_today).map(written_by_people) {
        let reader = Reader::new();
        for command in commands(&page) {
            seen += 1;
            faults.extend(reader.fault(&command).map(|fault| format!("{}: {command}: {fault}", page.path.display())));
        }
    }
    assert!(seen > 150, "this test looks in the wrong place: {seen} commands");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_command_that_is_wrong_is_found() {
    let reader = Reader::new();
    for command in [
        "cargo xtask drill kill-everything",
        "cargo xtask drill kill-pvc --rto soon",
        "cargo xtask drill kill-pvc --brutal",
        "cargo xtask deploy --nowhere",
        "cargo xtask fly",
        "cargo speed --quickly",
        "cargo bench",
        "drill run",
        "drill compare --worse",
        "target/release/backup take --keep-last many",
        "app --protect perhaps --help",
        "openssl genpkey -algorithm none",
        "make",
    ] {
        assert!(reader.fault(command).is_some(), "{command}");
    }
    if is_there("kubectl") {
        assert!(reader.fault("kubectl get nodes --quickly").is_some());
    }
}
