//! Access control: a page of another site cannot make a browser write, and the operator can add further restrictions.
//!
//! A browser says by itself where a request comes from: in `Sec-Fetch-Site`, and in `Origin` wherever the method is not safe.
//! Programs say neither, and are served as ever. What this cannot see: browsers send `Sec-Fetch-Site` only over TLS and to this
//! machine, so that elsewhere an image of another site's page may still ask for `GET /add`. A token keeps that out as well.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use backup::{bounds, openat};
use thiserror::Error;

use crate::config::Config;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How long a token may be, in bytes: less is guessed, more does not fit into a request.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("unknown host {found:?}; expected an IP address, localhost, or a name in --allowed-hosts")]
    Host { found: String },
    /// A page of another site made a browser send it.
    #[error("cross-site writes are not allowed ({0})")]
    CrossSite(String),
    #[error("this service is read-only (--read-only)")]
    ReadOnly,
    /// It lacks the token, or has another.
    #[error("writing requires a token: expected the header `Authorization: Bearer TOKEN` with this service's token")]
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    All,
    Authorized,
    None,
}

/// What is asked of a request before it is served.
pub(crate) struct Admission {
    /// In lower case. Empty: any.
    hosts: Vec<String>,
    read_only: bool,
    /// Digests are compared in a time that tells nothing of them.
    token: Option<blake3::Hash>,
}

impl Admission {
    /// As configured. Reads the token.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let hosts = config.allowed_hosts.iter().map(|host| plain(host)).filter(|host| !host.is_empty()).collect();
        let token = config.write_token_file.as_deref().map(read_token).transpose()?;
        Ok(Self { hosts, read_only: config.read_only, token })
    }

    pub(crate) fn writers(&self) -> Writers {
        match (self.read_only, &self.token) {
            (true, _) => Writers::None,
            (false, Some(_)) => Writers::Authorized,
            (false, None) => Writers::All,
        }
    }

    /// Whether a request is served. `route` is the one that it matched.
    pub(crate) fn check(&self, route: &str, request: &Request) -> Result<(), Refusal> {
        let (method, headers) = (request.method(), request.headers());
        if !self.hosts.is_empty() {
            authorities(request.uri(), headers).try_for_each(|authority| self.check_host(authority))?;
        }
        if !method.is_safe() || route == "/add" {
            check_site(request.uri(), headers)?;
        }
        match (method, route) {
            (&Method::GET, "/add") | (&Method::POST, "/messages") => self.check_writer(headers),
            _ => Ok(()),
        }
    }

    fn check_host(&self, authority: &str) -> Result<(), Refusal> {
        let host = host(authority);
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if is_address || is_local || self.hosts.contains(&host) { Ok(()) } else { Err(Refusal::Host { found: host }) }
    }

    fn check_writer(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match (self.writers(), &self.token) {
            (Writers::None, _) => Err(Refusal::ReadOnly),
            (_, Some(token)) if bearer(headers).map(blake3::hash) != Some(*token) => Err(Refusal::Token),
            _ => Ok(()),
        }
    }
}

/// Every header has to agree: one that is sent twice must not hide the other.
fn check_site(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    for site in headers.get_all(SEC_FETCH_SITE) {
        if site != "same-origin" && site != "none" {
            return Err(Refusal::CrossSite(format!("Sec-Fetch-Site: {}", quoted(site.as_bytes()))));
        }
    }
    for origin in headers.get_all(ORIGIN) {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| without_port(host));
        let mut hosts = authorities(uri, headers).map(without_port);
        if !hosts.next().is_some_and(|first| host.is_some_and(|host| host.eq_ignore_ascii_case(first))) {
            return Err(Refusal::CrossSite(format!(
                "Origin: {} differs from the Host header; a proxy in front of this service must pass Host through",
                quoted(origin.as_bytes())
            )));
        }
    }
    Ok(())
}

/// Whom a request is for. What is in the request line counts first.
fn authorities<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
    let named = headers.get_all(HOST).into_iter().map(|host| host.to_str().unwrap_or("\u{fffd}"));
    uri.authority().map(|authority| authority.as_str()).into_iter().chain(named)
}

/// The ports that a browser leaves out and a proxy may add.
fn without_port(authority: &str) -> &str {
    authority.strip_suffix(":80").or_else(|| authority.strip_suffix(":443")).unwrap_or(authority)
}

/// The name of an authority, without port, in lower case.
fn host(authority: &str) -> String {
    let end = authority.rfind(':').filter(|colon| authority.rfind(']').is_none_or(|bracket| bracket < *colon));
    plain(&authority[..end.unwrap_or(authority.len())])
}

