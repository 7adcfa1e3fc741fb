//! `GET /metrics`: what the service has counted, and what it is now, for Prometheus.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeGaugeValue, text};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::metrics::PREFIX;
use crate::protection::{self, Protection};
use crate::router::Service;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers in the text format of OpenMetrics. What is not known is left out: no number would be true.
pub async fn metrics(State(service): State<Arc<Service>>) -> Response {
    match exposition(&service).await {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn exposition(service: &Service) -> Result<String, fmt::Error> {
    let mut now = Registry::with_prefix(PREFIX);
    let (waiting, depth) = service.store.queue();
    gauge(&mut now, "write_queue_length", "Writes that wait for the disk", waiting as u64);
    gauge(&mut now, "write_queue_limit", "Writes that may wait; more are refused", depth as u64);
    if let Some(bytes) = service.store.wal_bytes() {
        gauge(&mut now, "wal_size_bytes", "Size of the -wal file", bytes);
    }
    if let Some(status) = service.store.protection() {
        let protected = u32::from(status.is_protected());
        gauge(&mut now, "protected", "Whether what is acknowledged survives the loss of the volume", protected);
    }
    let (connected, most) = service.connections.count();
    gauge(&mut now, "connections", "Clients that are connected", connected);
    gauge(&mut now, "connections_limit", "Clients that may be connected; more are refused", most);
    let protection = protection::look(service).await;
    gauge(&mut now, "database_readable", "Whether the database can be read", u32::from(protection.is_ok()));
    // Whoever met the failure has logged it, and the gauge above tells of it.
    if let Ok(protection) = protection {
        database(&mut now, &protection);
        restore_points(&mut now, &protection);
    }
    let mut text = String::new();
    service.metrics.encode(&mut text)?;
    text::encode(&mut text, &now)?;
    Ok(text)
}

fn database(now: &mut Registry, Protection { summary, .. }: &Protection) {
    gauge(now, "messages", "Messages stored", summary.count);
    gauge(now, "database_size_bytes", "Size of the database without its -wal file", summary.size_bytes);
    if let Some(lineage) = &summary.lineage {
        now.register("lineage", "The lineage of the database", Info::new([("lineage", lineage.to_string())]));
    }
}

fn restore_points(now: &mut Registry, protection: &Protection) {
    let readable = u32::from(protection.repository_error.is_none());
    gauge(now, "repository_readable", "Whether the repository of restore points can be read", readable);
    let room = u32::from(protection.no_room.is_none());
    gauge(now, "repository_room", "Whether the repository has room for another restore point", room);
    if let Some(newest) = &protection.newest {
        let age = protection::age(newest.current_at()).as_secs_f64();
        gauge(now, "restore_point_age_seconds", "Since the newest restore point was taken or confirmed", age);
        gauge(now, "restore_point_size_bytes", "Size of the newest restore point", newest.stored_bytes());
        gauge(now, "restore_point_sequence", "Number of the newest restore point", newest.sequence);
        let suspect = u32::from(newest.is_suspect());
        gauge(
            now,
            "restore_point_suspect",
            "Whether the newest restore point looks like one of a lost database",
            suspect,
        );
    }
    if let Some(rehearsed) = &protection.rehearsed {
        let age = protection::age(rehearsed.at).as_secs_f64();
        gauge(now, "last_verified_restore_seconds", "Since a restore was last rehearsed and found good", age);
    }
    if let Some(exposure) = protection.exposure {
        gauge(now, "exposed_messages", "Messages in no restore point", exposure.messages);
        if let Some(seconds) = exposure.seconds {
            gauge(now, "exposed_seconds", "Since the first message that is in no restore point was stored", seconds);
        }
    }
}

fn gauge<N>(now: &mut Registry, name: &str, help: &str, value: N)
where
    N: EncodeGaugeValue + fmt::Debug + Copy + Send + Sync + 'static,
{
    now.register(name, help, ConstGauge::new(value));
}
