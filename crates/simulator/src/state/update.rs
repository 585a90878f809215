//! Changing what is written on a card: limit, name, metadata, controls. Only the order's type and the event's name
//! are the contract's (§2.6, §5.3); the rules are those of creation.

use uuid::Uuid;

use super::cards::{check_metadata, check_name, check_risk, spending_limit};
use super::entities::{Card, CardOrder, CardStatus, OrderStatus, OrderType};
use super::{Caller, State};
use crate::catalogue;
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::requests::UpdateCard;

impl State {
    /// Answers the new order as it was accepted, `PENDING`; that it is done is told by webhook.
    pub(crate) fn update_card(
        &mut self,
        caller: &Caller,
        id: Uuid,
        changes: &UpdateCard,
        now: Millis,
    ) -> Result<(Card, CardOrder), Refusal> {
        let mut card = self
            .card(id)
            .filter(|card| card.account == caller.account)
            .cloned()
            .ok_or_else(errors::card_not_found)?;
        if card.status != CardStatus::Active {
            return Err(errors::card_not_changeable());
        }
        let product = catalogue::product(card.product_id).ok_or_else(errors::internal)?;
        if let Some(limit) = changes.card_limit {
            if product.is_prepaid() || limit.0 < card.consumed || limit.0.normalize().scale() > 2 {
                return Err(errors::invalid(
                    "card_limit has at most two decimals, covers what is consumed, and is no prepaid card's",
                ));
            }
            card.limit = limit.0;
        }
        if changes.name_on_card.is_some() {
            check_name(changes.name_on_card.as_deref())?;
            card.name_on_card.clone_from(&changes.name_on_card);
        }
        if let Some(metadata) = &changes.metadata {
            check_metadata(metadata)?;
            card.metadata = Some(metadata.clone());
        }
        if let Some(risk) = &changes.risk_controls {
            check_risk(risk, product)?;
            card.risk_controls = Some(risk.clone().into());
        }
        if let Some(limit) = spending_limit(changes.spending_controls.as_deref())? {
            card.spending_limit = Some(limit);
        }
        let order = self.done_at_once(id, OrderType::CardUpdate, now);
        self.put_card(card.clone());
        self.emit_order_done("card.update.succeeded", &card, order.id, now);
        Ok((card, order))
    }

    /// Keeps an order that is done already, and answers it as it was accepted.
    pub(super) fn done_at_once(&mut self, card: Uuid, kind: OrderType, now: Millis) -> CardOrder {
        let accepted = self.accepted_order(card, kind, now);
        let mut done = accepted.clone();
        done.end(OrderStatus::Success, now);
        self.put_order(done);
        accepted
    }

    /// A new order as it is accepted; not kept yet.
    pub(super) fn accepted_order(&mut self, card: Uuid, kind: OrderType, now: Millis) -> CardOrder {
        CardOrder {
            id: self.rng.uuid(),
            card_id: card,
            kind,
            status: OrderStatus::Pending,
            created_at: now,
            updated_at: now,
            completed_at: None,
            failure_code: None,
        }
    }
}
