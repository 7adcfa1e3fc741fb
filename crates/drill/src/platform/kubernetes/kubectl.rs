//! The conversation with the cluster: `kubectl`, with context and namespace pinned on every call.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::objects::List;
use crate::progress::Progress;

/// No single call takes longer.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How often a state that is waited for is asked for.
const POLL: Duration = Duration::from_millis(200);

/// What became of a state that is waited for.
pub enum State<T> {
    /// It is reached.
    Reached(T),
    /// Not yet; the text says how far it is.
    NotYet(String),
}

/// `kubectl` for one namespace of one context.
#[derive(Clone)]
pub struct Kubectl {
    program: PathBuf,
    context: String,
    namespace: String,
    progress: Progress,
}

impl Kubectl {
    /// `kubectl` from the `PATH`.
    pub fn new(context: String, namespace: String, progress: Progress) -> Self {
        Self { program: "kubectl".into(), context, namespace, progress }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The context.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Says something about what is done.
    pub fn note(&self, text: &str) {
        self.progress.line(text);
    }

    /// Shows a command that is run beside kubectl, as one would type it.
    pub fn show(&self, command: &str) {
        self.progress.command(command);
    }

    /// An object, if it exists.
    pub async fn get<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<Option<T>> {
        let json = self.call(&["get", kind, name, "--ignore-not-found", "--output=json"], None).await?;
        if json.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&json).with_context(|| format!("cannot understand {kind} {name}")).map(Some)
    }

    /// An object that must exist.
    pub async fn must_get<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<T> {
        let found = self.get(kind, name).await?;
        found.with_context(|| {
            format!("there is no {kind} {name} in namespace {} of context {}", self.namespace, self.context)
        })
    }

    /// Objects of a kind, those that a selector finds or all.
    pub async fn list<T: DeserializeOwned>(&self, kind: &str, selector: Option<&str>) -> Result<Vec<T>> {
        let selector = selector.map(|selector| format!("--selector={selector}"));
        let arguments: Vec<&str> = ["get", kind, "--output=json"].into_iter().chain(selector.as_deref()).collect();
        let json = self.call(&arguments, None).await?;
        let list: List<T> =
            serde_json::from_str(&json).with_context(|| format!("cannot understand the list of {kind}"))?;
        Ok(list.items)
    }

    /// Changes something; shown as one would type it.
    pub async fn change(&self, arguments: &[&str]) -> Result<String> {
        self.progress.command(&format!("kubectl {}", self.arguments(arguments).join(" ")));
        self.call(arguments, None).await
    }

    /// Creates an object from its JSON; shown by kind and name.
    pub async fn create(&self, object: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let arguments = ["create", "--filename=-"];
        self.progress.command(&format!("kubectl {}   # {kind} {name}", self.arguments(&arguments).join(" ")));
        self.call(&arguments, Some(object.to_string())).await.map(drop)
    }

    /// Reads something, with input where there is some.
    pub async fn call(&self, arguments: &[&str], input: Option<String>) -> Result<String> {
        let shown = || format!("kubectl {}", self.arguments(arguments).join(" "));
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = self.spawn(self.arguments(arguments), stdin, Stdio::piped())?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input.as_bytes()).await.with_context(shown)?;
        }
        let output = tokio::time::timeout(CALL_LIMIT, child.wait_with_output())
            .await
            .with_context(|| format!("`{}` did not end within {} s", shown(), CALL_LIMIT.as_secs()))?
            .with_context(shown)?;
        if !output.status.success() {
            bail!("`{}` failed: {}", shown(), String::from_utf8_lossy(&output.stderr).trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{}` did not print text", shown()))
    }

    /// Runs what goes on for ever until it ends or says on stderr that something went wrong, and gives what it said.
    pub async fn run_until_it_complains(&self, arguments: &[&str]) -> Result<String> {
        // Without the time-out of a request, which would end it.
        let all = self.pinned().into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())).collect();
        let mut child = self.spawn(all, Stdio::null(), Stdio::null())?;
        let stderr = child.stderr.take().context("kubectl has no stderr")?;
        let mut line = String::new();
        BufReader::new(stderr).read_line(&mut line).await.context("cannot read what kubectl says")?;
        child.kill().await.context("cannot end kubectl")?;
        Ok(line)
    }

    fn spawn(&self, arguments: Vec<String>, stdin: Stdio, stdout: Stdio) -> Result<Child> {
        Command::new(&self.program)
            .args(arguments)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal is for the drill alone.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot run kubectl; `cargo xtask doctor` says how to get it")
    }

    fn pinned(&self) -> Vec<String> {
        vec![format!("--context={}", self.context), format!("--namespace={}", self.namespace)]
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let mut all = self.pinned();
        all.push("--request-timeout=20s".to_owned());
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        all
    }
}

/// Waits for a state, for `limit` at most. An error of the look ends the waiting; the time-out states the last state.
pub async fn wait_for<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Result<State<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let last = match look().await? {
            State::Reached(reached) => return Ok(reached),
            State::NotYet(last) => last,
        };
        if Instant::now() >= deadline {
            bail!("waited {} s for {what}; last state: {last}", limit.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}
