//! `GET /events`: bulletins as server-sent events, one a second, until the client goes or the service stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::{Stream, StreamExt, stream};

use crate::router::Service;

/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);

/// Answers at once, and with a bulletin within a second or two.
pub async fn events(State(service): State<Arc<Service>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let bulletins = stream::unfold(service.bulletins.subscribe(), async |mut bulletins| {
        bulletins.changed().await.ok()?;
        let event = Event::default().data(&*bulletins.borrow_and_update());
        Some((event, bulletins))
    });
    let first = stream::iter([Event::default().retry(RETRY)]);
    // A stream that never ends would hold up a stop.
    Sse::new(first.chain(bulletins).take_until(service.stop.clone().asked()).map(Ok))
}
