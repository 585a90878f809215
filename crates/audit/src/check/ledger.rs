//! The provider's side as a file: a simulator's ledger, or the provider's own list of cards. Read by the names that stand
//! in the documents, and by nothing of whoever wrote it.

use issuance_domain::{CardId, CardStatus, CardholderId, METADATA_ORDER_KEY, MessageId, Timestamp};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Checker;
use super::outside::Outside;
use super::provider::{Call, Card, ProviderFact, Request};

/// What cannot be read as the provider's side.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another document.
    #[error("neither a simulator's ledger nor a list of cards")]
    Unknown(#[from] serde_json::Error),
    /// A list of which pages are missing: cards would seem not to be there.
    #[error("only {given} of the {promised} cards of the provider's list; give every page")]
    Incomplete {
        /// Cards on the pages.
        given: u64,
        /// As many as the pages say there are.
        promised: u64,
    },
}

/// The provider's side: cards always, calls where a simulator kept them.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    facts: Vec<ProviderFact>,
    /// Webhooks that were acknowledged, as the one who sent them knows.
    deliveries: Vec<Outside>,
    /// When it was taken, by the log's clock. What was recorded later is not missed in it. None: after the log's end.
    pub taken_at: Option<Timestamp>,
}

impl Ledger {
    /// Reads a simulator's ledger, an array of cards, or the pages of a list of cards one after another.
    ///
    /// # Errors
    /// When it is none of these, or pages of the list are missing.
    pub fn parse(json: &[u8]) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        let (mut given, mut promised) = (0, 0);
        for part in serde_json::Deserializer::from_slice(json).into_iter::<Shape>() {
            match part? {
                Shape::Simulator(kept) => ledger.take(kept),
                Shape::Page { data, total_items } => {
                    given += data.len() as u64;
                    promised = promised.max(total_items.unwrap_or(0));
                    ledger.list(data);
                }
                Shape::List(data) => ledger.list(data),
            }
        }
        if given < promised {
            return Err(LedgerError::Incomplete { given, promised });
        }
        Ok(ledger)
    }

    fn list(&mut self, cards: Vec<Listed>) {
        self.facts.extend(cards.into_iter().flat_map(Listed::facts));
    }

    fn take(&mut self, kept: Kept) {
        for card in kept.cards {
            self.facts.extend(card.facts());
        }
        let deliveries = kept.deliveries.into_iter();
        self.deliveries
            .extend(deliveries.flat_map(KeptDelivery::facts));
        let requests = kept.requests.into_iter().map(KeptRequest::fact);
        self.facts.extend(requests);
    }

    /// What it says, cards first.
    #[must_use]
    pub fn facts(&self) -> &[ProviderFact] {
        &self.facts
    }
}

