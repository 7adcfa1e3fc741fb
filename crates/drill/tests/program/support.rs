//! A place to run drills in, and what the tests look at afterwards.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// No step of these tests takes longer than this.
pub const LIMIT: Duration = Duration::from_secs(180);

/// A directory of its own: two tests never share a state directory.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        for sibling in ["app", "backup"] {
            let path = program(sibling);
            assert!(path.is_file(), "{} is missing: run `cargo build --workspace` first", path.display());
        }
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A place with programs of its own, `backup` among them replaced by a script.
    pub fn with_backup(script: &str) -> Self {
        Self::with_backup_in(|_| script.to_owned())
    }

    /// The same, with a script that knows the place.
    pub fn with_backup_in(script: impl FnOnce(&Path) -> String) -> Self {
        let place = Self::new();
        let programs = place.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for name in ["drill", "app"] {
            testing::install(&program(name), &programs.join(name));
        }
        testing::script(&script(place.path()), &programs.join("backup"));
        place
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `drill` with arguments, in this place.
    pub fn drill(&self, arguments: &[&str]) -> Command {
        self.drill_at(&program("drill"), arguments)
    }

    /// The same with the programs of [`Place::with_backup`].
    pub fn drill_in_place(&self, arguments: &[&str]) -> Command {
        self.drill_at(&self.path().join("programs/drill"), arguments)
    }

    pub fn drill_at(&self, drill: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(drill);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("DRILL_STATE_DIR");
        command
    }

    /// The only report that was written here.
    pub fn report(&self) -> Value {
        let reports = self.reports();
        assert_eq!(reports.len(), 1, "one report expected: {reports:?}");
        serde_json::from_slice(&fs::read(reports[0].join("report.json")).unwrap()).unwrap()
    }

    /// The folders of the reports that were written here.
    pub fn reports(&self) -> Vec<PathBuf> {
        self.list("reports").into_iter().filter(|path| path.is_dir()).collect()
    }

    /// What a directory here holds; nothing if there is none.
    pub fn list(&self, directory: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join(directory)) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// No process works here, and no folder of a drill is left.
    pub fn assert_clean(&self) {
        let left: Vec<PathBuf> = self.list(".drill").into_iter().filter(|path| !path.ends_with("lock")).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        assert_eq!(self.processes(), Vec::<String>::new());
    }

    /// Command lines of the service and of backups at work here.
    pub fn processes(&self) -> Vec<String> {
        self.processes_below(".drill")
    }

    /// The same for another directory here.
    pub fn processes_below(&self, directory: &str) -> Vec<String> {
        let root = self.path().canonicalize().unwrap().join(directory);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(root.to_str().unwrap()))
            .collect()
    }

    /// The process that has this path among its arguments.
    pub fn pid_of(&self, path: &str) -> i32 {
        let path = self.path().canonicalize().unwrap().join(path);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let found = entries.filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let names = |argument: &[u8]| argument == path.as_os_str().as_encoded_bytes();
            line.split(|byte| *byte == 0).any(names).then(|| entry.file_name().to_str()?.parse().ok()).flatten()
        });
        found.last().expect("no such process")
    }
}

/// A program of this build.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_drill")).with_file_name(name)
}

/// A drill that runs while the test goes on. Dropping it ends it.
pub struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, seen: String::new() }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Reads what it prints until a line contains the text. Ends with the program at the latest, and for one that goes on and
    /// on after a time.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let mut line = String::new();
            assert!(Instant::now() < deadline, "has not said {text:?} so far: {}", self.seen);
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "never said {text:?}: {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end and gives the exit code.
    pub fn end(&mut self) -> Option<i32> {
        testing::ended(&mut self.child, LIMIT, || self.seen.clone()).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asserts the exit code, with what the program said if it is another.
pub fn assert_exit(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout: {}\nstderr: {}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
