//! What the API counts of itself, for Prometheus.

use std::time::Duration;

use anyhow::Context;
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// The counters.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    connections: IntGauge,
    clients: IntGauge,
}

impl Telemetry {
    /// All at zero.
    ///
    /// # Errors
    /// Two of them have one name.
    pub fn new() -> anyhow::Result<Telemetry> {
        let requests = IntCounterVec::new(
            Opts::new("http_requests_total", "Requests that were answered."),
            &["method", "path", "status"],
        )?;
        let buckets = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let options =
            HistogramOpts::new("http_request_duration_seconds", "How long answers took.").buckets(buckets);
        let duration = HistogramVec::new(options, &["path"])?;
        let connections = IntGauge::new("database_connections", "Open connections to the database.")?;
        let clients = IntGauge::new("alt_web_clients", "Open connections of clients.")?;
        let registry = Registry::new();
        let all: [Box<dyn Collector>; 4] = [
            Box::new(requests.clone()),
            Box::new(duration.clone()),
            Box::new(connections.clone()),
            Box::new(clients.clone()),
        ];
        for one in all {
            registry.register(one).context("register a metric")?;
        }
        Ok(Telemetry { registry, requests, duration, connections, clients })
    }

    /// Counts an answer. `method` and `path` are of the table of routes, or `other`, so that nobody makes more series.
    pub(crate) fn answered(&self, method: &str, path: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[method, path, status.to_string().as_str()]).inc();
        self.duration.with_label_values(&[path]).observe(took.as_secs_f64());
    }

    /// Notes how many clients are connected.
    pub(crate) fn clients(&self, open: usize) {
        self.clients.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// A summary since the start, as JSON. `connections`: how many are open to the database.
    pub(crate) fn numbers(&self, connections: u64) -> serde_json::Value {
        let (mut answered, mut refused, mut failed) = (0.0, 0.0, 0.0);
        let (mut seconds, mut count) = (0.0, 0);
        for family in self.registry.gather() {
            for metric in family.get_metric() {
                match family.name() {
                    "http_requests_total" => {
                        let n = metric.get_counter().get_value();
                        answered += n;
                        let status = metric.get_label().iter().find(|label| label.name() == "status");
                        match status.and_then(|label| label.value().chars().next()) {
                            Some('5') => failed += n,
                            Some('4') => refused += n,
                            _ => {}
                        }
                    }
                    "http_request_duration_seconds" => {
                        seconds += metric.get_histogram().get_sample_sum();
                        count += metric.get_histogram().get_sample_count();
                    }
                    _ => {}
                }
            }
        }
        #[allow(clippy::cast_precision_loss)] // shown
        let mean = if count == 0 { 0.0 } else { seconds / count as f64 * 1000.0 };
        serde_json::json!({
            "answered": answered, "client_errors": refused, "server_errors": failed,
            "mean_ms": (mean * 1000.0).round() / 1000.0,
            "clients": self.clients.get(), "database_connections": connections,
        })
    }

    /// All of them, in the text format of Prometheus. `connections`: how many are open to the database.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn page(&self, connections: u64) -> anyhow::Result<String> {
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        TextEncoder::new().encode_to_string(&self.registry.gather()).context("write the metrics")
    }
}
