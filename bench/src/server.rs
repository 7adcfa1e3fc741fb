//! The service, and the one it is compared with, as processes.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::programs::say;
use crate::speed::Setting;

const FLASK: &str = include_str!("flask.py");

/// How long a start and a stop may take.
const PATIENCE: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(10);

/// A running server; dropped, it is stopped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts the service, which says where it listens.
    pub fn app(setting: &Setting<'_>, database: &Path) -> Result<Self> {
        let mut app = Command::new(setting.programs.path("app"));
        app.args(["--listen", "127.0.0.1:0", "--log-level", "warn", "--database"]).arg(database);
        Self::announcing(app, |line| {
            let announced: Value = serde_json::from_str(line)?;
            Ok(announced["listening"].as_str().context("it told no address")?.parse()?)
        })
    }

    /// Starts a server that says where it listens in the first line that it prints.
    pub fn announcing(mut command: Command, address: impl FnOnce(&str) -> Result<SocketAddr>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot run {name}"))?;
        let stdout = child.stdout.take().with_context(|| format!("{name} has no stdout"))?;
        // From here on it is stopped whatever happens.
        let mut server = Self { child, address: (Ipv4Addr::LOCALHOST, 0).into() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).with_context(|| format!("cannot read what {name} prints"))?;
        server.address = address(line.trim()).with_context(|| format!("{name} printed {line:?}"))?;
        Ok(server)
    }

    /// Starts Flask under gunicorn with two workers; `None` if it is not installed.
    pub fn flask(setting: &Setting<'_>, database: &Path) -> Result<Option<Self>> {
        let Some(gunicorn) = setting.peers.program("gunicorn") else { return Ok(None) };
        let script = setting.scratch.join("peer.py");
        std::fs::write(&script, FLASK).with_context(|| format!("cannot write {}", script.display()))?;
        // gunicorn tells a port that it chose in its log only.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(gunicorn);
        command.args(["--workers", "2", "--log-level", "warning", "--bind", &address.to_string(), "peer:app"]);
        command.current_dir(setting.scratch).env("DB_PATH", database);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot run gunicorn")?;
        let mut server = Self { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(server.child.try_wait()?.is_none(), "gunicorn ended instead of serving");
            ensure!(began.elapsed() < PATIENCE, "gunicorn did not listen within {} s", PATIENCE.as_secs());
            thread::sleep(POLL);
        }
        Ok(Some(server))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        // A signal that can be handled: workers of a killed gunicorn would live on.
        Command::new("kill").arg(self.child.id().to_string()).status().context("cannot run kill")?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                self.child.kill()?;
                self.child.wait()?;
                bail!("a server did not stop within {} s and was killed", PATIENCE.as_secs());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            say(&format!("{error:#}"));
        }
    }
}