impl Checker {
    /// The whole of the provider's side at once, after the log.
    pub fn ledger(&mut self, ledger: &Ledger) {
        self.cards_are_known();
        self.provider.taken_at = ledger.taken_at;
        ledger.facts.iter().for_each(|fact| self.provider(fact));
        ledger.deliveries.iter().for_each(|fact| self.outside(fact));
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Simulator(Kept),
    Page {
        data: Vec<Listed>,
        #[serde(default)]
        total_items: Option<u64>,
    },
    List(Vec<Listed>),
}

#[derive(Deserialize)]
struct Kept {
    cards: Vec<KeptCard>,
    #[serde(default)]
    requests: Vec<KeptRequest>,
    #[serde(default)]
    deliveries: Vec<KeptDelivery>,
}

#[derive(Deserialize)]
struct KeptCard {
    card_id: CardId,
    cardholder_id: CardholderId,
    product_id: Box<str>,
    currency: Box<str>,
    limit: Decimal,
    #[serde(default)]
    metadata: Map<String, Value>,
    idempotency_key: Box<str>,
    history: Vec<(i64, CardStatus)>,
}

impl KeptCard {
    fn facts(self) -> Vec<ProviderFact> {
        let card = self.card_id;
        let made = ProviderFact::Card(Card {
            card: card.clone(),
            order: mark(&self.metadata),
            cardholder: Some(self.cardholder_id),
            product: Some(self.product_id),
            currency: Some(self.currency),
            limit: Some(self.limit),
            key: Some(self.idempotency_key),
        });
        let history = self
            .history
            .into_iter()
            .map(|(at, status)| ProviderFact::CardStatus {
                card: card.clone(),
                status,
                at: Some(Timestamp::from_millis(at)),
            });
        [made].into_iter().chain(history).collect()
    }
}

#[derive(Deserialize)]
struct KeptRequest {
    number: u64,
    at: i64,
    endpoint: Box<str>,
    idempotency_key: Option<Box<str>>,
    body_sha256: Box<str>,
    client: Option<Box<str>>,
    status: u16,
    answer: Box<str>,
    effect: bool,
    card_id: Option<CardId>,
    cardholder_id: Option<CardholderId>,
}

impl KeptRequest {
    fn fact(self) -> ProviderFact {
        ProviderFact::Request(Request {
            number: self.number,
            at: Timestamp::from_millis(self.at),
            call: match &*self.endpoint {
                "token" => Call::Token,
                "create_card" => Call::CreateCard,
                "get_card" | "list_cards" | "get_card_order" | "get_cardholder"
                | "list_cardholders" => Call::Read,
                _ => Call::Other,
            },
            key: self.idempotency_key,
            body: self.body_sha256,
            client: self.client,
            status: self.status,
            answered: &*self.answer == "sent",
            effect: self.effect,
            card: self.card_id,
            cardholder: self.cardholder_id,
        })
    }
}

#[derive(Deserialize)]
struct KeptDelivery {
    event_id: MessageId,
    attempts: Vec<KeptAttempt>,
}

#[derive(Deserialize)]
struct KeptAttempt {
    at: i64,
    status: Option<u16>,
}

impl KeptDelivery {
    /// Every try that was answered.
    fn facts(self) -> impl Iterator<Item = Outside> {
        let answered =
            |attempt: KeptAttempt| Some((Timestamp::from_millis(attempt.at), attempt.status?));
        let answered = self.attempts.into_iter().filter_map(answered);
        answered.map(move |(at, status)| Outside::Delivered {
            message: Some(self.event_id.clone()),
            genuine: true,
            taken: (200..300).contains(&status),
            at,
        })
    }
}

/// A card as the provider lists it (contract §2.5); every member but its id may be absent.
#[derive(Deserialize)]
struct Listed {
    card_id: CardId,
    card_status: Option<CardStatus>,
    #[serde(default)]
    cardholder: Option<ListedHolder>,
    card_product_id: Option<Box<str>>,
    card_currency: Option<Box<str>>,
    /// An object, or the same as text (contract §8).
    #[serde(default)]
    metadata: Value,
}

#[derive(Deserialize)]
struct ListedHolder {
    cardholder_id: Option<CardholderId>,
}

impl Listed {
    fn facts(self) -> Vec<ProviderFact> {
        let card = self.card_id;
        let made = ProviderFact::Card(Card {
            card: card.clone(),
            order: match &self.metadata {
                Value::String(text) => serde_json::from_str(text)
                    .ok()
                    .and_then(|metadata| mark(&metadata)),
                Value::Object(metadata) => mark(metadata),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
            },
            cardholder: self.cardholder.and_then(|holder| holder.cardholder_id),
            product: self.card_product_id,
            currency: self.card_currency,
            limit: None,
            key: None,
        });
        let status = self.card_status.map(|status| ProviderFact::CardStatus {
            card,
            status,
            at: None,
        });
        [made].into_iter().chain(status).collect()
    }
}

fn mark(metadata: &Map<String, Value>) -> Option<Box<str>> {
    metadata.get(METADATA_ORDER_KEY)?.as_str().map(Into::into)
}
