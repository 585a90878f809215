//! The form of an order as the index stores it, and of what it owes, told by what examples of it look like today. An order gets a field, or an
//! event comes to mean something else, and an index of yesterday is found out by itself.
//!
//! The examples are the released events, whose golden files never change, folded by today's rules.

use std::sync::LazyLock;

use issuance_domain::{Order, OrderId, Policy, evolve, outbox};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::record::read_event;

const AT: &str = "2026-10-03T01:12:44.000Z";

macro_rules! golden {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/events/", $name, ".v1.json"
        ))),*]
    };
}

/// In an order most of them can follow each other in.
const EVENTS: [&str; 28] = golden![
    "order_requested",
    "submission_started",
    "submission_unanswered",
    "look_up_requested",
    "looked_up",
    "absence_observed",
    "absence_proved",
    "key_expired",
    "submission_refused",
    "resubmission_owed",
    "submission_started",
    "submission_answered",
    "leftover_found",
    "order_accepted",
    "provider_ids_learned",
    "idv_required",
    "idv_link_issued",
    "idv_link_expired",
    "idv_submitted",
    "failure_reported",
    "attention_raised",
    "operator_acted",
    "idv_passed",
    "card_activated",
    "order_failed",
    "discrepancy_noted",
    "compensation_started",
    "host_notified",
];

/// Stands for the form of a stored order.
pub(super) static SHAPE: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    let policy = Policy::standard();
    // Each event may be the one that leads elsewhere, so each is also left out once.
    let ways = (0..EVENTS.len()).map(Some).chain([None]);
    for left_out in ways {
        let mut order = None;
        for (index, event) in EVENTS.iter().enumerate() {
            if Some(index) == left_out {
                continue;
            }
            if let Some(next) = follow(order.as_ref(), event) {
                digest.update(serde_json::to_vec(&next).unwrap_or_default());
                // What it owes lies in the index, too.
                let owed = outbox(&next, &policy);
                digest.update(serde_json::to_vec(&owed).unwrap_or_default());
                order = Some(next);
            }
        }
    }
    hex::encode(digest.finalize())
});

#[derive(Deserialize)]
struct Golden<'a> {
    name: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The order after an event; nothing where the event cannot follow.
fn follow(order: Option<&Order>, event: &str) -> Option<Order> {
    let golden: Golden<'_> = serde_json::from_str(event).ok()?;
    let event = read_event(golden.name, 1, AT, golden.body).ok()?;
    evolve(OrderId(Uuid::from_u128(1)), order.cloned(), &event).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_are_rich() {
        let mut order = None;
        let mut taken = 0;
        for event in EVENTS {
            if let Some(next) = follow(order.as_ref(), event) {
                order = Some(next);
                taken += 1;
            }
        }
        assert!(taken > 15, "{taken} of {} events follow", EVENTS.len());
        assert_eq!(SHAPE.len(), 64);
    }
}
