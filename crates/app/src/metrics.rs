//! Counters of the service, for Prometheus. Its current state is read for each request: [`crate::routes::metrics`].

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::connections::Connections;
use crate::store::{SECONDS, Store};

/// What every name begins with.
pub(crate) const PREFIX: &str = "pra";

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Metrics {
    /// Nothing counted yet but what the store counts.
    pub(crate) fn new(store: &Store, connections: &Connections) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let answers = Family::default();
        registry.register("http_requests", "Requests answered, by route and status", answers.clone());
        let durations = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let help = "Time from the end of a request's headers to those of its response";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, durations.clone());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the program", build);
        let help = "Clients refused because the connection limit was reached";
        registry.register("connections_refused", help, connections.refused().clone());
        store.register(&mut registry);
        Self { registry, answers, durations }
    }

    /// Writes what was counted, in the text format of OpenMetrics and without its end.
    pub(crate) fn encode(&self, text: &mut String) -> fmt::Result {
        text::encode_registry(text, &self.registry)
    }

    pub(crate) fn answered(&self, route: &str, status: StatusCode, took: Duration) {
        let route = route.to_owned();
        self.durations.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.answers.get_or_create(&Answer { route, status: status.as_u16() }).inc();
    }
}
