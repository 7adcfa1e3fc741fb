//! Keeps the service running: restarts it when it ends, at once the first time, then with growing pauses. Before each
//! start it can restore a database that is missing, as the init container does on Kubernetes, and it can restart a service
//! that says that it needs it, as a liveness probe does.

use std::fs;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use backup::Restored;
use backup::restore::Ensured;
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Url;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Folder, Invocation, Programs, RESTORE_LIMIT, programs};
use crate::witness::probe::Client;

/// The longest pause between two restarts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A service that does not end within this time after it was asked to is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A service that ran this long before it ended is restarted at once again.
const STABLE: Duration = Duration::from_secs(10);

/// How often a service is asked whether it needs a restart, and how often in a row it has to say so.
const LIVENESS_PERIOD: Duration = Duration::from_secs(1);
const LIVENESS_FAILURES: u32 = 3;

/// What is known of the service.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The running process.
    pub pid: Option<u32>,
    /// Where it listens, once it does.
    pub address: Option<SocketAddr>,
    /// How the process before it ended.
    pub last_exit: Option<String>,
    /// What was restored before the last start that found no database.
    pub restored: Option<Restored>,
    /// What happened so far, in the words of people.
    pub news: Vec<(Timestamp, String)>,
}

impl State {
    fn tell(&mut self, news: String) {
        self.news.push((Timestamp::now(), news));
    }
}

/// What a supervisor does beyond starting the service again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Care {
    /// The programs to restore with: then the service never starts without the database that restore points tell of.
    pub restore_with: Option<Programs>,
    /// Whether a service that says on `/live` that it needs a restart gets one.
    pub restarts_the_unwell: bool,
}

/// The line in which the service says where it listens.
#[derive(Deserialize)]
struct Listening {
    listening: SocketAddr,
}

/// A running supervisor. Dropping it kills the service.
pub(crate) struct Supervisor {
    state: watch::Receiver<State>,
    address: watch::Sender<SocketAddr>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    folder: Folder,
}

impl Supervisor {
    /// Starts the service on an address, or on a free port of loopback, and keeps it running.
    pub(crate) fn start(service: Invocation, address: Option<SocketAddr>, folder: Folder, care: Care) -> Self {
        let (address, wanted) = watch::channel(address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))));
        let (stop, stopped) = watch::channel(false);
        let (report, state) = watch::channel(State::default());
        let keeper = Keeper { service, wanted, stopped, report, folder: folder.clone(), care };
        Self { state, address, stop, task: tokio::spawn(keeper.keep()), folder }
    }

    /// What becomes known of the service.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Uses this address from the next restart on.
    pub(crate) fn keep_address(&self, address: SocketAddr) {
        self.address.send_replace(address);
    }

    /// What is known of the service now.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits for the service to reach a state.
    pub(crate) async fn wait(
        &mut self,
        limit: Duration,
        what: &str,
        reached: impl FnMut(&State) -> bool,
    ) -> Result<State> {
        let waited = tokio::time::timeout(limit, self.state.wait_for(reached))
            .await
            .map(|state| state.map(|state| state.clone()));
        match waited {
            Ok(state) => state.context("the supervisor is gone"),
            Err(_) => bail!(
                "waited {} s for the {what}; last state: {:?}; it said: {}",
                limit.as_secs(),
                self.state(),
                self.folder.tail("app.log")
            ),
        }
    }

    /// Stops the service: asks it to, and kills it if it does not end in time. Returns once it has ended.
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        self.task.await.context("the supervisor failed")
    }
}

struct Keeper {
    service: Invocation,
    wanted: watch::Receiver<SocketAddr>,
    stopped: watch::Receiver<bool>,
    report: watch::Sender<State>,
    folder: Folder,
    care: Care,
}

impl Keeper {
    async fn keep(mut self) {
        let mut pause = Duration::ZERO;
        while !*self.stopped.borrow() {
            let started = Instant::now();
            let ended = self.run().await.unwrap_or_else(|error| format!("could not be started: {error:#}"));
            self.report.send_modify(|state| {
                state.tell(format!("the service {ended}"));
                (state.pid, state.address, state.last_exit) = (None, None, Some(ended));
            });
            if started.elapsed() >= STABLE {
                pause = Duration::ZERO;
            }
            // Ends early when the supervisor is told to stop, or is gone.
            drop(tokio::time::timeout(pause, self.stopped.wait_for(|stop| *stop)).await);
            pause = (pause * 2).clamp(Duration::from_millis(100), PAUSE_MAX);
        }
    }

