//! An API server that is away for a while: a proxy before it that stops to listen.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{context, on_the_cluster, whole};
use crate::support::{Place, Running};

const AWAY: Duration = Duration::from_secs(20);

/// Passes bytes on, and nobody's while it is away.
struct Proxy {
    port: u16,
    away: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, away: Arc::default(), open: Arc::default() };
        let (away, open) = (proxy.away.clone(), proxy.open.clone());
        // It ends with the test program.
        thread::spawn(move || listen(listener, port, &server, &away, &open));
        proxy
    }

    fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        thread::sleep(AWAY);
        self.away.store(false, Ordering::SeqCst);
    }
}

fn listen(listener: TcpListener, port: u16, server: &str, away: &AtomicBool, open: &Mutex<Vec<TcpStream>>) {
    let mut listener = Some(listener);
    loop {
        if away.load(Ordering::SeqCst) {
            listener = None;
        } else if listener.is_none() {
            let again = TcpListener::bind(("127.0.0.1", port)).unwrap();
            again.set_nonblocking(true).unwrap();
            listener = Some(again);
        }
        match listener.as_ref().and_then(|listener| listener.accept().ok()) {
            Some((client, _)) => pass_on(&client, server, open),
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn pass_on(client: &TcpStream, server: &str, open: &Mutex<Vec<TcpStream>>) {
    client.set_nonblocking(false).unwrap();
    let server = TcpStream::connect(server).unwrap();
    open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    for (mut from, mut to) in
        [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client.try_clone().unwrap())]
    {
        thread::spawn(move || {
            drop(copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Write));
        });
    }
}

/// What kubectl knows of the cluster.
fn config(arguments: &[&str]) -> String {
    let output = Command::new("kubectl").arg("config").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn an_api_server_that_is_away_for_20_seconds_does_not_end_a_measurement() {
    let pinned = format!("--context={}", context());
    let view = |path: &str| config(&["view", "--minify", &pinned, &format!("--output=jsonpath={{{path}}}")]);
    let url = view(".clusters[0].cluster.server");
    let address = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).to_owned();
    let proxy = Proxy::before(if address.contains(':') { address } else { format!("{address}:443") });

    let place = Place::new();
    let file = place.path().join("kubeconfig");
    std::fs::write(&file, config(&["view", "--minify", "--raw", "--flatten", &pinned])).unwrap();
    let server = format!("--server=https://127.0.0.1:{}", proxy.port);
    let name = view(".contexts[0].context.cluster");
    let copy = format!("--kubeconfig={}", file.display());
    config(&["set-cluster", &name, &server, &format!("--tls-server-name={host}"), &copy]);

    let mut command = on_the_cluster(&place, &["kill-pvc"]);
    command.env("KUBECONFIG", &file);
    let mut drill = Running::start(command);
    drill.wait_for("  D0  ");
    proxy.go_away();
    assert_eq!(drill.end(), Some(0));
    let report = place.report();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("the platform did not answer for up to "), "{report:#}");
    whole();
}
