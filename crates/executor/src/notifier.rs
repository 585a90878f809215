//! The outward seam to the host.

use std::fmt;

use async_trait::async_trait;
use issuance_domain::{CardId, Failure, OrderId, Reference, Timestamp, Version};
use serde::{Deserialize, Serialize};

/// Whoever must know how an order goes. At least once; in order for each order.
#[async_trait]
pub trait Notifier: Send + Sync + fmt::Debug + 'static {
    /// Tells the host. `Ok` means it took responsibility for knowing.
    async fn notify(&self, notice: Notice) -> Result<(), NotifyError>;
}

/// How an order stands, for the host. Carries no personal data: the link to an identity check is fetched by its own call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which order.
    pub order_id: OrderId,
    /// The host's name for it.
    pub reference: Reference,
    /// The order's version: with the id, the name of this notice for telling repeats.
    pub version: Version,
    /// When that version was recorded.
    pub occurred_at: Timestamp,
    /// Where the order stands.
    pub state: String,
    /// The card, once it is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_id: Option<CardId>,
    /// Until when the person can use the link, while a person must act and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idv_expires_at: Option<Timestamp>,
    /// Why there will be no card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether the card was cancelled again.
    #[serde(default)]
    pub cancelled: bool,
}

/// The host was not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host was not told: {why}")]
pub struct NotifyError {
    /// Why.
    pub why: String,
}
