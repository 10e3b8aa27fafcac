//! What rules measure.

use crate::bucket::{Bucket, Number};
use crate::time::{Micros, SECOND};

/// How a number comes of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count(Number),
    /// Per minute.
    Rate(Number),
    /// Percent of the events with a status.
    Share(Number),
    /// Percent of the events that are not of people.
    Bots,
    Mean,
    /// Of the numbers that the lens looks at.
    Sum,
    /// The same, per minute.
    SumRate,
    /// The same, of each.
    MeanNumber,
    /// Thousandths.
    Quantile(i16),
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in rules.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    kind: Kind,
}

/// All metrics.
pub const ALL: &[Metric] = &[
    metric("events", "events", Kind::Count(Number::Events)),
    metric("events_per_minute", "events a minute", Kind::Rate(Number::Events)),
    metric("page_views", "page views", Kind::Count(Number::PageViews)),
    metric("page_views_per_minute", "page views a minute", Kind::Rate(Number::PageViews)),
    metric("requests", "events with a status", Kind::Count(Number::Answered)),
    metric("errors", "events with a status from 500", Kind::Count(Number::Errors)),
    metric("client_errors", "events with a status from 400 to 499", Kind::Count(Number::ClientErrors)),
    metric(
        "error_rate",
        "percent of the events with a status that have one from 500",
        Kind::Share(Number::Errors),
    ),
    metric(
        "client_error_rate",
        "percent of the events with a status that have one from 400 to 499",
        Kind::Share(Number::ClientErrors),
    ),
    metric("response_time_mean", "mean time of a request, ms", Kind::Mean),
    metric("response_time_p50", "median time of a request, ms", Kind::Quantile(500)),
    metric("response_time_p90", "time of a request, 90th percentile, ms", Kind::Quantile(900)),
    metric("response_time_p95", "time of a request, 95th percentile, ms", Kind::Quantile(950)),
    metric("response_time_p99", "time of a request, 99th percentile, ms", Kind::Quantile(990)),
    metric("bytes", "bytes of the answers", Kind::Count(Number::Bytes)),
    metric("bytes_per_minute", "bytes of the answers a minute", Kind::Rate(Number::Bytes)),
    metric("sum", "sum of a property of events, or of samples", Kind::Sum),
    metric("sum_per_minute", "sum of a property of events, or of samples, a minute", Kind::SumRate),
    metric("mean", "mean of a property of events, or of samples", Kind::MeanNumber),
    metric("bot_share", "percent of the events that are not of the class human", Kind::Bots),
];

const fn metric(name: &'static str, about: &'static str, kind: Kind) -> Metric {
    Metric { name, about, kind }
}

impl Metric {
    /// The metric with this name.
    pub fn of(name: &str) -> Option<Metric> {
        ALL.iter().find(|metric| metric.name == name).copied()
    }

    /// The unit of its values; may be empty.
    pub fn unit(self) -> &'static str {
        match self.kind {
            Kind::Share(_) | Kind::Bots => "%",
            Kind::Mean | Kind::Quantile(_) => "ms",
            Kind::Count(_) | Kind::Rate(_) | Kind::Sum | Kind::SumRate | Kind::MeanNumber => "",
        }
    }

    /// Whether it is of numbers, and has to be told of which.
    pub fn is_of_numbers(self) -> bool {
        matches!(self.kind, Kind::Sum | Kind::SumRate | Kind::MeanNumber)
    }

    /// Whether samples have it, which are numbers and no events.
    pub fn is_of_samples(self) -> bool {
        self.is_of_numbers() || matches!(self.kind, Kind::Count(Number::Events) | Kind::Rate(Number::Events))
    }

    /// Its value over a window. `None`: nothing was measured, such as a share of no events. Counts are zero then.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn value(self, sum: &Bucket, window: Micros) -> Option<f64> {
        let share = |part: i64, of: i64| (of > 0).then(|| 100.0 * part as f64 / of as f64);
        match self.kind {
            Kind::Count(number) => Some(sum.number(number) as f64),
            Kind::Rate(number) => {
                Some(sum.number(number) as f64 * (60 * SECOND) as f64 / window.max(1) as f64)
            }
            Kind::Share(number) => share(sum.number(number), sum.number(Number::Answered)),
            Kind::Bots => {
                let events = sum.number(Number::Events);
                share(events - sum.number(Number::Human), events)
            }
            Kind::Mean => {
                let timed = sum.number(Number::Timed);
                (timed > 0).then(|| sum.number(Number::Milliseconds) as f64 / timed as f64)
            }
            Kind::Sum => Some(sum.total()),
            Kind::SumRate => Some(sum.total() * (60 * SECOND) as f64 / window.max(1) as f64),
            Kind::MeanNumber => {
                let count = sum.number(Number::Events);
                (count > 0).then(|| sum.total() / count as f64)
            }
            Kind::Quantile(thousandths) => sum.quantile(f64::from(thousandths) / 1000.0),
        }
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Event;

    #[test]
    fn each_metric_has_a_value_of_a_window() {
        let mut sum = Bucket::default();
        for (status, class) in [(200, "human"), (200, "human"), (404, "bot"), (500, "human")] {
            let event_type = if status == 200 { "pageview" } else { "request" };
            let (status, ms, bytes) = (Some(status), Some(30), Some(1000));
            sum.count(&Event { status, class, event_type, request_ms: ms, bytes, ..Event::default() });
            sum.sum(2_500_000);
        }
        let value = |name: &str, sum: &Bucket| Metric::of(name).unwrap().value(sum, 120 * SECOND);
        for (name, expected) in [
            ("events", 4.0),
            ("events_per_minute", 2.0),
            ("page_views", 2.0),
            ("requests", 4.0),
            ("errors", 1.0),
            ("error_rate", 25.0),
            ("client_error_rate", 25.0),
            ("response_time_mean", 30.0),
            ("bytes_per_minute", 2000.0),
            ("bot_share", 25.0),
            ("sum", 10.0),
            ("sum_per_minute", 5.0),
            ("mean", 2.5),
        ] {
            assert_eq!(value(name, &sum), Some(expected), "{name}");
        }
        let empty = Bucket::default();
        for metric in ALL {
            let is_count = matches!(metric.kind, Kind::Count(_) | Kind::Rate(_) | Kind::Sum | Kind::SumRate);
            assert_eq!(value(metric.name, &empty), is_count.then_some(0.0), "{}", metric.name);
        }
    }
}
