//! The service as a client sees it: its HTTP contract, and nothing else of it.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use crate::witness::record::Outcome;

/// An operation that takes longer has failed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that takes longer is tried again, from another port. A node remembers for two minutes which pod a port of a
/// client was led to: after a pod died, a port that is used again leads nowhere, however well the service is. Clients
/// without a pause come back to such ports within seconds, and to many in a row.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// Between two attempts, where the first failed at once.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// What the last try to connect has beyond [`TIMEOUT`], so that it ends as one: then it is known that nothing was sent.
const MARGIN: Duration = Duration::from_millis(100);

/// Messages fetched by one request of the final read: the most that the service allows.
const PAGE: usize = 1000;

/// A message as the service returns it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub id: i64,
    /// Its text.
    pub message: String,
}

/// What the service says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServiceStatus {
    /// The lineage of its database.
    pub lineage: Option<backup::lineage::Lineage>,
    pub version: String,
    #[serde(default)]
    pub sqlite_version: Option<String>,
    /// Size of its database.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// Why its restore points cannot be read, or why there is no room for another one.
    #[serde(default)]
    pub backup_error: Option<String>,
    #[serde(default)]
    protection: Option<ServiceProtection>,
}

#[derive(Clone, Debug, Deserialize)]
struct ServiceProtection {
    state: String,
}

impl ServiceStatus {
    /// Whether it keeps a journal of what it acknowledges, so that more comes back than a restore point holds.
    pub(crate) fn is_journaled(&self) -> bool {
        self.protection.as_ref().is_some_and(|protection| protection.state == "protected")
    }
}

/// The body of a refusal, as far as the ledger needs it.
#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
    reason: Option<String>,
    outcome: Option<String>,
}

#[derive(Deserialize)]
struct Added {
    status: String,
    id: i64,
    message: String,
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

/// A client that opens a new connection for each operation, so that none is retried behind its back and a
/// connection to a process that died is never mistaken for the service. What is tried again is to connect: nothing was
/// sent by then.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client of the service at `base`.
    pub(crate) fn new(base: Url) -> Result<Self> {
        // Built beside remote repositories, the client can do TLS and insists on a provider, whatever the URL is. An
        // error means that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(0)
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .context("cannot set up an HTTP client")?;
        Ok(Self { http, base })
    }

    /// Tries once to add a message, and says what became of it; for one that was stored, also when, by the service's
    /// clock.
    pub(crate) async fn add(&self, message: &str) -> (Outcome, Option<Timestamp>) {
        let url = self.url("add", &[("message", message)]);
        let (status, body) = match self.fetch(url).await {
            Ok(answer) => answer,
            // Without a connection nothing was sent; after that, anything may have happened.
            Err(error) if error.is_connect() => return (Outcome::Refused { reason: describe(&error) }, None),
            Err(error) => return (Outcome::Indeterminate { reason: describe(&error) }, None),
        };
        if status != StatusCode::OK {
            return (refusal(status, &body), None);
        }
        match serde_json::from_slice::<Added>(&body) {
            Ok(Added { status, id, message: stored, timestamp }) if status == "added" && stored == message => {
                (Outcome::Acknowledged { id }, timestamp)
            }
            _ => {
                let reason = format!("status 200, but not an acknowledgement: {}", text(&body));
                (Outcome::Indeterminate { reason }, None)
            }
        }
    }

    /// The message with this id, if the service has it.
    pub(crate) async fn message(&self, id: i64) -> Result<Option<Message>> {
        let page = self.page(&[("before", (id + 1).to_string()), ("limit", "1".to_owned())]).await?;
        Ok(page.into_iter().find(|message| message.id == id))
    }

    /// How many messages the service says it has.
    pub(crate) async fn count(&self) -> Result<u64> {
        let Count { count } = self.get("count", &[]).await?;
        Ok(count)
    }

    /// Why the service needs a restart, if it says so; an error where it says nothing, or not what is expected.
    pub(crate) async fn needs_restart(&self) -> Result<Option<String>> {
        let (status, body) = self.try_once(self.url("live", &[]), TIMEOUT).await?;
        match status {
            StatusCode::OK => Ok(None),
            StatusCode::SERVICE_UNAVAILABLE => Ok(Some(text(&body))),
            other => bail!("GET /live answered {other}: {}", text(&body)),
        }
    }

    /// What the service says of itself.
    pub(crate) async fn status(&self) -> Result<ServiceStatus> {
        self.get("status", &[]).await
    }

