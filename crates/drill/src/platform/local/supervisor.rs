//! Keeps the service running: restarts it when it ends, at once the first time, then with growing pauses. Before each
//! start it can restore a database that is missing, as the init container does on Kubernetes.

use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use backup::Restored;
use backup::restore::Ensured;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Folder, Invocation, Programs, RESTORE_LIMIT, programs};

/// The longest pause between two restarts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A service that does not end within this time after it was asked to is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A service that ran this long before it ended is restarted at once again.
const STABLE: Duration = Duration::from_secs(10);

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
    /// Starts the service on an address, or on a free port of loopback, and keeps it running. With the programs to
    /// restore with, it never starts without the database that restore points tell of.
    pub(crate) fn start(
        service: Invocation,
        address: Option<SocketAddr>,
        folder: Folder,
        restore_with: Option<Programs>,
    ) -> Self {
        let (address, wanted) = watch::channel(address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))));
        let (stop, stopped) = watch::channel(false);
        let (report, state) = watch::channel(State::default());
        let keeper = Keeper { service, wanted, stopped, report, folder: folder.clone(), restore_with };
        Self { state, address, stop, task: tokio::spawn(keeper.keep()), folder }
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
    restore_with: Option<Programs>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut pause = Duration::ZERO;
        while !*self.stopped.borrow() {
            let started = Instant::now();
            let ended = self.run().await.unwrap_or_else(|error| format!("could not be started: {error:#}"));
            self.report.send_modify(|state| (state.pid, state.address, state.last_exit) = (None, None, Some(ended)));
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
        if let Some(programs) = &self.restore_with {
            let restore = programs::result_of(programs.restore_if_missing(&self.folder), &self.folder, RESTORE_LIMIT);
            let ensured = tokio::select! {
                ensured = restore => ensured?,
                // A restore that is cut short changed nothing yet, and is run again at the next start.
                _ = self.stopped.wait_for(|stop| *stop) => return Ok("was told to stop before it was started".to_owned()),
            };
            if let Ensured::Restored(restored) = ensured {
                self.report.send_modify(|state| state.restored = Some(*restored));
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
        let ended = tokio::select! {
            ended = ended => Some(ended),
            () = told_to_stop => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => terminate(child).await,
        };
        ended.map_or_else(|error| format!("was lost: {error}"), describe)
    }
}

/// Reports the address from the first line that the service prints. Without such a line it ends or is waited for in
/// vain, and both are reported.
async fn announce(stdout: Option<ChildStdout>, report: &watch::Sender<State>) {
    let Some(stdout) = stdout else { return };
    if let Ok(Some(line)) = BufReader::new(stdout).lines().next_line().await
        && let Ok(Listening { listening }) = serde_json::from_str(&line)
    {
        report.send_modify(|state| state.address = Some(listening));
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
