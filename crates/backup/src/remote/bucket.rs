//! Direct requests to an S3 bucket for what the store's client does not support: versions, locks, and the store's
//! clock.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody, HttpResponse};
use object_store::path::Path;
use object_store::signer::Signer as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::lock::region_of;
use super::{Address, words};
use crate::{Error, bounds};

/// Begin and end of the pauses between two tries.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How long the URL is good for that only tells where an object is. It is never sent.
const LOOK: Duration = Duration::from_secs(1);

/// A bucket of S3, as reached with the credentials of the environment.
#[derive(Clone)]
pub struct Bucket {
    s3: AmazonS3,
    client: HttpClient,
    retries: usize,
    address: Address,
}

impl fmt::Debug for Bucket {
    /// Nothing of the store: it holds the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A request, whose answer is worth having whatever its status.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub method: Method,
    /// The whole key of an object; empty for the bucket.
    pub key: &'a str,
    /// Parameters of the URL; those without a value have an empty one.
    pub query: Vec<(&'static str, Cow<'a, str>)>,
    /// Headers beside those of every request.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl<'a> Ask<'a> {
    /// A request of an object, or of the bucket if the key is empty.
    pub fn new(method: Method, key: &'a str) -> Self {
        Self { method, key, query: Vec::new(), headers: Vec::new(), body: Vec::new() }
    }

    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// What its clock said.
    pub date: Option<Timestamp>,
}

/// What the store says where it does not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// Its code, such as `AccessDenied`; empty if it gave none.
    pub code: String,
    pub message: String,
}

impl Refusal {
    /// Whether the store knows no such request, or has nothing that it would be about. Not all stores have all that S3 has.
    pub(super) fn is_unsupported(&self) -> bool {
        let is_theirs = (400..500).contains(&self.status) || self.status == 501;
        is_theirs && self.status != 403 && self.code != "NoSuchBucket"
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_str() {
            "" => write!(f, "status {}", self.status),
            code => write!(f, "{code} ({}): {}", self.status, self.message),
        }
    }
}

impl Answer {
    /// Why it was refused, if it was.
    pub fn refusal(&self) -> Option<Refusal> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Said {
            code: String,
            message: String,
        }
        if (200..300).contains(&self.status) {
            return None;
        }
        // A proxy, or an answer without a body, says nothing that can be understood.
        let Said { code, message } = parsed(&self.body).unwrap_or_default();
        let (code, message) = (words::plain(&code), words::plain(&message));
        Some(Refusal { status: self.status, code, message })
    }
}

impl Bucket {
    pub(super) fn new(s3: AmazonS3, client: HttpClient, retries: usize, address: &Address) -> Self {
        Self { s3, client, retries, address: address.clone() }
    }

    /// What all keys of the repository begin with, with a slash at the end unless it is empty.
    pub fn prefix(&self) -> String {
        let prefix = self.address.prefix.as_ref();
        if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
    }

    /// An object as people would name it; the bucket if the key is empty.
    pub(super) fn name(&self, key: &str) -> String {
        let bucket = self.address.url.host_str().unwrap_or_default();
        if key.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{key}") }
    }

    /// Sends a request, again if it fails for a reason that may pass: every one that is sent this way has the same effect twice
    /// as once.
    pub async fn send(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let mut pause = PAUSE.0;
        let mut tries = 0..=self.retries;
        loop {
            tries.next();
            let answer = self.once(ask).await;
            let may_pass = match &answer {
                Ok(answer) => matches!(answer.status, 429 | 500 | 502 | 503 | 504),
                Err(_) => true,
            };
            if !may_pass || tries.is_empty() {
                let failed = |reason: String| Error::remote("ask for", self.name(ask.key), reason);
                return answer.map_err(failed);
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE.1.min(pause * 2);
        }
    }

    /// What the store's clock says, in whole seconds: the one by which it dates versions.
    pub async fn now(&self) -> Result<Timestamp, Error> {
        let answer = self.send(&Ask::new(Method::GET, "").query("versioning", "")).await?;
        answer.date.ok_or_else(|| Error::remote("read the time of", self.name(""), "its responses have no date"))
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Answer, String> {
        let request = self.request(ask).await?;
        let response = self.client.execute(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}; check that the store works, then try again")
        })?;
        Answer::read(response).await
    }

    async fn request(&self, ask: &Ask<'_>) -> Result<HttpRequest, String> {
        // How a store is addressed is the client's knowledge, and it tells it this way alone.
        let key = Path::parse(ask.key).map_err(|error| error.to_string())?;
        let signed = self.s3.signed_url(Method::GET, &key, LOOK).await.map_err(|error| words::explain(&error))?;
        let region = region(&signed).ok_or("cannot determine the region of the bucket")?;
        let mut url = signed;
        url.set_query(None);
        for (name, value) in &ask.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut request = HttpRequest::new(HttpRequestBody::from(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = url.as_str().parse().map_err(|_| format!("{} has no URL", self.name(ask.key)))?;
        fill(request.headers_mut(), ask).map_err(|error| error.to_string())?;
        let credential = self.s3.credentials().get_credential().await.map_err(|error| words::explain(&error))?;
        let signer = AwsAuthorizer::new(&credential, "s3", &region);
        signer.try_authorize(&mut request, None).map_err(|error| words::explain(&error))?;
        Ok(request)
    }
}

/// Every body has its checksum: S3 asks for one with what is to be locked, and with whatever changes a lock.
fn fill(headers: &mut HeaderMap, ask: &Ask<'_>) -> Result<(), reqwest::header::InvalidHeaderValue> {
    if !ask.body.is_empty() {
        let digest = ring::digest::digest(&ring::digest::SHA256, &ask.body);
        headers.insert("x-amz-checksum-sha256", BASE64_STANDARD.encode(digest).parse()?);
        headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("SHA256"));
    }
    for (name, value) in &ask.headers {
        headers.insert(HeaderName::from_static(name), value.parse()?);
    }
    Ok(())
}

/// The region of a signed URL: `X-Amz-Credential=…`.
fn region(signed: &Url) -> Option<String> {
    region_of(&signed.query_pairs().find(|(name, _)| name == "X-Amz-Credential")?.1)
}

impl Answer {
    async fn read(response: HttpResponse) -> Result<Self, String> {
        let status: StatusCode = response.status();
        let date = response.headers().get("date").and_then(|date| rfc2822::parse(date.to_str().ok()?).ok());
        let (mut body, mut chunks) = (Vec::new(), response.into_body().bytes_stream());
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
            if body.len() as u64 > bounds::VERSIONS_BYTES {
                return Err(format!("its response has more than {} bytes", bounds::VERSIONS_BYTES));
            }
        }
        Ok(Self { status: status.as_u16(), body, date: date.map(|date| date.timestamp()) })
    }
}

pub(super) fn parsed<T: DeserializeOwned>(xml: &[u8]) -> Result<T, String> {
    quick_xml::de::from_reader(xml).map_err(|error| format!("its response is malformed: {error}"))
}
