//! The sandbox's own simulation calls: an authorization on a card and its reversal (contract §2.8).

use uuid::Uuid;

use super::entities::{Card, CardStatus, Transaction};
use super::{Caller, State};
use crate::catalogue;
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::requests::{Authorization, Reversal};

impl State {
    pub(crate) fn authorize(
        &mut self,
        caller: &Caller,
        request: &Authorization,
        now: Millis,
    ) -> Result<(Card, Transaction), Refusal> {
        let unknown = || Refusal::new(400, "card_error", "card_not_found", "Card does not exists");
        if request.merchant_category_code.as_deref() != Some("5734") {
            return Err(errors::invalid("merchant_category_code must be 5734"));
        }
        let mut card = Uuid::parse_str(&request.card_id)
            .ok()
            .and_then(|id| self.card(id))
            .filter(|card| card.account == caller.account && card.status == CardStatus::Active)
            .filter(|card| {
                catalogue::product(card.product_id).is_some_and(|product| product.bin == "40963608")
            })
            .cloned()
            .ok_or_else(unknown)?;
        if request.transaction_currency != card.currency {
            return Err(errors::invalid("transaction_currency must be the card's"));
        }
        card.consumed += request.transaction_amount.0;
        let transaction = Transaction {
            id: self.rng.uuid(),
            card_id: card.id,
            account: caller.account,
            amount: request.transaction_amount.0,
            currency: request.transaction_currency.clone(),
            merchant_name: request.merchant_name.clone().unwrap_or_default(),
            reversed: false,
        };
        self.put_card(card.clone());
        self.put_transaction(transaction.clone());
        self.emit_transaction(
            "issuing.transaction.authorization",
            &card,
            &transaction,
            now,
        );
        Ok((card, transaction))
    }

    pub(crate) fn reverse(
        &mut self,
        caller: &Caller,
        request: &Reversal,
        now: Millis,
    ) -> Result<(Card, Transaction), Refusal> {
        let mut transaction = Uuid::parse_str(&request.transaction_id)
            .ok()
            .and_then(|id| self.transactions.get(&id))
            .filter(|transaction| transaction.account == caller.account && !transaction.reversed)
            .cloned()
            .ok_or_else(|| errors::invalid("transaction_id is not an open authorization"))?;
        let mut card = self
            .card(transaction.card_id)
            .cloned()
            .ok_or_else(errors::card_not_found)?;
        transaction.reversed = true;
        card.consumed -= transaction.amount;
        self.put_card(card.clone());
        self.put_transaction(transaction.clone());
        self.emit_transaction("issuing.transaction.reversal", &card, &transaction, now);
        Ok((card, transaction))
    }
}