fn plain(host: &str) -> String {
    host.trim().trim_end_matches('.').to_ascii_lowercase()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim().as_bytes())
}

/// So much of a header as tells it apart.
fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

fn read_token(path: &Path) -> anyhow::Result<blake3::Hash> {
    let cannot = || format!("cannot read the write token from {}", path.display());
    let token = openat::bytes_given(path, bounds::SECRET_BYTES).with_context(cannot)?;
    let token = String::from_utf8(token).with_context(cannot)?;
    let token = token.trim_end_matches(['\r', '\n']);
    ensure!(
        TOKEN_BYTES.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "the write token in {} is {} bytes long; expected one line of {} to {} visible ASCII characters, for example \
         from `openssl rand -hex 32`",
        path.display(),
        token.len(),
        TOKEN_BYTES.start(),
        TOKEN_BYTES.end()
    );
    Ok(blake3::hash(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn admission(hosts: &[&str]) -> Admission {
        let hosts = hosts.iter().map(|host| plain(host)).collect();
        Admission { hosts, read_only: false, token: None }
    }

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.method(method).uri(uri).body(Body::empty()).unwrap()
    }

    #[test]
    fn only_what_a_browser_marks_as_of_another_site_is_refused() {
        let host = ("host", "app.example:8080");
        for (method, route, headers, expected) in [
            ("POST", "/messages", vec![host], true),
            ("POST", "/messages", vec![host, ("origin", "http://app.example:8080")], true),
            ("POST", "/messages", vec![host, ("origin", "HTTP://App.Example:8080")], true),
            ("POST", "/messages", vec![("host", "app.example:443"), ("origin", "https://app.example")], true),
            ("POST", "/messages", vec![host, ("sec-fetch-site", "same-origin")], true),
            ("POST", "/messages", vec![host, ("origin", "null")], false),
            ("POST", "/messages", vec![host, ("origin", "null"), ("sec-fetch-site", "same-origin")], false),
            ("POST", "/messages", vec![host, ("origin", "http://app.example:8081")], false),
            ("POST", "/messages", vec![host, ("origin", "http://evil.example")], false),
            ("POST", "/messages", vec![("origin", "http://evil.example")], false),
            ("POST", "/messages", vec![host, ("sec-fetch-site", "cross-site")], false),
            ("POST", "/messages", vec![host, ("sec-fetch-site", "same-site")], false),
            ("POST", "/messages", vec![host, ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], false),
            ("DELETE", "/count", vec![host, ("origin", "http://evil.example")], false),
            ("GET", "/add", vec![host], true),
            ("GET", "/add", vec![host, ("sec-fetch-site", "none")], true),
            ("GET", "/add", vec![host, ("sec-fetch-site", "cross-site")], false),
            ("GET", "/add", vec![host, ("origin", "http://evil.example")], false),
            ("GET", "/count", vec![host, ("sec-fetch-site", "cross-site"), ("origin", "null")], true),
        ] {
            let checked = admission(&[]).check(route, &request(method, route, &headers));
            assert_eq!(checked.is_ok(), expected, "{method} {route} {headers:?}: {checked:?}");
        }
        let absolute = request("POST", "http://evil.example/messages", &[host, ("origin", "http://app.example:8080")]);
        assert!(admission(&[]).check("/messages", &absolute).is_err());
    }

    #[test]
    fn a_list_of_hosts_lets_in_its_names_addresses_and_this_machine() {
        let listed = admission(&["App.Example", "other.example."]);
        for (host, expected) in [
            ("app.example", true),
            ("APP.example.:8080", true),
            ("other.example:443", true),
            ("10.0.0.7:8080", true),
            ("[::1]:8080", true),
            ("[fd00::7]", true),
            ("localhost:30080", true),
            ("rebind.example", false),
            ("app.example.evil.example", false),
            ("app.example@evil.example", false),
            ("", false),
        ] {
            let checked = listed.check("/count", &request("GET", "/count", &[("host", host)]));
            assert_eq!(checked.is_ok(), expected, "{host}: {checked:?}");
        }
        let two = [("host", "app.example"), ("host", "rebind.example")];
        assert!(listed.check("/count", &request("GET", "/count", &two)).is_err());
        assert!(listed.check("/count", &request("GET", "http://rebind.example/count", &two[..1])).is_err());
        // Only browsers can be made to ask through a name of somebody else, and they always say which.
        assert!(listed.check("/count", &request("GET", "/count", &[])).is_ok());
        assert!(admission(&[]).check("/count", &request("GET", "/count", &[("host", "any.example")])).is_ok());
    }
}
