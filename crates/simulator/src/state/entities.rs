//! What the provider knows: cards, their orders, cardholders, tokens, timers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock::Millis;
use crate::faults::IdvOutcome;

/// `None` is the master account, `Some` a sub-account.
pub(crate) type Account = Option<Uuid>;

/// Status of a card (contract §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the contract's words")]
pub enum CardStatus {
    Pending,
    Active,
    Failed,
    Frozen,
    Blocked,
    PreCancel,
    Cancelled,
}

/// Status of a card order (contract §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the contract's words")]
pub enum OrderStatus {
    Pending,
    Processing,
    Success,
    Failed,
}

/// Status of a cardholder (contract §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the contract's words")]
pub enum CardholderStatus {
    Pending,
    Incomplete,
    Success,
    Failed,
}

/// `idv_status` (contract §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum IdvStatus {
    Pending,
    Passed,
    Failed,
}

/// Kind of a card order; only the creation's is read by clients (contract §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the contract's words")]
pub enum OrderType {
    CreateCard,
    CardUpdate,
    CardRecharge,
    CardWithdraw,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) cardholder_id: Uuid,
    pub(crate) product_id: Uuid,
    pub(crate) account: Account,
    pub(crate) currency: String,
    pub(crate) limit: Decimal,
    pub(crate) status: CardStatus,
    pub(crate) last_four: String,
    pub(crate) metadata: Option<Map<String, Value>>,
    pub(crate) name_on_card: Option<String>,
    pub(crate) spending_limit: Option<Decimal>,
    pub(crate) risk_controls: Option<Value>,
    pub(crate) usage_type: Option<String>,
    pub(crate) update_reason: Option<String>,
    pub(crate) consumed: Decimal,
    pub(crate) created_at: Millis,
    /// The key of the request that made it.
    pub(crate) idempotency_key: String,
    /// Every status it took, oldest first.
    pub(crate) history: Vec<(Millis, CardStatus)>,
}

impl Card {
    pub(crate) fn turn(&mut self, status: CardStatus, at: Millis) {
        self.status = status;
        self.history.push((at, status));
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CardOrder {
    pub(crate) id: Uuid,
    pub(crate) card_id: Uuid,
    pub(crate) kind: OrderType,
    pub(crate) status: OrderStatus,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) completed_at: Option<Millis>,
    pub(crate) failure_code: Option<String>,
}

impl CardOrder {
    pub(crate) fn end(&mut self, status: OrderStatus, at: Millis) {
        self.status = status;
        self.updated_at = at;
        self.completed_at = Some(at);
    }
}

/// The link a person verifies by; the newest replaces the one before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IdvLink {
    pub(crate) token: String,
    pub(crate) expires_at: Millis,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cardholder {
    pub(crate) id: Uuid,
    pub(crate) account: Account,
    /// What the caller told, without documents.
    pub(crate) person: Map<String, Value>,
    pub(crate) status: CardholderStatus,
    pub(crate) idv: Option<IdvStatus>,
    pub(crate) link: Option<IdvLink>,
    /// The person has submitted; the verdict may come after the link's end.
    pub(crate) submitted: bool,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

impl Cardholder {
    pub(crate) fn text(&self, name: &str) -> &str {
        text(&self.person, name)
    }

    /// The link, while the person still owes something.
    pub(crate) fn open_link(&self) -> Option<&IdvLink> {
        self.link
            .as_ref()
            .filter(|_| self.idv == Some(IdvStatus::Pending))
    }
}

/// A member as text, empty if it is absent or no text.
pub(crate) fn text<'a>(person: &'a Map<String, Value>, name: &str) -> &'a str {
    person.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) client: String,
    pub(crate) token: String,
    pub(crate) expires_at: Millis,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) id: Uuid,
    pub(crate) card_id: Uuid,
    pub(crate) account: Account,
    pub(crate) amount: Decimal,
    pub(crate) currency: String,
    pub(crate) merchant_name: String,
    pub(crate) reversed: bool,
}

/// Something that happens later by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Timer {
    pub(crate) id: u64,
    pub(crate) due_at: Millis,
    pub(crate) action: TimerAction,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TimerAction {
    /// The card of a verified cardholder reaches its end state.
    FinishCard(Uuid),
    /// A STANDARD review ends well.
    EndReview(Uuid),
    /// A simulated person acts on the link of this token.
    PersonActs {
        cardholder: Uuid,
        token: String,
        outcome: IdvOutcome,
    },
    /// The waiting period of a cancelled card is over.
    CancelCard(Uuid),
}
