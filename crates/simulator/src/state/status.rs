//! Changing a card's status: freeze, reactivate, and the cancel in two phases (contract §2.7).

use uuid::Uuid;

use super::entities::{Card, CardOrder, CardStatus, OrderType, TimerAction};
use super::{Caller, State};
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::requests::UpdateStatus;

/// From `PRE_CANCEL` to `CANCELLED`.
const WAITING_PERIOD: Millis = 30 * 24 * 3600 * 1000;

impl State {
    /// Answers the new order as it was accepted, `PENDING`; the change itself is told by webhook.
    pub(crate) fn update_status(
        &mut self,
        caller: &Caller,
        id: Uuid,
        request: &UpdateStatus,
        now: Millis,
    ) -> Result<(Card, CardOrder), Refusal> {
        let mut card = self
            .card(id)
            .filter(|card| card.account == caller.account)
            .cloned()
            .ok_or_else(errors::card_not_found)?;
        if request
            .update_reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > 100)
        {
            return Err(errors::invalid("update_reason has at most 100 characters"));
        }
        let status = match (request.card_status.as_str(), card.status) {
            ("FROZEN", CardStatus::Active) => CardStatus::Frozen,
            ("ACTIVE", CardStatus::Frozen) => CardStatus::Active,
            ("CANCELLED", CardStatus::Active | CardStatus::Frozen) => CardStatus::PreCancel,
            ("ACTIVE" | "FROZEN" | "CANCELLED", _) => return Err(errors::card_not_changeable()),
            _ => {
                return Err(errors::invalid(
                    "card_status must be ACTIVE, FROZEN or CANCELLED",
                ));
            }
        };
        let accepted = self.done_at_once(id, OrderType::CardUpdate, now);
        card.update_reason.clone_from(&request.update_reason);
        card.turn(status, now);
        self.put_card(card.clone());
        self.emit_status_updated(&card, accepted.id, now);
        if status == CardStatus::PreCancel {
            self.schedule(now + WAITING_PERIOD, TimerAction::CancelCard(id));
        }
        Ok((card, accepted))
    }

    pub(super) fn end_cancellation(&mut self, id: Uuid, at: Millis) {
        let Some(mut card) = self
            .card(id)
            .filter(|card| card.status == CardStatus::PreCancel)
            .cloned()
        else {
            return;
        };
        card.turn(CardStatus::Cancelled, at);
        let order_id = card.order_id;
        self.put_card(card.clone());
        self.emit_status_updated(&card, order_id, at);
    }
}
