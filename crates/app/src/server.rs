//! The life of the service: bind, open, announce, serve, drain, close.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use backup::Repository;
use backup::presence::{self, Presence};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::admission::Admission;
use crate::bounds::PROBES_MAX;
use crate::config::Config;
use crate::connections::{Connections, Routers, listen};
use crate::protection::Looks;
use crate::router;
use crate::service::Service;
use crate::stop::Stop;
use crate::store::Store;

/// How long requests under way may take once a stop was asked for; the store gets as long again to close. Both fit
/// into the 30 s that Kubernetes grants.
const DRAIN: Duration = Duration::from_secs(10);

/// SIGXFSZ, which tokio has no name for; the number is the same on Linux and macOS.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// The line that is printed once the service answers.
#[derive(Serialize)]
struct Announcement {
    listening: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<SocketAddr>,
    pid: u32,
}

/// Serves until SIGTERM or SIGINT, then finishes what is under way and closes the database.
///
/// The ports are bound before the database is touched, so that a second instance started by mistake changes nothing.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = Stop::on_signal()?;
    survive_file_size_limit()?;
    let admission = Admission::new(&config)?;
    let (listener, listening) = bind(config.listen, "--listen")?;
    let probes = config.probe_listen.map(|address| bind(address, "--probe-listen")).transpose()?;
    let patience = config.patience();
    let connections =
        Connections::new(config.connections_max, patience).context("cannot read the limit on open files")?;
    let repository = config.repository.as_ref().map(Repository::at);
    if let Some(repository) = repository.as_ref().filter(|_| config.restore_first) {
        refuse_to_start_empty(&config.database, repository)?;
    }
    let (pages, depth) = (config.wal_autocheckpoint, config.queue_depth as usize);
    let store = Arc::new(Store::open(&config.database, pages, depth, config.protection(repository.clone()))?);
    let looks = Looks::new(store.clone(), repository);
    let service = Arc::new(Service::new(config, admission, looks, connections.clone(), stop.clone()));

    let probes_at = probes.as_ref().map(|(_, address)| *address);
    if let Some((listener, _)) = probes {
        answer_probes(listener, &service, patience)?;
    }
    let announcement = Announcement { listening, probes: probes_at, pid: std::process::id() };
    announce(&announcement).context("cannot print the address on stdout")?;
    tracing::info!(%listening, database = %store.path().display(), "serving");
    tokio::spawn(service.bulletins.clone().publish(service.looks.clone()));
    let routers = Routers { all: router::router(service.clone()), without_place: router::without_place(service) };
    if !connections.serve(listener, routers, stop, DRAIN).await {
        tracing::warn!(seconds = DRAIN.as_secs(), "cut off requests still in progress");
    }

    timeout(DRAIN, store.close())
        .await
        .with_context(|| format!("the database did not close within {} s: a write is stuck", DRAIN.as_secs()))??;
    tracing::info!("stopped");
    Ok(())
}

/// A database that is missing or empty is created, which is right for a first start only. Where a restart may follow a loss, as
/// in a container whose volume was emptied underneath, it would serve nothing as if there had never been anything.
fn refuse_to_start_empty(database: &Path, repository: &Repository) -> anyhow::Result<()> {
    let found = match presence::look(database)? {
        Presence::Database => return Ok(()),
        Presence::Missing => "nothing".to_owned(),
        Presence::Nothing(what) => what,
    };
    let entries = repository.entries()?;
    anyhow::ensure!(
        entries.is_empty(),
        "refusing to create a new {}: expected a database, found {found}, and {} holds {} restore points; run `backup \
         restore --if-missing` first (it sets aside what is there), or start without --restore-first",
        database.display(),
        repository.path().display(),
        entries.len()
    );
    Ok(())
}

/// Answers probes in a thread of its own, until a stop is asked for.
fn answer_probes(listener: TcpListener, service: &Arc<Service>, patience: Duration) -> anyhow::Result<()> {
    let connections = Connections::new(PROBES_MAX, patience).context("cannot read the limit on open files")?;
    let routers = Routers { all: router::probes(service.clone()), without_place: router::probes(service.clone()) };
    let stop = service.stop.clone();
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start a thread for probes")?;
    // A listener belongs to the runtime that it was made in.
    let listener = {
        let _inside = runtime.enter();
        listener.into_std().and_then(TcpListener::from_std).context("cannot hand the probe port to its thread")?
    };
    std::thread::Builder::new()
        .name("probes".to_owned())
        .spawn(move || runtime.block_on(connections.serve(listener, routers, stop, DRAIN)))
        .context("cannot start a thread for probes")?;
    Ok(())
}

fn bind(address: SocketAddr, option: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = listen(address).with_context(|| {
        format!("cannot listen on {address}; stop what uses it, or choose another address with {option}")
    })?;
    let bound = listener.local_addr().context("cannot read the bound address")?;
    Ok((listener, bound))
}

fn announce(announcement: &Announcement) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, announcement)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// A limit on file sizes kills a process with a signal unless it has a handler; with one, the write fails like on a
/// full disk and the service says so. tokio's handler stays for the life of the process.
fn survive_file_size_limit() -> anyhow::Result<()> {
    signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED)).map(drop).context("cannot listen for SIGXFSZ")
}
