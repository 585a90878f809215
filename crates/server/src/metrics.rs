//! Figures in the Prometheus text form. Counters are what the crates below count; gauges are read from the engine at the
//! moment they are asked for, so that none can be stale. Labels are names of ours: never an id, never a person.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use issuance::Health;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// How often what was measured is folded, whoever asks for it.
const UPKEEP: Duration = Duration::from_secs(5);
/// Upper bounds of HTTP answers, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];

/// The recorder of this process, to be shown at `/metrics`.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Figures that cannot be recorded.
#[derive(Debug, thiserror::Error)]
#[error("this process records metrics already; hand its recorder's handle over instead")]
pub struct MetricsError(#[source] BuildError);

impl Metrics {
    /// Makes this the process's recorder, and keeps it folded for as long as the runtime it is called on.
    ///
    /// # Errors
    /// When the process has a recorder.
    pub fn install() -> Result<Self, MetricsError> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
            .map_err(MetricsError)?;
        let handle = builder.install_recorder().map_err(MetricsError)?;
        let folded = handle.clone();
        tokio::spawn(async move {
            // Without it, measurements would pile up until somebody asks.
            let mut tick = tokio::time::interval(UPKEEP);
            loop {
                tick.tick().await;
                folded.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    /// Of a recorder the host has installed itself.
    #[must_use]
    pub fn of(handle: PrometheusHandle) -> Self {
        Self(handle)
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn render(&self, health: &Health) -> String {
        let mut text = self.0.render();
        let per_order = calls_per_finished_order(&text);
        gauges(&mut text, health);
        if let Some(calls) = per_order {
            gauge(
                &mut text,
                "issuance_provider_calls_per_finished_order",
                &[("", calls)],
            );
        }
        text
    }
}

fn gauges(text: &mut String, health: &Health) {
    let flag = |value: bool| f64::from(u8::from(value));
    gauge(text, "issuance_ready", &[("", flag(health.ready))]);
    gauge(
        text,
        "issuance_calls_wait",
        &[("", flag(health.breaker.is_some()))],
    );
    if let Ok(head) = &health.store {
        gauge(text, "issuance_log_position", &[("", count(head.0))]);
    }
    let Some(counts) = &health.counts else { return };
    let by = |label: &str, rows: &BTreeMap<String, u64>| -> Vec<_> {
        rows.iter()
            .map(|(name, number)| (format!("{{{label}=\"{name}\"}}"), count(*number)))
            .collect()
    };
    gauge(text, "issuance_orders", &by("state", &counts.states));
    gauge(
        text,
        "issuance_orders_needing_attention",
        &by("reason", &counts.attention),
    );
    let messages = [
        ("{standing=\"pending\"}", count(counts.pending_messages)),
        ("{standing=\"parked\"}", count(counts.parked_messages)),
        (
            "{standing=\"quarantined\"}",
            count(counts.quarantined_messages),
        ),
    ];
    gauge(text, "issuance_inbox_messages", &messages);
    gauge(text, "issuance_tasks", &[("", count(counts.tasks))]);
}

fn gauge<L: AsRef<str>>(text: &mut String, name: &str, rows: &[(L, f64)]) {
    let _ = writeln!(text, "# TYPE {name} gauge");
    for (labels, value) in rows {
        let _ = writeln!(text, "{name}{} {value}", labels.as_ref());
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the text form knows only floats; exact up to 2^53"
)]
fn count(number: u64) -> f64 {
    number as f64
}

/// The figure the design asks for: calls of every kind over orders that ended, since the process began.
fn calls_per_finished_order(text: &str) -> Option<f64> {
    let sum = |wanted: &dyn Fn(&str) -> bool| -> f64 {
        let rows = text.lines().filter(|line| wanted(line));
        rows.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    };
    let calls = sum(&|line| line.starts_with("issuance_provider_calls_total"));
    let finished = sum(&|line| {
        line.starts_with("issuance_events_total{")
            && (line.contains("event=\"card_activated\"")
                || line.contains("event=\"order_failed\""))
    });
    (finished > 0.0).then(|| calls / finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_calls_by_orders_that_ended() {
        let text = "# TYPE issuance_provider_calls_total counter\n\
            issuance_provider_calls_total{call=\"create_card\"} 6\n\
            issuance_provider_calls_total{call=\"get_card\"} 2\n\
            issuance_events_total{event=\"card_activated\"} 3\n\
            issuance_events_total{event=\"order_failed\"} 1\n\
            issuance_events_total{event=\"order_requested\"} 9\n";
        assert_eq!(calls_per_finished_order(text), Some(2.0));
        assert_eq!(calls_per_finished_order(""), None);
    }
}
