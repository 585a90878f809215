//! The ledger: what really happened in the provider's world, as the oracle of tests. Requests are kept by the
//! hash of their body, never by the body.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::faults::Endpoint;
use crate::state::{CardStatus, CardholderStatus, OrderStatus, OrderType};

/// Everything at once. Times are milliseconds since the epoch by the simulator's clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ledger {
    /// The seed it was started with.
    pub seed: u64,
    /// The simulator's clock when the ledger was read.
    pub now: i64,
    /// Every card, oldest first.
    pub cards: Vec<CardEntry>,
    /// Every cardholder, oldest first.
    pub cardholders: Vec<CardholderEntry>,
    /// Every card order, oldest first.
    pub card_orders: Vec<CardOrderEntry>,
    /// Requests to the API, oldest first, up to the configured cap.
    pub requests: Vec<RequestEntry>,
    /// Webhook deliveries, oldest first; the finished ones up to the configured cap.
    pub deliveries: Vec<DeliveryEntry>,
}

impl Ledger {
    /// Cards whose metadata has this member, by its value: the test for "one card per order".
    pub fn cards_by_metadata(&self, member: &str) -> BTreeMap<String, Vec<&CardEntry>> {
        let mut found: BTreeMap<String, Vec<&CardEntry>> = BTreeMap::new();
        for card in &self.cards {
            if let Some(value) = card.metadata.get(member).and_then(Value::as_str) {
                found.entry(value.to_owned()).or_default().push(card);
            }
        }
        found
    }
}

/// A card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CardEntry {
    /// Its id.
    pub card_id: Uuid,
    /// The order that created it.
    pub card_order_id: Uuid,
    /// Whose it is.
    pub cardholder_id: Uuid,
    /// Its product.
    pub product_id: Uuid,
    /// Sub-account, or none for the master account.
    pub account: Option<Uuid>,
    /// Currency code.
    pub currency: String,
    /// Limit or initial load.
    pub limit: Decimal,
    /// Where it stands now.
    pub status: CardStatus,
    /// The create body's metadata.
    pub metadata: Map<String, Value>,
    /// The key of the request that created it.
    pub idempotency_key: String,
    /// When it was created.
    pub created_at: i64,
    /// Every status it took, with the time, oldest first.
    pub history: Vec<(i64, CardStatus)>,
}

/// A cardholder. Holds personal data: the simulator is the outside world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CardholderEntry {
    /// Its id.
    pub cardholder_id: Uuid,
    /// Sub-account, or none for the master account.
    pub account: Option<Uuid>,
    /// E-mail as given.
    pub email: String,
    /// Where the verification stands.
    pub status: CardholderStatus,
    /// Current IDV link.
    pub idv_verification_url: Option<String>,
    /// When that link ends.
    pub idv_expires_at: Option<i64>,
    /// Cards of every status.
    pub number_of_cards: usize,
    /// When it was created.
    pub created_at: i64,
}

/// A card order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CardOrderEntry {
    /// Its id.
    pub card_order_id: Uuid,
    /// The card it is about.
    pub card_id: Uuid,
    /// What it does.
    pub order_type: OrderType,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When it was created.
    pub created_at: i64,
}

/// How an answer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Whole.
    Sent,
    /// Not at all: the connection was cut.
    Cut,
    /// Half of it, then the connection was cut.
    Truncated,
}

/// A request to the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RequestEntry {
    /// Counts requests from 1.
    pub number: u64,
    /// When it arrived.
    pub at: i64,
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Its idempotency key, if it had one.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the body, hex.
    pub body_sha256: String,
    /// Client id of the token, if it was valid.
    pub client: Option<String>,
    /// Status of the answer, also when the answer was cut.
    pub status: u16,
    /// Error code of the answer.
    pub code: Option<String>,
    /// How the answer left.
    pub answer: Answer,
    /// True if this very request changed the world.
    pub effect: bool,
    /// True if the answer came from the idempotency store.
    pub replayed: bool,
    /// The fault rule that was applied.
    pub fault: Option<String>,
    /// The card it made or answered with.
    pub card_id: Option<Uuid>,
    /// The cardholder it made or answered with.
    pub cardholder_id: Option<Uuid>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Due now or later.
    Waiting,
    /// Acknowledged.
    Delivered,
    /// Every try failed.
    GivenUp,
    /// A fault rule dropped it, or there was no receiver.
    Dropped,
}

/// One try of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: i64,
    /// HTTP status of the receiver; none if it could not be reached in time.
    pub status: Option<u16>,
}

/// A webhook delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryEntry {
    /// Counts deliveries from 1.
    pub number: u64,
    /// Stable across tries and duplicates.
    pub event_id: Uuid,
    /// Dotted name.
    pub event_type: String,
    /// `source_id` of the envelope.
    pub source_id: Uuid,
    /// The card it is about, if any.
    pub card_id: Option<Uuid>,
    /// When the event happened.
    pub created_at: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// Every try, oldest first.
    pub attempts: Vec<Attempt>,
}
