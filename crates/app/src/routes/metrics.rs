//! `GET /metrics`: the counters and the current state of the service, for Prometheus.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use backup::verify::Verdict;
use prometheus_client::encoding::{EncodeGaugeValue, text};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::metrics::PREFIX;
use crate::negotiate::takes_open_metrics;
use crate::protection::{self, Protection};
use crate::service::Service;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers in the text format of OpenMetrics, or in the older one of Prometheus to whoever does not take that. What is not
/// known is left out: no number would be true.
pub(crate) async fn metrics(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    match exposition(&service).await {
        Ok(text) if takes_open_metrics(&headers) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Ok(text) => ([(CONTENT_TYPE, PLAIN)], plain(&text)).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The same in the older format: a family has the name of its samples, there are no units, and what only informs is a gauge.
fn plain(open_metrics: &str) -> String {
    let kinds = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let suffixes: BTreeMap<&str, &str> = kinds
        .filter_map(|(family, kind)| match kind {
            "counter" => Some((family, "_total")),
            "info" => Some((family, "_info")),
            _ => None,
        })
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let described = ["# HELP ", "# TYPE "].iter().find_map(|word| Some((*word, line.strip_prefix(word)?)));
        match described.and_then(|(word, rest)| Some((word, rest.split_once(' ')?))) {
            Some((word, (family, rest))) => {
                let rest = if word == "# TYPE " && rest == "info" { "gauge" } else { rest };
                let suffix = suffixes.get(family).unwrap_or(&"");
                text.extend([word, family, suffix, " ", rest]);
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

async fn exposition(service: &Arc<Service>) -> Result<String, fmt::Error> {
    let mut now = Registry::with_prefix(PREFIX);
    let (waiting, depth) = service.store.queue();
    gauge(&mut now, "write_queue_length", "Writes waiting for the disk", waiting as u64);
    gauge(&mut now, "write_queue_limit", "Maximum number of waiting writes; further writes are refused", depth as u64);
    if let Some(bytes) = service.store.wal_bytes() {
        gauge(&mut now, "wal_size_bytes", "Size of the -wal file", bytes);
    }
    if let Some(status) = service.store.protection() {
        let protected = u32::from(status.is_protected());
        gauge(&mut now, "protected", "Whether acknowledged writes survive the loss of the volume", protected);
    }
    let (connected, most) = service.connections.count();
    gauge(&mut now, "connections", "Connected clients", connected);
    gauge(&mut now, "connections_limit", "Maximum number of connected clients; further clients are refused", most);
    let protection = service.looks.look().await;
    let _turn = service.turn().await;
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
        if let Some(age) = protection.age {
            let age = age.as_secs_f64();
            gauge(now, "restore_point_age_seconds", "Time since the newest restore point was taken or confirmed", age);
        }
        if let Some(checked) = &newest.checked {
            let sound = u32::from(checked.verdict == Verdict::Sound);
            gauge(
                now,
                "restore_point_sound",
                "Whether SQLite checked the newest restore point and found no fault",
                sound,
            );
        }
        gauge(now, "restore_point_size_bytes", "Size of the newest restore point", newest.stored_bytes());
        gauge(now, "restore_point_sequence", "Number of the newest restore point", newest.sequence);
        let suspect = u32::from(newest.is_suspect());
        gauge(
            now,
            "restore_point_suspect",
            "Whether the newest restore point looks like a copy of a lost database",
            suspect,
        );
    }
    if let Some(rehearsed) = &protection.rehearsed {
        let age = protection::age(rehearsed.at).as_secs_f64();
        gauge(now, "last_verified_restore_seconds", "Time since the last successful rehearsal of a restore", age);
    }
    if let Some(exposure) = protection.exposure {
        gauge(now, "exposed_messages", "Messages that are in no restore point", exposure.messages);
        if let Some(seconds) = exposure.seconds {
            gauge(now, "exposed_seconds", "Age of the oldest message that is in no restore point", seconds);
        }
    }
}

fn gauge<N>(now: &mut Registry, name: &str, help: &str, value: N)
where
    N: EncodeGaugeValue + fmt::Debug + Copy + Send + Sync + 'static,
{
    now.register(name, help, ConstGauge::new(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_a_family_as_its_samples() {
        let open = "# HELP pra_hits Hits, all.\n# TYPE pra_hits counter\npra_hits_total{a=\"# EOF\"} 3\n\
                    # HELP pra_size_bytes Size.\n# TYPE pra_size_bytes gauge\n# UNIT pra_size_bytes bytes\n\
                    pra_size_bytes 1\n# HELP pra_build The program.\n# TYPE pra_build info\n\
                    pra_build_info{version=\"1\"} 1\n# EOF\n";
        let expected = "# HELP pra_hits_total Hits, all.\n# TYPE pra_hits_total counter\npra_hits_total{a=\"# EOF\"} 3\n\
                        # HELP pra_size_bytes Size.\n# TYPE pra_size_bytes gauge\npra_size_bytes 1\n\
                        # HELP pra_build_info The program.\n# TYPE pra_build_info gauge\n\
                        pra_build_info{version=\"1\"} 1\n";
        assert_eq!(plain(open), expected);
    }
}
