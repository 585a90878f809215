//! One order's story.

use issuance_domain::{EventBody, OrderId, Timestamp, Version};
use serde::Serialize;

use crate::error::AuditError;
use crate::log::{Log, event_of, order_of};

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Its place in the whole log.
    pub position: u64,
    /// Which of the order's events.
    pub version: Version,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What happened: `name` and `body`.
    #[serde(flatten)]
    pub event: EventBody,
    /// The webhook that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Log {
    /// All events of an order, oldest first; empty when there is no such order. Every line read is verified.
    ///
    /// # Errors
    /// When the log is not as written, or an event of the order cannot be read.
    pub fn timeline(&self, order: OrderId) -> Result<Vec<Moment>, AuditError> {
        let mut moments = Vec::new();
        for record in self.records() {
            let record = record?;
            if order_of(&record)? != Some(order) {
                continue;
            }
            let recorded = event_of(&record, order)?;
            moments.push(Moment {
                position: record.position,
                version: recorded.version,
                recorded_at: recorded.event.at,
                event: recorded.event.body,
                message: record.message,
            });
        }
        Ok(moments)
    }
}
