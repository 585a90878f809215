//! Changing a card's status: freeze, reactivate, and the cancel in two phases (contract §2.7), by the API's caller or by
//! somebody else.

use uuid::Uuid;

use super::entities::{Card, CardOrder, CardStatus, OrderStatus, OrderType, TimerAction};
use super::{Caller, State};
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::Fault;
use crate::requests::UpdateStatus;

/// From `PRE_CANCEL` to `CANCELLED`.
const WAITING_PERIOD: Millis = 30 * 24 * 3600 * 1000;

/// Why somebody else's change of a card does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoveError {
    #[error("no such card")]
    Unknown,
    #[error("the card's status does not lead there")]
    Illegal,
}

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
        card.update_reason.clone_from(&request.update_reason);
        if status == CardStatus::PreCancel
            && let Some(silent) = self.cancel_fails(&card)
        {
            return Ok(self.cancel_in_vain(card, silent, now));
        }
        Ok(self.turn_card(card, status, now))
    }

    /// Somebody else changes a card: a person at the provider's portal, or its risk control (contract §4.1).
    pub(crate) fn move_card(
        &mut self,
        id: Uuid,
        to: CardStatus,
        now: Millis,
    ) -> Result<(), MoveError> {
        let mut card = self.card(id).cloned().ok_or(MoveError::Unknown)?;
        let legal = match to {
            CardStatus::Active => {
                matches!(card.status, CardStatus::Frozen | CardStatus::Blocked)
            }
            CardStatus::Frozen => {
                matches!(card.status, CardStatus::Active | CardStatus::Blocked)
            }
            CardStatus::Blocked | CardStatus::PreCancel => {
                matches!(card.status, CardStatus::Active | CardStatus::Frozen)
            }
            CardStatus::Cancelled => {
                matches!(card.status, CardStatus::Active | CardStatus::PreCancel)
            }
            CardStatus::Pending | CardStatus::Failed => false,
        };
        if !legal {
            return Err(MoveError::Illegal);
        }
        card.update_reason = None;
        self.turn_card(card, to, now);
        Ok(())
    }

    /// Makes the change, under an order of its own.
    fn turn_card(&mut self, mut card: Card, status: CardStatus, now: Millis) -> (Card, CardOrder) {
        let accepted = self.done_at_once(card.id, OrderType::CardUpdate, now);
        card.turn(status, now);
        self.put_card(card.clone());
        self.emit_status_updated("card.status.update.succeeded", &card, accepted.id, now);
        if status == CardStatus::PreCancel {
            self.schedule(now + WAITING_PERIOD, TimerAction::CancelCard(card.id));
        }
        (card, accepted)
    }

    /// Whether the script lets this cancel come to nothing, and whether nobody is told.
    fn cancel_fails(&mut self, card: &Card) -> Option<bool> {
        let subject = self.subject_of_card(card);
        let wanted = |fault: &Fault| matches!(fault, Fault::CancelFails { .. });
        match self.take_fault(&subject, wanted) {
            Some((_, Fault::CancelFails { silent })) => Some(silent),
            _ => None,
        }
    }

    /// Takes a cancel that comes to nothing: only its order is new.
    fn cancel_in_vain(&mut self, card: Card, silent: bool, now: Millis) -> (Card, CardOrder) {
        let accepted = self.accepted_order(card.id, OrderType::CardUpdate, now);
        self.put_order(accepted.clone());
        self.put_card(card.clone());
        if !silent {
            self.end_order(accepted.id, OrderStatus::Failed, None, now);
            self.emit_status_updated("card.status.update.failed", &card, accepted.id, now);
        }
        (card, accepted)
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
        self.emit_status_updated("card.status.update.succeeded", &card, order_id, at);
    }
}