    /// Runs the service once; tells how it ended.
    async fn run(&mut self) -> Result<String> {
        if self.care.restarts_the_unwell {
            // That it is gone may be why the service needed a restart.
            let data = &self.folder.data;
            fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
        }
        if let Some(programs) = &self.care.restore_with {
            let restore = programs::result_of(programs.restore_if_missing(&self.folder), &self.folder, RESTORE_LIMIT);
            let ensured = tokio::select! {
                ensured = restore => ensured?,
                // A restore that is cut short changed nothing yet, and is run again at the next start.
                _ = self.stopped.wait_for(|stop| *stop) => return Ok("was told to stop before it was started".to_owned()),
            };
            if let Ensured::Restored(restored) = ensured {
                let (name, as_of) = (&restored.restore_point.name, restored.restore_point.current_at(Timestamp::now()));
                let news = format!(
                    "the database was missing; restored {name}: what was acknowledged after {as_of:.0} and is in no journal \
                     is lost"
                );
                self.report.send_modify(|state| {
                    state.tell(news);
                    state.restored = Some(*restored);
                });
            }
        }
        let child = self.spawn()?;
        Ok(self.attend(child).await)
    }

    fn spawn(&self) -> Result<Child> {
        let (program, arguments) = &self.service;
        programs::command(program)
            .args(arguments)
            .arg("--listen")
            .arg(self.wanted.borrow().to_string())
            .stdout(Stdio::piped())
            .stderr(self.folder.append_to("app.log")?)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))
    }

    /// Reports where the service listens, and how it ends. Ends it when the supervisor is to stop, or is gone.
    async fn attend(&mut self, mut child: Child) -> String {
        let pid = child.id();
        self.report.send_modify(|state| state.pid = pid);
        let announced = announce(child.stdout.take(), &self.report);
        let ended = async { tokio::join!(announced, child.wait()).1 };
        // An error means that the supervisor is gone, which is a reason to stop too.
        let told_to_stop = async { drop(self.stopped.wait_for(|stop| *stop).await) };
        let needs_restart = needs_restart(self.report.subscribe(), self.care.restarts_the_unwell);
        let ended = tokio::select! {
            ended = ended => Ok(ended),
            () = told_to_stop => Err(None),
            why = needs_restart => Err(Some(why)),
        };
        let (ended, why) = match ended {
            Ok(ended) => (ended, None),
            Err(why) => (terminate(child).await, why),
        };
        let ended = ended.map_or_else(|error| format!("was lost: {error}"), describe);
        why.map_or_else(|| ended.clone(), |why| format!("{ended}, since it needed a restart: {why}"))
    }
}

/// Ends once the service says that it needs a restart, as often in a row as a liveness probe waits for. That it does not answer
/// says nothing: under load it may be late.
async fn needs_restart(mut state: watch::Receiver<State>, is_wanted: bool) -> String {
    let address =
        state.wait_for(|state| is_wanted && state.address.is_some()).await.ok().and_then(|state| state.address);
    let url = address.and_then(|address| Url::parse(&format!("http://{address}")).ok());
    let Some(Ok(client)) = url.map(Client::new) else { return future::pending().await };
    let mut failures = 0;
    loop {
        tokio::time::sleep(LIVENESS_PERIOD).await;
        match client.needs_restart().await {
            Ok(None) => failures = 0,
            Ok(Some(why)) if failures + 1 == LIVENESS_FAILURES => return why,
            Ok(Some(_)) => failures += 1,
            Err(_) => {}
        }
    }
}

/// Reports the address from the first line that the service prints. Without such a line it ends or is waited for in
/// vain, and both are reported.
async fn announce(stdout: Option<ChildStdout>, report: &watch::Sender<State>) {
    let Some(stdout) = stdout else { return };
    if let Ok(Some(line)) = BufReader::new(stdout).lines().next_line().await
        && let Ok(Listening { listening }) = serde_json::from_str(&line)
    {
        report.send_modify(|state| {
            state.tell(format!("the service answers at http://{listening}"));
            state.address = Some(listening);
        });
    }
}

async fn terminate(mut child: Child) -> io::Result<ExitStatus> {
    // No id: it has ended already.
    if let Some(pid) = child.id() {
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?;
    }
    if let Ok(ended) = tokio::time::timeout(STOP_LIMIT, child.wait()).await {
        return ended;
    }
    child.kill().await?;
    child.wait().await
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal().and_then(|number| Signal::try_from(number).ok()) {
        Some(signal) => format!("ended by {signal}"),
        None => format!("ended with {status}"),
    }
}
