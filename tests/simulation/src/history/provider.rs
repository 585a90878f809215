//! What is new at the provider.

use issuance_audit::{Call, Card, ProviderFact, Request};
use issuance_domain::{METADATA_ORDER_KEY, Timestamp};
use issuance_simulator::{Answer, CardEntry, CardStatus, Endpoint, Local, RequestEntry};
use uuid::Uuid;

use super::History;
use crate::coverage::Coverage;

/// A card that was made, and for whom.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) at: i64,
    pub(super) account: Option<Uuid>,
    pub(super) holder: Uuid,
}

impl History {
    /// Takes what is new at the provider.
    pub(crate) fn follow_provider(&mut self, provider: &Local, coverage: &mut Coverage) {
        for request in provider.requests_from(self.requests_read + 1) {
            self.requests_read = request.number;
            if let Some(code) = &request.code {
                coverage.code(code);
            }
            coverage.status(request.status);
            // What a process read before anything stood in the log, the next one cannot know.
            if request.idempotency_key.is_none() && self.positions.is_empty() {
                continue;
            }
            self.checker
                .provider(&ProviderFact::Request(heard(request)));
        }
        if provider.version() != self.provider_version {
            self.provider_version = provider.version();
            let known = |card| self.cards.get(&card).copied();
            let news: Vec<_> = provider.cards_beyond(known).collect();
            for card in &news {
                self.take_card(card);
            }
        }
        self.look();
    }

    /// Our cards that became active since this was asked last.
    pub(crate) fn take_activated(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.activated)
    }

    pub(super) fn take_card(&mut self, card: &CardEntry) {
        let name = card.card_id.to_string();
        let order = card
            .metadata
            .get(METADATA_ORDER_KEY)
            .and_then(|order| order.as_str());
        let told = match self.cards.get(&card.card_id) {
            Some(told) => *told,
            None => {
                self.made.push(Made {
                    at: card.history.first().map_or(0, |(at, _)| *at),
                    account: card.account,
                    holder: card.cardholder_id,
                });
                if let Some(fact) = made(card, order) {
                    self.checker.provider(&ProviderFact::Card(fact));
                }
                0
            }
        };
        let Ok(id) = name.parse::<issuance_domain::CardId>() else {
            return;
        };
        let first = card
            .history
            .iter()
            .position(|(_, status)| *status == CardStatus::Active);
        if order.is_some() && first.is_some_and(|first| first >= told) {
            self.activated.push(card.card_id);
        }
        for (at, status) in card.history.iter().skip(told) {
            let word = serde_json::to_value(status).unwrap_or_default();
            if let Ok(status) = serde_json::from_value(word) {
                self.checker.provider(&ProviderFact::CardStatus {
                    card: id.clone(),
                    status,
                    at: Some(Timestamp::from_millis(*at)),
                });
            }
        }
        self.cards.insert(card.card_id, card.history.len());
    }
}

fn made(card: &CardEntry, order: Option<&str>) -> Option<Card> {
    Some(Card {
        card: card.card_id.to_string().parse().ok()?,
        order: order.map(Into::into),
        cardholder: card.cardholder_id.to_string().parse().ok(),
        product: Some(card.product_id.to_string().into()),
        currency: Some(card.currency.as_str().into()),
        limit: Some(card.limit),
        key: Some(card.idempotency_key.as_str().into()),
    })
}

fn heard(request: &RequestEntry) -> Request {
    Request {
        number: request.number,
        at: Timestamp::from_millis(request.at),
        call: match request.endpoint {
            Endpoint::Token => Call::Token,
            Endpoint::CreateCard => Call::CreateCard,
            Endpoint::GetCard
            | Endpoint::ListCards
            | Endpoint::GetCardOrder
            | Endpoint::GetCardholder
            | Endpoint::ListCardholders => Call::Read,
            _ => Call::Other,
        },
        key: request.idempotency_key.as_deref().map(Into::into),
        body: request.body_sha256.as_str().into(),
        client: request.client.as_deref().map(Into::into),
        status: request.status,
        answered: request.answer == Answer::Sent,
        effect: request.effect,
        card: request.card_id.and_then(|id| id.to_string().parse().ok()),
        cardholder: request
            .cardholder_id
            .and_then(|id| id.to_string().parse().ok()),
    }
}
