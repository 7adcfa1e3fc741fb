//! A store that says whatever the fuzzer wants.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::ready;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, RetryConfig};

use super::bounded::Bounded;
use super::seal::Recipient;
use super::{Address, Identities, Remote, VerifyKeys, listing};

/// Answers requests with these bodies in turn, then with none.
#[derive(Clone, Debug)]
struct Says {
    bodies: Arc<Vec<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
}

impl HttpService for Says {
    fn call<'service, 'answer>(
        &'service self,
        _: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'answer>>
    where
        'service: 'answer,
        Self: 'answer,
    {
        let body = self.bodies.get(self.asked.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or_default();
        let mut answer = HttpResponse::new(HttpResponseBody::from(body.clone()));
        let headers =
            [("content-length", body.len().to_string()), ("last-modified", "Sun, 22 Nov 2026 18:09:35 GMT".into())];
        for (name, value) in headers {
            answer.headers_mut().extend(value.parse().map(|value| (name.parse().ok(), value)));
        }
        Box::pin(ready(Ok(answer)))
    }
}

impl HttpConnector for Says {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Bounded::new(HttpClient::new(self.clone()))))
    }
}

/// Reads a listing, then each manifest that it names; a byte that is in no text is between them.
pub fn listing(bytes: &[u8]) {
    let bodies = bytes.split(|byte| *byte == 0xff).map(<[u8]>::to_vec).collect();
    let says = Says { bodies: Arc::new(bodies), asked: Arc::default() };
    let store = AmazonS3Builder::new()
        .with_url("s3://bucket/prefix")
        .with_skip_signature(true)
        .with_region("region")
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(says)
        .build();
    // No sockets are opened, and to prepare for them would take most of the time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let (Ok(store), Ok(runtime), Ok(address)) = (store, runtime, "s3://bucket/prefix".parse()) else {
        unreachable!("a store that needs nothing");
    };
    let (keys, identities) = (VerifyKeys::default(), Identities::default());
    let (bucket, time, lock, retries) = (None, None, None, 0);
    let remote = Remote { address, store: Arc::new(store), bucket, time, lock, runtime, keys, identities, retries };
    if let Ok(listing) = remote.runtime.block_on(listing::read(&remote, &remote.keys)) {
        assert!(listing.entries().len() <= bytes.len());
        assert!(listing.unowned().count() <= listing.pieces.len());
    }
}

/// An address, or the key of a reader.
pub fn configuration(line: &str) {
    if let Ok(address) = line.parse::<Address>() {
        assert!(address.url.password().is_none());
    }
    let refused = line.parse::<Recipient>().err();
    assert!(refused.is_none_or(|reason| line.len() < 20 || !reason.contains(line)));
}
