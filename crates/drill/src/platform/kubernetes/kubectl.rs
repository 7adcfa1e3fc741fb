//! The conversation with the cluster: `kubectl`, with context and namespace pinned on every call.
//!
//! A call that gets no answer is repeated if that can do no harm: one that reads, one that leaves the same however often it is
//! made, and any that did not reach the server.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::objects::List;
use super::silence::{self, Silence};
use crate::progress::Progress;
use crate::witness::clock::Moment;
use crate::witness::record::Recorder;

/// No single call takes longer.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// For how long at most a call without an answer is repeated: longer than an API server takes to start again.
const REPEAT_LIMIT: Duration = Duration::from_secs(60);

/// How soon.
const AGAIN: Duration = Duration::from_millis(500);

/// How often a state that is waited for is asked for.
const POLL: Duration = Duration::from_millis(200);

/// What became of a state that is waited for.
pub(super) enum State<T> {
    Reached(T),
    /// Not yet; the text says how far it is.
    NotYet(String),
}

/// After which silence a call may be repeated.
#[derive(Clone, Copy)]
enum Repeat {
    Always,
    /// If the server was not reached.
    Unreached,
}

/// Why a call failed.
enum Failure {
    /// There was no answer.
    Silent(Silence, anyhow::Error),
    /// Anything else.
    Final(anyhow::Error),
}

/// `kubectl` for one namespace of one context.
#[derive(Clone)]
pub(super) struct Kubectl {
    program: PathBuf,
    context: String,
    namespace: String,
    progress: Progress,
    recorder: Arc<Recorder>,
    repeat_for: Duration,
}

impl Kubectl {
    /// `kubectl` from the `PATH`.
    pub(super) fn new(context: String, namespace: String, progress: Progress, recorder: Arc<Recorder>) -> Self {
        let repeat_for = Duration::ZERO;
        Self { program: "kubectl".into(), context, namespace, progress, recorder, repeat_for }
    }

    /// From now on, calls without an answer are repeated, but for no longer than a state of the cluster is waited for.
    pub(super) fn repeat_calls(&mut self, patience: Duration) {
        self.repeat_for = REPEAT_LIMIT.min(patience);
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn context(&self) -> &str {
        &self.context
    }

    /// Says something about what is done.
    pub(super) fn note(&self, text: &str) {
        self.progress.line(text);
    }

    /// Shows a command that is run beside kubectl, as one would type it.
    pub(super) fn show(&self, command: &str) {
        self.progress.command(command);
    }

    /// An object, if it exists.
    pub(super) async fn get<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<Option<T>> {
        let json = self.call(&["get", kind, name, "--ignore-not-found", "--output=json"], None).await?;
        if json.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&json).with_context(|| format!("cannot understand {kind} {name}")).map(Some)
    }

    /// An object that must exist.
    pub(super) async fn must_get<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<T> {
        let found = self.get(kind, name).await?;
        found.with_context(|| {
            format!(
                "there is no {kind} {name} in namespace {namespace} of context {context}; deploy it, with the overlay that \
                 was deployed there: cargo xtask deploy --context {context} --namespace {namespace}",
                namespace = self.namespace,
                context = self.context
            )
        })
    }

    /// Objects of a kind, those that a selector finds or all.
    pub(super) async fn list<T: DeserializeOwned>(&self, kind: &str, selector: Option<&str>) -> Result<Vec<T>> {
        let selector = selector.map(|selector| format!("--selector={selector}"));
        let arguments: Vec<&str> = ["get", kind, "--output=json"].into_iter().chain(selector.as_deref()).collect();
        let json = self.call(&arguments, None).await?;
        let list: List<T> =
            serde_json::from_str(&json).with_context(|| format!("cannot understand the list of {kind}"))?;
        Ok(list.items)
    }

    /// Changes something; shown as one would type it.
    pub(super) async fn change(&self, arguments: &[&str]) -> Result<String> {
        self.progress.command(&format!("kubectl {}", self.arguments(arguments).join(" ")));
        let is_idempotent = match arguments[0] {
            // A second deletion finds nothing.
            "delete" => arguments.contains(&"--ignore-not-found"),
            "patch" => !arguments.contains(&"--type=json"),
            verb => matches!(verb, "scale" | "cordon" | "uncordon"),
        };
        self.repeated(arguments, None, if is_idempotent { Repeat::Always } else { Repeat::Unreached }).await
    }

