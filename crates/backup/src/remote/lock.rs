//! Locks (S3 Object Lock): until its lock expires, an object can be neither permanently overwritten nor deleted.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use clap::ValueEnum;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::signature::unhex;

/// How long what is written stays, and whom that binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    /// How long, from the moment of writing.
    pub span: Duration,
}

/// Whom a lock binds: the retention modes of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LockMode {
    /// Only users with s3:BypassGovernanceRetention can remove the lock
    Governance,
    /// Nobody can remove the lock, not even the account owner
    Compliance,
}

impl LockMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl Lock {
    /// Until when what is written now is locked: a whole second, as S3 has it, and never less than was asked for.
    pub fn until(self, now: Timestamp) -> Result<Timestamp, jiff::Error> {
        let whole = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil);
        now.checked_add(self.span)?.round(whole)
    }
}

/// Sends every object with a lock. The store's client has no words for that; it signed the request without them, so that it
/// is signed again.
#[derive(Debug)]
pub(super) struct Locking {
    pub inner: HttpClient,
    pub lock: Lock,
    /// Those of the client, once it is built: it is built upon this.
    pub credentials: Arc<OnceLock<AwsCredentialProvider>>,
}

#[async_trait]
impl HttpService for Locking {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if writes_object(&request) {
            self.lock_it(&mut request).await?;
        }
        self.inner.execute(request).await
    }
}

/// Requests for credentials are signed in another way or not at all, and what changes a property has parameters.
fn writes_object(request: &HttpRequest) -> bool {
    request.method() == Method::PUT && request.uri().query().is_none() && scope(request.headers()).is_some()
}

impl Locking {
    async fn lock_it(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let unfit = |reason: &str| HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(reason.to_owned()));
        let credentials =
            self.credentials.get().ok_or_else(|| unfit("there are no credentials to sign the lock request"))?;
        let credential = credentials.get_credential().await.map_err(|error| unfit(&error.to_string()))?;
        let region = scope(request.headers()).ok_or_else(|| unfit("a request without a region"))?;
        let until = self.lock.until(Timestamp::now()).map_err(|error| unfit(&error.to_string()))?;
        let until = HeaderValue::from_str(&until.to_string()).map_err(|error| unfit(&error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert("x-amz-object-lock-mode", HeaderValue::from_static(self.lock.mode.as_str()));
        headers.insert("x-amz-object-lock-retain-until-date", until);
        // The checksum itself is there: the client was told to send one.
        headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("SHA256"));
        let digest = headers.get("x-amz-content-sha256").and_then(|digest| digest.to_str().ok()).and_then(bytes_of);
        let signer = AwsAuthorizer::new(&credential, "s3", &region).with_sign_payload(digest.is_some());
        signer
            .try_authorize(request, digest.as_ref().map(<[u8; 32]>::as_slice))
            .map_err(|error| unfit(&error.to_string()))
    }
}

/// The region in which a request is signed: `AWS4-HMAC-SHA256 Credential=…, …`.
fn scope(headers: &HeaderMap) -> Option<String> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    region_of(signature.split(',').next()?)
}

/// The region in which a request to S3 is signed, by its credential: `KEY/DATE/REGION/s3/aws4_request`.
pub(super) fn region_of(credential: &str) -> Option<String> {
    let mut parts = credential.rsplit('/').skip(1);
    let (service, region) = (parts.next()?, parts.next()?);
    (service == "s3").then(|| region.to_owned())
}

/// A digest in hexadecimal; `None` for a payload that is not signed.
fn bytes_of(hexadecimal: &str) -> Option<[u8; 32]> {
    unhex(hexadecimal.as_bytes())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_at_a_whole_second_and_never_early() {
        let lock = Lock { mode: LockMode::Governance, span: Duration::from_secs(60) };
        for (now, until) in [
            ("2026-11-22T18:09:35Z", "2026-11-22T18:10:35Z"),
            ("2026-11-22T18:09:35.001Z", "2026-11-22T18:10:36Z"),
            ("2026-11-22T18:09:35.999999999Z", "2026-11-22T18:10:36Z"),
        ] {
            assert_eq!(lock.until(now.parse().unwrap()).unwrap().to_string(), until);
        }
        let ever = Lock { span: Duration::from_secs(u64::MAX / 2), ..lock };
        assert!(ever.until(Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn only_what_writes_an_object_is_locked() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKID/20261122/eu-west-3/s3/aws4_request, SignedHeaders=host, Signature=0";
        let request = |method: Method, uri: &str, authorization: Option<&str>| {
            let mut request = HttpRequest::new(Vec::new().into());
            *request.method_mut() = method;
            *request.uri_mut() = uri.parse().unwrap();
            if let Some(authorization) = authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
            }
            request
        };
        let object = request(Method::PUT, "https://s3/b/a.json", Some(signed));
        assert!(writes_object(&object));
        assert_eq!(scope(object.headers()).as_deref(), Some("eu-west-3"));
        for other in [
            request(Method::GET, "https://s3/b/a.json", Some(signed)),
            request(Method::PUT, "https://s3/b/a.json?retention", Some(signed)),
            request(Method::PUT, "http://169.254.169.254/latest/api/token", None),
            request(Method::PUT, "https://sts/", Some(&signed.replace("/s3/", "/sts/"))),
        ] {
            assert!(!writes_object(&other), "{other:?}");
        }
    }

    #[test]
    fn a_digest_is_read_and_nothing_else() {
        assert_eq!(bytes_of(&"0f".repeat(32)), Some([15; 32]));
        for text in ["UNSIGNED-PAYLOAD".to_owned(), "0".repeat(63), "g0".repeat(32), "é".repeat(32)] {
            assert_eq!(bytes_of(&text), None);
        }
    }
}
