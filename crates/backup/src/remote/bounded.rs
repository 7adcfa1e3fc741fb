//! Limits on a store's responses: the length of each, and how often a listing may repeat the same next page.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Limited};
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};

use crate::bounds;

/// By which the stores call the place where a listing goes on.
const TOKENS: [&str; 2] = ["continuation-token=", "marker="];

/// Speaks through a client, as far as the answers keep to the bounds.
#[derive(Debug)]
pub(super) struct Bounded {
    client: HttpClient,
    /// How often each page of a listing was asked for.
    pages: Mutex<BTreeMap<String, usize>>,
}

impl Bounded {
    pub(super) fn new(client: HttpClient) -> Self {
        Self { client, pages: Mutex::default() }
    }

    /// Fails where a listing goes on for ever.
    fn check(&self, request: &HttpRequest) -> Result<(), HttpError> {
        let query = request.uri().query().unwrap_or_default();
        if !TOKENS.iter().any(|token| query.contains(token)) {
            return Ok(());
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = pages.entry(query.to_owned()).or_default();
        *asked += 1;
        if *asked > bounds::SAME_PAGE {
            return Err(endless(format!("it gave the same next page {} times", bounds::SAME_PAGE)));
        }
        if pages.len() > bounds::PAGES {
            return Err(endless(format!("it has more than {} pages", bounds::PAGES)));
        }
        Ok(())
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.check(&request)?;
        let (parts, body) = self.client.execute(request).await?.into_parts();
        let most = usize::try_from(bounds::ANSWER_BYTES).unwrap_or(usize::MAX);
        let too_long = move |error: Box<dyn std::error::Error + Send + Sync>| match error.downcast() {
            Ok(error) => *error,
            Err(_) => {
                let why = format!("the response has more than {most} bytes, the maximum");
                HttpError::new(HttpErrorKind::Decode, io::Error::other(why))
            }
        };
        let body = HttpResponseBody::new(Limited::new(body, most).map_err(too_long));
        Ok(HttpResponse::from_parts(parts, body))
    }
}

fn endless(why: String) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, io::Error::other(format!("the listing does not end: {why}")))
}

#[async_trait]
impl HttpService for Bounded {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.answer(request).await
    }
}
