//! A store that returns whatever the fuzzer wants.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
#[derive(Clone, Debug, Default)]
struct Says(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl Says {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let body = self.lock().pop_front().unwrap_or_default();
        let length = body.len().to_string();
        let mut answer = HttpResponse::new(HttpResponseBody::from(body));
        let headers = [("content-length", length), ("last-modified", "Sun, 22 Nov 2026 18:09:35 GMT".into())];
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

thread_local! {
    /// Making a store takes longer than reading what it says.
    static STORE: (Says, Remote) = store();
}

fn store() -> (Says, Remote) {
    let says = Says::default();
    let store = AmazonS3Builder::new()
        .with_url("s3://bucket/prefix")
        .with_skip_signature(true)
        .with_region("region")
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(says.clone())
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Ok(store), Ok(runtime), Ok(address)) = (store, runtime, "s3://bucket/prefix".parse()) else {
        unreachable!("a store that needs nothing");
    };
    let (keys, identities) = (VerifyKeys::default(), Identities::default());
    let (bucket, time, lock, retries) = (None, None, None, 0);
    (says, Remote { address, store: Arc::new(store), bucket, time, lock, runtime, keys, identities, retries })
}

/// Reads a listing, then each manifest that it names; a byte that is in no text is between them.
pub fn listing(bytes: &[u8]) {
    STORE.with(|(says, remote)| {
        *says.lock() = bytes.split(|byte| *byte == 0xff).map(<[u8]>::to_vec).collect();
        if let Ok(listing) = remote.runtime.block_on(listing::read(remote, &remote.keys)) {
            assert!(listing.entries().len() <= bytes.len());
            assert!(listing.unowned().count() <= listing.pieces.len());
        }
    });
}

/// An address, or the key of a reader.
pub fn configuration(line: &str) {
    if let Ok(address) = line.parse::<Address>() {
        assert!(address.url.password().is_none());
    }
    // Whatever is refused, the reason repeats nothing of it: it is that of nothing at all.
    let refused = line.parse::<Recipient>().err();
    assert!(refused.is_none() || refused == "".parse::<Recipient>().err());
}
