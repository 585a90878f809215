//! Money on and off a card after its creation: recharge and withdraw. A prepaid card draws on the issuing balance;
//! of any other the spending cap moves. No page of theirs was read: only the names are the contract's (§2.6, §5.3).

use rust_decimal::Decimal;
use uuid::Uuid;

use super::entities::{Card, CardOrder, CardStatus, OrderType};
use super::{Caller, State};
use crate::catalogue::{self, Product};
use crate::clock::Millis;
use crate::errors::{self, Refusal};

/// Which way the money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    OntoCard,
    OffCard,
}

impl State {
    /// Answers the new order as it was accepted, `PENDING`; that it is done is told by webhook.
    pub(crate) fn move_funds(
        &mut self,
        caller: &Caller,
        id: Uuid,
        way: Way,
        amount: Decimal,
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
        if amount <= Decimal::ZERO || amount.normalize().scale() > 2 {
            return Err(errors::invalid(
                "amount must be positive and has at most two decimals",
            ));
        }
        let prepaid = catalogue::product(card.product_id).is_some_and(Product::is_prepaid);
        let balance = self.balance(card.account, &card.currency);
        let (kind, event, change) = match way {
            Way::OntoCard if prepaid && balance < amount => {
                return Err(errors::insufficient_balance());
            }
            Way::OffCard if card.limit - card.consumed < amount => {
                return Err(errors::insufficient_balance());
            }
            Way::OntoCard => (OrderType::CardRecharge, "card.recharge.succeeded", amount),
            Way::OffCard => (OrderType::CardWithdraw, "card.withdraw.succeeded", -amount),
        };
        if prepaid {
            self.put_balance(card.account, &card.currency, balance - change);
        }
        card.limit += change;
        let accepted = self.done_at_once(id, kind, now);
        self.put_card(card.clone());
        self.emit_order_done(event, &card, accepted.id, now);
        Ok((card, accepted))
    }
}
