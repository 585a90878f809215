//! Webhook deliveries: what is to be sent, when, and how often it was tried (contract §5.8).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::State;
use super::change::Row;
use super::tokens::millis;
use crate::clock::Millis;
use crate::config::TimestampUnit;
use crate::ledger::{Attempt, DeliveryState};

/// Tries after the first.
const RETRIES: usize = 5;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) number: u64,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) source_id: Uuid,
    pub(crate) card_id: Option<Uuid>,
    pub(crate) created_at: Millis,
    /// The bytes that are signed and sent, the same each time; empty once the delivery is over.
    pub(crate) body: String,
    pub(crate) due_at: Millis,
    /// Timestamp of the first try, which a simulator that does not sign anew repeats.
    pub(crate) signed_at: Option<String>,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: Vec<Attempt>,
}

/// A delivery that is due, as the sender needs it.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) number: u64,
    pub(crate) body: String,
    /// Timestamp of the first try, to be repeated instead of signing anew.
    pub(crate) signed_at: Option<String>,
    pub(crate) unit: TimestampUnit,
}

#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    rows: BTreeMap<u64, Delivery>,
    due: BTreeSet<(Millis, u64)>,
    over: VecDeque<u64>,
    last: u64,
}

impl Deliveries {
    pub(crate) fn get(&self, number: u64) -> Option<&Delivery> {
        self.rows.get(&number)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.rows.values()
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.last
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn put(&mut self, mut delivery: Delivery, cap: usize) {
        let number = delivery.number;
        self.last = self.last.max(number);
        if let Some(before) = self.rows.get(&number) {
            self.due.remove(&(before.due_at, number));
        }
        if delivery.state == DeliveryState::Waiting {
            self.due.insert((delivery.due_at, number));
        } else {
            delivery.body = String::new();
            self.over.push_back(number);
        }
        self.rows.insert(number, delivery);
        if self.over.len() > cap
            && let Some(oldest) = self.over.pop_front()
        {
            self.rows.remove(&oldest);
        }
    }
}

impl State {
    pub(super) fn put_delivery(&mut self, delivery: Delivery) {
        self.changed.insert(Row::Delivery(delivery.number));
        self.deliveries.put(delivery, self.config.request_log_cap);
    }

    pub(crate) fn next_delivery(&self) -> Option<Millis> {
        self.deliveries.due.first().map(|(due_at, _)| *due_at)
    }

    /// Takes the next due delivery off the queue; [`State::delivered`] puts it back or ends it.
    pub(crate) fn take_delivery(&mut self, now: Millis) -> Option<Dispatch> {
        let (_, number) = *self
            .deliveries
            .due
            .first()
            .filter(|(due_at, _)| *due_at <= now)?;
        self.deliveries.due.pop_first();
        let delivery = self.deliveries.rows.get(&number)?;
        let (resign, unit) = match self.choice(delivery.event_id) {
            None => (self.config.webhook_resign, self.config.webhook_timestamp),
            Some(choice) => (
                choice.one_in("resign", 2),
                match choice.one_in("seconds", 2) {
                    true => TimestampUnit::Seconds,
                    false => TimestampUnit::Milliseconds,
                },
            ),
        };
        Some(Dispatch {
            number,
            body: delivery.body.clone(),
            signed_at: delivery.signed_at.clone().filter(|_| !resign),
            unit,
        })
    }

    /// Puts a delivery back that could not even be tried.
    pub(crate) fn put_back(&mut self, number: u64, due_at: Millis) {
        if let Some(delivery) = self.deliveries.rows.get_mut(&number) {
            delivery.due_at = due_at;
            self.deliveries.due.insert((due_at, number));
        }
    }

    /// Records a try: acknowledged ones are over, failed ones wait 16, 32, 64, 128, 256 units.
    pub(crate) fn delivered(
        &mut self,
        number: u64,
        status: Option<u16>,
        signed_at: String,
        now: Millis,
    ) {
        let Some(mut delivery) = self.deliveries.rows.get(&number).cloned() else {
            return;
        };
        delivery.attempts.push(Attempt { at: now, status });
        delivery.signed_at.get_or_insert(signed_at);
        let acknowledged = match status {
            Some(200) => true,
            Some(code) => !self.config.strict && (200..300).contains(&code),
            None => false,
        };
        let failures = delivery.attempts.len();
        if acknowledged {
            delivery.state = DeliveryState::Delivered;
        } else if !self.config.webhook_retry || failures > RETRIES {
            delivery.state = DeliveryState::GivenUp;
        } else {
            delivery.due_at = now + (millis(self.config.webhook_retry_unit) << (failures + 3));
        }
        self.put_delivery(delivery);
    }

    /// True once every one of these was tried or dropped.
    pub(crate) fn were_tried(&self, numbers: &[u64]) -> bool {
        numbers.iter().all(|number| {
            self.deliveries.get(*number).is_none_or(|delivery| {
                delivery.state != DeliveryState::Waiting || !delivery.attempts.is_empty()
            })
        })
    }
}
