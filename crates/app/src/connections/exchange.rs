//! One request of a connection and its response: limits on concurrent requests, and how long the client counts as busy.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::quota::{Asking, Client, Held};
use super::{Member, Quotas};
use crate::bounds::{PIECE_BYTES, WIDE_PIECE_BYTES};
use crate::error::ApiError;
use crate::hardening::harden;

/// The body of an answer. Until it is sent, its client counts as busy.
pub(super) struct Answer {
    body: Body,
    _asking: Asking,
    _sending: Option<Held>,
}

/// What it takes to answer the requests of one connection. Nothing of it is shared with other connections while they are
/// answered, but the router: counting who has it is what threads keep each other waiting with.
pub(super) struct Exchange {
    router: TowerToHyperService<Router>,
    client: Arc<Client>,
    quotas: Arc<Quotas>,
    /// Once a long answer was begun: whether the connection has wide buffers.
    wide: OnceLock<Option<Held>>,
}

/// How much of a long answer is sent at once, which its connection decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Width(Arc<AtomicBool>);

impl Width {
    /// In bytes, about.
    pub(crate) fn piece_bytes(&self) -> usize {
        if self.0.load(Relaxed) { WIDE_PIECE_BYTES } else { PIECE_BYTES }
    }
}

impl Exchange {
    pub(super) fn new(router: Router, client: Arc<Client>, quotas: Arc<Quotas>) -> Arc<Self> {
        Arc::new(Self { router: TowerToHyperService::new(router), client, quotas, wide: OnceLock::new() })
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Answer>, Infallible> {
        let asking = self.client.ask();
        let has_body = !request.body().is_end_stream();
        let bodies = &self.quotas.bodies;
        let sending = if has_body { bodies.admit(&self.client, Member::has_had_its_time_to_send) } else { None };
        let mut response = if has_body && sending.is_none() {
            let overloaded = ApiError::Overloaded { what: "requests with a body are in progress", most: bodies.most() };
            last(harden(overloaded.into_response()))
        } else {
            self.router.call(request).await?
        };
        if let Some(Width(is_wide)) = response.extensions().get() {
            let wide = self.wide.get_or_init(|| self.quotas.wide.admit(&self.client, |_| false));
            if wide.is_some() {
                self.client.widen();
                is_wide.store(true, Relaxed);
            }
        }
        if self.client.ends_after_answer() {
            // Only the end of the connection gives back the memory that the request took.
            response = last(response);
        }
        Ok(response.map(|body| Answer { body, _asking: asking, _sending: sending }))
    }
}

fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
