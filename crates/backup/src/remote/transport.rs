//! The client that speaks to a store, and to whoever gives credentials for it: to the host it was told, and to no other.

use std::fmt;
use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use object_store::{ClientConfigKey, ClientOptions};
use reqwest::redirect::Policy;
use reqwest::{Certificate, NoProxy, Proxy};
use url::Url;

use super::environment::is_true;
use crate::text::printable;

/// As much of a host's name as is worth reading.
const HOST_MAX: usize = 120;

/// A client with what the environment says of connections, for requests and connections that take so long at most.
pub(super) fn client(
    options: &ClientOptions,
    trusted: &[Certificate],
    (timeout, connect_timeout): (Duration, Duration),
) -> object_store::Result<HttpClient> {
    let failed = |error: reqwest::Error| object_store::Error::Generic { store: "HTTP client", source: error.into() };
    let value = |key| options.get_config_value(&key);
    let is_set = |key| value(key).is_some_and(|value| is_true(&value));
    // Of an answer that is compressed the length is not known.
    let mut builder = reqwest::Client::builder().no_gzip().no_brotli().no_zstd().no_deflate();
    builder = builder.redirect(Policy::none()).https_only(!is_set(ClientConfigKey::AllowHttp));
    builder = builder.timeout(timeout).connect_timeout(connect_timeout).tls_certs_only(trusted.iter().cloned());
    builder = builder.user_agent(
        value(ClientConfigKey::UserAgent).unwrap_or_else(|| concat!("backup/", env!("CARGO_PKG_VERSION")).into()),
    );
    if is_set(ClientConfigKey::Http1Only) {
        builder = builder.http1_only();
    }
    if let Some(headers) = options.get_default_headers() {
        builder = builder.default_headers(headers.clone());
    }
    if let Some(proxy) = value(ClientConfigKey::ProxyUrl) {
        let excludes = value(ClientConfigKey::ProxyExcludes);
        let proxy = Proxy::all(proxy).map_err(failed)?;
        builder = builder.proxy(proxy.no_proxy(excludes.and_then(|excludes| NoProxy::from_string(&excludes))));
    }
    if let Some(pem) = value(ClientConfigKey::ProxyCaCertificate) {
        builder = builder.tls_certs_merge([Certificate::from_pem(pem.as_bytes()).map_err(failed)?]);
    }
    if is_set(ClientConfigKey::AllowInvalidCertificates) {
        warn_once();
        builder = builder.danger_accept_invalid_certs(true);
    }
    Ok(HttpClient::new(Direct(builder.build().map_err(failed)?)))
}

/// Whoever asked for it once, for a test, is told each time.
fn warn_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "TLS certificates are not checked because …_ALLOW_INVALID_CERTIFICATES is set in the environment: anyone \
             between here and the store can impersonate it, read and change the traffic, and use the credentials; \
             unset it, and give the store's certificate with --remote-ca"
        );
    });
}

/// Follows no redirect: what is sent next, a session token for one, would be in the hands of whoever the answer names.
#[derive(Debug)]
struct Direct(reqwest::Client);

impl Direct {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.call(request).await?;
        let status = answer.status();
        // 304 says that nothing has changed.
        if !status.is_redirection() || status.as_u16() == 304 {
            return Ok(answer);
        }
        let header = |name: &str| Some(String::from_utf8_lossy(answer.headers().get(name)?.as_bytes()).into_owned());
        let (to, region) = (header("location"), header("x-amz-bucket-region"));
        Err(HttpError::new(HttpErrorKind::Unknown, Redirected { status: status.as_u16(), to, region }))
    }
}

#[async_trait]
impl HttpService for Direct {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.answer(request).await
    }
}

#[derive(Debug)]
struct Redirected {
    status: u16,
    to: Option<String>,
    region: Option<String>,
}

impl std::error::Error for Redirected {}

impl fmt::Display for Redirected {
    /// Nothing of the path: it may hold a signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| printable(&text.chars().take(HOST_MAX).collect::<String>());
        let host = self.to.as_ref().and_then(|to| to.parse::<Url>().ok());
        let host = host.and_then(|url| url.host_str().map(short)).unwrap_or_else(|| "another host".into());
        let status = self.status;
        write!(
            f,
            "the store redirects to {host} (status {status}); the redirect was not followed, because it would reveal \
             the credentials"
        )?;
        if let Some(region) = &self.region {
            write!(f, "; it says that the bucket is in the region {}", short(region))?;
        }
        f.write_str("; if the redirect is intended, set AWS_REGION or AWS_ENDPOINT_URL in the environment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_names_the_host_and_nothing_else_of_the_address() {
        for (to, shown) in [
            (Some("https://user:pass@evil.example/b?X-Amz-Signature=secret"), "redirects to evil.example (status 307)"),
            (Some("/elsewhere?secret"), "redirects to another host"),
            (Some("http://\u{1b}[2Jsecret"), "redirects to another host"),
            (None, "redirects to another host"),
        ] {
            let region = Some("eu-\u{1b}west".into());
            let said = Redirected { status: 307, to: to.map(str::to_owned), region }.to_string();
            assert!(said.contains(shown) && said.contains("eu-\\u{1b}west"), "{said}");
            assert!(!said.contains("secret") && !said.contains("pass@"), "{said}");
        }
    }
}