    /// Creates an object from its JSON; shown by kind and name.
    pub(super) async fn create(&self, object: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let arguments = ["create", "--filename=-"];
        self.progress.command(&format!("kubectl {}   # {kind} {name}", self.arguments(&arguments).join(" ")));
        self.repeated(&arguments, Some(object.to_string()), Repeat::Unreached).await.map(drop)
    }

    /// Reads something, with input where there is some.
    pub(super) async fn call(&self, arguments: &[&str], input: Option<String>) -> Result<String> {
        self.repeated(arguments, input, Repeat::Always).await
    }

    /// The same for whoever asks again anyway.
    pub(super) async fn call_once(&self, arguments: &[&str]) -> Result<String> {
        self.attempt(arguments, None, false).await.map_err(|failure| match failure {
            Failure::Silent(_, error) | Failure::Final(error) => error,
        })
    }

    async fn repeated(&self, arguments: &[&str], input: Option<String>, repeat: Repeat) -> Result<String> {
        let clock = self.recorder.clock;
        let mut silent_since: Option<Moment> = None;
        loop {
            let began = clock.now();
            let (silence, error) = match self.attempt(arguments, input.clone(), silent_since.is_some()).await {
                Ok(answer) => {
                    self.answered(silent_since);
                    return Ok(answer);
                }
                Err(Failure::Final(error)) => {
                    self.answered(silent_since);
                    return Err(error);
                }
                Err(Failure::Silent(silence, error)) => (silence, error),
            };
            let may_repeat = matches!(repeat, Repeat::Always) || silence == Silence::Unreached;
            if !may_repeat || self.repeat_for.is_zero() {
                return Err(error);
            }
            if silent_since.is_none() {
                let limit = self.repeat_for.as_secs();
                self.progress.line(&format!("no answer of the API server, asking again for {limit} s: {error:#}"));
            }
            let since = *silent_since.get_or_insert(began);
            if clock.now() - since >= self.repeat_for {
                self.answered(silent_since);
                return Err(error.context(format!("the API server did not answer for {} s", self.repeat_for.as_secs())));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Notes for how long there was no answer.
    fn answered(&self, silent_since: Option<Moment>) {
        if let Some(since) = silent_since {
            let until = self.recorder.clock.now();
            self.recorder.add(|record| record.unanswered.push((since, until)));
        }
    }

    async fn attempt(
        &self,
        arguments: &[&str],
        input: Option<String>,
        is_going_on: bool,
    ) -> std::result::Result<String, Failure> {
        let shown = || format!("kubectl {}", self.arguments(arguments).join(" "));
        let output = match self.output(arguments, input).await.map_err(Failure::Final)? {
            Some(output) => output,
            None => {
                let error = anyhow!("`{}` did not end within {} s", shown(), CALL_LIMIT.as_secs());
                return Err(Failure::Silent(Silence::Unknown, error));
            }
        };
        if output.status.success() {
            let text = String::from_utf8(output.stdout);
            return text.with_context(|| format!("`{}` did not print text", shown())).map_err(Failure::Final);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let error = anyhow!("`{}` failed: {}", shown(), stderr.trim());
        Err(match silence::of(&stderr, is_going_on) {
            Some(silence) => Failure::Silent(silence, error),
            None => Failure::Final(error),
        })
    }

    /// What a call printed; `None` if it did not end in time.
    async fn output(&self, arguments: &[&str], input: Option<String>) -> Result<Option<Output>> {
        let shown = || format!("kubectl {}", self.arguments(arguments).join(" "));
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = self.spawn(self.arguments(arguments), stdin, Stdio::piped())?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            // A call that fails before it has read its input says why; what it says matters more than the closed pipe.
            drop(stdin.write_all(input.as_bytes()).await);
        }
        match tokio::time::timeout(CALL_LIMIT, child.wait_with_output()).await {
            Ok(output) => output.with_context(shown).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Runs what goes on for ever until it ends or says on stderr that something went wrong, and gives what it said.
    pub(super) async fn run_until_it_complains(&self, arguments: &[&str]) -> Result<String> {
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
pub(super) async fn wait_for<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<State<T>>,
) -> Result<T> {
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

/// The result among the lines of a log, where stdout and stderr are mixed.
pub(super) fn result_in<T: DeserializeOwned>(log: &str) -> Result<T> {
    let lines: Vec<&str> = log.lines().skip_while(|line| *line != "{").collect();
    let end = lines.iter().position(|line| *line == "}").context("no result")?;
    Ok(serde_json::from_str(&lines[..=end].join("\n"))?)
}
