//! The ledger read from the state.

use uuid::Uuid;

use super::State;
use super::entities::Card;
use crate::clock::Millis;
use crate::ledger::{
    CardEntry, CardOrderEntry, CardholderEntry, DeliveryEntry, Ledger, RequestEntry,
};

impl State {
    /// Requests from this number on, oldest first.
    pub(crate) fn requests_from(&self, number: u64) -> impl Iterator<Item = &RequestEntry> {
        let known = self.requests.partition_point(|entry| entry.number < number);
        self.requests.iter().skip(known)
    }

    /// Every card, oldest first.
    pub(crate) fn card_entries(&self) -> impl Iterator<Item = CardEntry> + '_ {
        self.card_entries_beyond(|_| None)
    }

    /// Cards that have taken more statuses than are known of them, oldest first.
    pub(crate) fn card_entries_beyond(
        &self,
        known: impl Fn(Uuid) -> Option<usize>,
    ) -> impl Iterator<Item = CardEntry> {
        let is_news =
            move |card: &&Card| known(card.id).is_none_or(|known| known < card.history.len());
        self.cards.iter().filter(is_news).map(|card| CardEntry {
            card_id: card.id,
            card_order_id: card.order_id,
            cardholder_id: card.cardholder_id,
            product_id: card.product_id,
            account: card.account,
            currency: card.currency.clone(),
            limit: card.limit,
            status: card.status,
            metadata: card.metadata.clone().unwrap_or_default(),
            idempotency_key: card.idempotency_key.clone(),
            created_at: card.created_at,
            history: card.history.clone(),
        })
    }

    /// `with_log`: also the request log, which can be large.
    pub(crate) fn ledger(&self, now: Millis, with_log: bool) -> Ledger {
        Ledger {
            seed: self.config.seed,
            now,
            cards: self.card_entries().collect(),
            cardholders: self
                .cardholders
                .iter()
                .map(|holder| CardholderEntry {
                    cardholder_id: holder.id,
                    account: holder.account,
                    email: holder.text("email").to_owned(),
                    status: holder.status,
                    idv_verification_url: holder.link.as_ref().map(|link| self.idv_url(link)),
                    idv_expires_at: holder.link.as_ref().map(|link| link.expires_at),
                    number_of_cards: self.number_of_cards(holder.id),
                    created_at: holder.created_at,
                })
                .collect(),
            card_orders: self
                .orders
                .iter()
                .map(|order| CardOrderEntry {
                    card_order_id: order.id,
                    card_id: order.card_id,
                    order_type: order.kind,
                    status: order.status,
                    failure_code: order.failure_code.clone(),
                    created_at: order.created_at,
                })
                .collect(),
            requests: if with_log {
                self.requests.iter().cloned().collect()
            } else {
                Vec::new()
            },
            deliveries: self
                .deliveries
                .iter()
                .map(|delivery| DeliveryEntry {
                    number: delivery.number,
                    event_id: delivery.event_id,
                    event_type: delivery.event_type.clone(),
                    source_id: delivery.source_id,
                    card_id: delivery.card_id,
                    created_at: delivery.created_at,
                    state: delivery.state,
                    attempts: delivery.attempts.clone(),
                })
                .collect(),
        }
    }
}
