//! The inbox: verified webhooks that await a decision.

use std::time::Duration;

use issuance_domain::{
    Account, CardId, CardOrderId, CardholderId, MessageId, Order, OrderId, ProviderIds, Reference,
    Terms, Timestamp,
    planted::{self, Bug},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A message is known by its id at least this long after it was received; later, once it is settled, it may be taken for
/// new (contract §5.8). The provider's own repeats end within minutes; what is played again afterwards says nothing new and
/// changes no order, it only costs a record.
pub const REPEATS_KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// One verified webhook, without personal data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// The provider's `event_id`, by which repeats are known.
    pub id: MessageId,
    /// The provider's name for it.
    pub event_type: Box<str>,
    /// When we stored it.
    pub received_at: Timestamp,
    /// Every name it carries by which its order can be found.
    pub aliases: Vec<Alias>,
    /// The store's [`digest`](crate::Store::digest) of the body, to tell a repeat from a forgery of the same id. Older logs
    /// have its plain SHA-256; digests under different keys tell nothing, and such a message is a repeat.
    pub body_digest: Box<str>,
    /// What it says, in the adapter's words. The store does not look inside.
    pub content: Box<RawValue>,
}

/// What became of handing a message in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// New, and durable.
    Stored,
    /// The same message was stored before, no longer ago than [`REPEATS_KNOWN_FOR`] or not settled yet.
    Repeat,
    /// A message of this id with another body was stored before. Not stored under this id; somebody should look.
    Forged,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// To be handled.
    Pending,
    /// No order is known by any of its names; tried again when an order learns one of them.
    Parked,
    /// Handled: its order, if it was about one.
    Settled {
        /// Whose it was.
        order: Option<OrderId>,
    },
    /// It cannot be handled; a person should look.
    Quarantined {
        /// Why.
        why: Box<str>,
    },
}

/// A name by which an order is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alias {
    /// Our own id, from the card's metadata.
    Order(OrderId),
    /// The provider's card order.
    CardOrder(CardOrderId),
    /// The provider's card.
    Card(CardId),
    /// The provider's cardholder. Several orders can share one.
    Cardholder(CardholderId),
}

impl Alias {
    /// The names in a set of provider ids, strongest first (contract §5.5).
    #[must_use]
    pub fn of(ids: &ProviderIds) -> Vec<Self> {
        let card_order = ids.card_order.clone().map(Self::CardOrder);
        let card = ids.card.clone().map(Self::Card);
        let cardholder = ids.cardholder.clone().map(Self::Cardholder);
        [card_order, card, cardholder]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether an order is known by this name.
    #[must_use]
    pub fn names(&self, order: &Order) -> bool {
        match self {
            Self::Order(id) => order.id == *id,
            Self::CardOrder(id) => order.ids.card_order.as_ref() == Some(id),
            Self::Card(id) => order.ids.card.as_ref() == Some(id),
            Self::Cardholder(id) => order.ids.cardholder.as_ref() == Some(id),
        }
    }

    /// A key for an index: kind and id.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Order(id) => format!("order/{id}"),
            Self::CardOrder(id) => format!("card_order/{id}"),
            Self::Card(id) => format!("card/{id}"),
            Self::Cardholder(id) => format!("cardholder/{id}"),
        }
    }
}

/// The host's name for an order, unique per account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostReference {
    /// The sub-account; none is the main account.
    pub account: Option<Account>,
    /// The host's word.
    pub reference: Reference,
}

impl HostReference {
    /// The name a request carries.
    #[must_use]
    pub fn of(terms: &Terms) -> Self {
        Self {
            account: terms.account.clone(),
            reference: terms.reference.clone(),
        }
    }

    /// A key for an index. Neither part contains a space.
    #[must_use]
    pub fn key(&self) -> String {
        format!(
            "{} {}",
            self.account
                .as_ref()
                .filter(|_| !planted::is(Bug::ReferenceOfAll))
                .map_or("", Account::as_str),
            self.reference
        )
    }
}