    /// Every message the service has, oldest first, read page by page.
    pub(crate) async fn messages(&self) -> Result<Vec<Message>> {
        let mut all: Vec<Message> = Vec::new();
        loop {
            let after = all.last().map_or(0, |message| message.id);
            let mut page = self.page(&[("after", after.to_string()), ("limit", PAGE.to_string())]).await?;
            page.reverse();
            ensure!(
                page.iter().all(|message| message.id > after),
                "GET /consultation?after={after} answered with ids that are not after {after}"
            );
            if page.is_empty() {
                return Ok(all);
            }
            all.append(&mut page);
        }
    }

    async fn page(&self, query: &[(&str, String)]) -> Result<Vec<Message>> {
        let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.get("consultation", &query).await
    }

    async fn get<T: for<'a> Deserialize<'a>>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let (status, body) =
            self.fetch(self.url(path, query)).await.map_err(|error| anyhow::anyhow!(describe(&error)))?;
        if status != StatusCode::OK {
            bail!("GET /{path} answered {status}: {}", text(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("GET /{path} answered 200 with {}", text(&body)))
    }

    async fn fetch(&self, url: Url) -> reqwest::Result<(StatusCode, Vec<u8>)> {
        let began = Instant::now();
        loop {
            let left = TIMEOUT.saturating_sub(began.elapsed()).max(CONNECT_TIMEOUT + MARGIN);
            match self.try_once(url.clone(), left).await {
                Err(error) if leads_nowhere(&error) && began.elapsed() < TIMEOUT => {
                    tokio::time::sleep(CONNECT_PAUSE).await;
                }
                tried => return tried,
            }
        }
    }

    async fn try_once(&self, url: Url, limit: Duration) -> reqwest::Result<(StatusCode, Vec<u8>)> {
        let response = self.http.get(url).timeout(limit).send().await?;
        let status = response.status();
        Ok((status, response.bytes().await?.to_vec()))
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// A turned-down write is certainly not stored if the service says so or if the request itself was wrong.
fn refusal(status: StatusCode, body: &[u8]) -> Outcome {
    let parsed = serde_json::from_slice::<Refusal>(body).ok();
    let (said, outcome) = parsed.map_or((None, None), |body| (body.error.or(body.reason), body.outcome));
    let reason = format!("status {}: {}", status.as_u16(), said.unwrap_or_else(|| text(body)));
    if outcome.as_deref() == Some("refused") || status.is_client_error() {
        Outcome::Refused { reason }
    } else {
        Outcome::Indeterminate { reason }
    }
}

/// Whether the attempt to connect met nobody, be it in silence or by "no route to host". A refusal is an answer.
fn leads_nowhere(error: &reqwest::Error) -> bool {
    let refused = |cause: &io::Error| cause.kind() == io::ErrorKind::ConnectionRefused;
    error.is_connect() && !innermost(error).downcast_ref().is_some_and(refused)
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_connect() && error.is_timeout() {
        return format!("no connection within {} s", TIMEOUT.as_secs());
    }
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    innermost(error).to_string()
}

/// The innermost cause of a failed request: the outer layers only repeat the URL.
fn innermost(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// As a port that leads to a pod that is gone: nothing comes back, not even a refusal.
    #[tokio::test]
    async fn a_write_without_a_connection_was_certainly_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts: the kernel drops what has no place in the queue any more.
        let limit = Duration::from_millis(200);
        let queued: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&address, limit).ok()).collect();
        assert!(!queued.is_empty());
        let client = Client::new(format!("http://{address}/").parse().unwrap()).unwrap();
        let began = Instant::now();
        let (outcome, _) = client.add("x").await;
        let expected = Outcome::Refused { reason: "no connection within 2 s".to_owned() };
        assert_eq!(outcome, expected);
        assert!(began.elapsed() >= TIMEOUT, "given up after {:?}", began.elapsed());
        assert!(began.elapsed() < TIMEOUT * 2, "given up after {:?}", began.elapsed());
    }

    #[test]
    fn only_a_stated_refusal_is_certainly_not_stored() {
        let outcome = |status, body: &str| refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let refused = |outcome| matches!(outcome, Outcome::Refused { .. });
        assert!(refused(outcome(503, r#"{"error":"queue full","outcome":"refused"}"#)));
        assert!(refused(outcome(400, r#"{"error":"empty"}"#)));
        assert!(!refused(outcome(503, r#"{"error":"disk I/O error","outcome":"indeterminate"}"#)));
        assert!(!refused(outcome(502, "bad gateway")));
    }
}
