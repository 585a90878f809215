//! What happens later by itself.

use uuid::Uuid;

use super::State;
use super::change::Row;
use super::entities::{Card, CardStatus, CardholderStatus, OrderStatus, Timer, TimerAction};
use crate::catalogue::{self, Product};
use crate::clock::Millis;
use crate::faults::Fault;

impl State {
    pub(crate) fn schedule(&mut self, due_at: Millis, action: TimerAction) {
        self.last_timer += 1;
        self.put_timer(Timer {
            id: self.last_timer,
            due_at,
            action,
        });
    }

    pub(super) fn put_timer(&mut self, timer: Timer) {
        self.last_timer = self.last_timer.max(timer.id);
        self.changed.insert(Row::Timer(timer.due_at, timer.id));
        self.timers.insert((timer.due_at, timer.id), timer);
    }

    pub(crate) fn next_timer(&self) -> Option<Millis> {
        self.timers.keys().next().map(|(due_at, _)| *due_at)
    }

    /// Performs up to `limit` due timers, each at the time it was due, in order. True if more are due.
    pub(crate) fn fire(&mut self, now: Millis, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(first) = self
                .timers
                .first_entry()
                .filter(|entry| entry.key().0 <= now)
            else {
                return false;
            };
            let timer = first.remove();
            self.changed.insert(Row::Timer(timer.due_at, timer.id));
            self.act(timer.action, timer.due_at);
        }
        self.next_timer().is_some_and(|due_at| due_at <= now)
    }

    fn act(&mut self, action: TimerAction, at: Millis) {
        match action {
            TimerAction::FinishCard(card) => self.finish_card(card, at),
            TimerAction::EndReview(holder) => self.end_review(holder, at),
            TimerAction::PersonActs {
                cardholder,
                token,
                outcome,
            } => {
                let current = self
                    .cardholder(cardholder)
                    .and_then(|holder| holder.link.as_ref());
                if current.is_some_and(|link| link.token == token) {
                    // A person who comes too late changes nothing, as at the real page.
                    let _ = self.person_acts(cardholder, outcome, at);
                }
            }
            TimerAction::CancelCard(card) => self.end_cancellation(card, at),
        }
    }

    /// The card of a verified cardholder becomes `ACTIVE`, or `FAILED` if the script says so.
    pub(crate) fn finish_card(&mut self, id: Uuid, at: Millis) {
        let Some(card) = self
            .card(id)
            .filter(|card| card.status == CardStatus::Pending)
        else {
            return;
        };
        let verified = self
            .cardholder(card.cardholder_id)
            .is_some_and(|h| h.status == CardholderStatus::Success);
        if !verified {
            return;
        }
        let card = card.clone();
        let subject = self.subject_of_card(&card);
        let decisive =
            |fault: &Fault| matches!(fault, Fault::NeverActivates | Fault::CardFails { .. });
        match self.take_fault(&subject, decisive) {
            Some((_, Fault::NeverActivates)) => {}
            Some((_, Fault::CardFails { failure_code })) => self.fail_card(card, failure_code, at),
            _ => self.activate_card(card, at),
        }
    }

    pub(crate) fn activate_card(&mut self, mut card: Card, at: Millis) {
        card.turn(CardStatus::Active, at);
        self.end_order(card.order_id, OrderStatus::Success, None, at);
        self.put_card(card.clone());
        self.emit_card_created(&card, at);
    }

    pub(crate) fn fail_card(&mut self, mut card: Card, failure_code: Option<String>, at: Millis) {
        card.turn(CardStatus::Failed, at);
        self.end_order(card.order_id, OrderStatus::Failed, failure_code.clone(), at);
        if catalogue::product(card.product_id).is_some_and(Product::is_prepaid) {
            let balance = self.balance(card.account, &card.currency);
            self.put_balance(card.account, &card.currency, balance + card.limit);
        }
        self.put_card(card.clone());
        self.emit_card_failed(&card, failure_code, at);
    }

    pub(super) fn end_order(
        &mut self,
        id: Uuid,
        status: OrderStatus,
        failure_code: Option<String>,
        at: Millis,
    ) {
        if let Some(mut order) = self.order(id).cloned() {
            order.end(status, at);
            order.failure_code = failure_code;
            self.put_order(order);
        }
    }
}
