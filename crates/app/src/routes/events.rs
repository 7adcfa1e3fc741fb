//! `GET /events`: bulletins as server-sent events, one a second, until the client goes or the service stops.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::{StreamExt, stream};
use hyper::body::Bytes;

use crate::error::ApiError;
use crate::service::Service;

/// How many milliseconds a browser waits before it connects again.
const RETRY: &str = "retry: 500\n\n";

/// The last word of a service that is asked to stop, so that who watches can tell that from an outage.
const STOPPED: &str = "event: stopped\ndata: {}\n\n";

/// Answers at once, and with a bulletin within a second or two.
pub(crate) async fn events(State(service): State<Arc<Service>>) -> Result<impl IntoResponse, ApiError> {
    let bulletins =
        stream::unfold(service.bulletins.watch()?, async |mut watcher| Some((watcher.next().await?, watcher)));
    let first = stream::iter([Bytes::from_static(RETRY.as_bytes())]);
    // A stream that never ends would hold up a stop.
    let events = first.chain(bulletins).take_until(service.stop.clone().asked());
    let last = stream::iter([Bytes::from_static(STOPPED.as_bytes())]);
    let events = events.chain(last).map(Ok::<_, Infallible>);
    // Nothing comes after the stream: kept alive, its connection would hold up a stop too.
    Ok(([(CONTENT_TYPE, "text/event-stream"), (CONNECTION, "close")], Body::from_stream(events)))
}
