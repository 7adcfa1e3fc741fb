//! A tunnel to the service, for clusters whose node ports cannot be reached from here.
//!
//! It dies with the pod it leads to and is opened again, so an outage that is measured through it is the tunnel's too.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::SERVICE;
use super::kubectl::{Kubectl, State, wait_for};

const SERVICE_PORT: u16 = 80;

/// How soon a tunnel that has ended is opened again. There is nothing to wait on: while no pod is ready, it ends at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a tunnel that stays open for as long as `tasks` lives, and waits until it accepts connections.
pub(super) async fn open(kubectl: &Kubectl, patience: Duration, tasks: &mut JoinSet<()>) -> Result<Url> {
    // Free at this moment; whoever takes it before the tunnel does makes the tunnel fail, which is said.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = address.context("there is no free port for a tunnel")?;
    let (failed, last_failure) = tokio::sync::watch::channel(String::from("not open yet"));
    tasks.spawn(keep_open(kubectl.clone(), address, failed));
    wait_for(patience, "the tunnel to the service to open", async || {
        Ok(match TcpStream::connect(address).await {
            Ok(_) => State::Reached(()),
            Err(_) => State::NotYet(last_failure.borrow().clone()),
        })
    })
    .await?;
    Ok(format!("http://{address}/").parse()?)
}

async fn keep_open(kubectl: Kubectl, address: SocketAddr, failed: tokio::sync::watch::Sender<String>) {
    let (service, ports) = (format!("service/{SERVICE}"), format!("{}:{SERVICE_PORT}", address.port()));
    loop {
        // It may outlive its pod: then each connection fails, and that is all it says.
        let ended = kubectl.run_until_it_complains(&["port-forward", &service, &ports]).await;
        failed.send_replace(ended.map_or_else(|error| format!("{error:#}"), |said| said.trim().to_owned()));
        tokio::time::sleep(PAUSE).await;
    }
}
