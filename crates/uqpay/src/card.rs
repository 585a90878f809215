//! Cards and card orders as the provider tells them (contract §2.2, §2.5, §2.6, §2.7).

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::{
    CardForm, CardId, CardOrderId, CardStatus, Cardholder, CardholderId, CardholderStatus,
    KycMethod, ModeType, OrderStatus, OrderType, Private, ProductId, SpendingInterval,
    VerificationStatus, read,
};

/// Answer of create card: an acknowledgement in every branch, never the card itself (contract §2.2).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CreatedCard {
    /// The card.
    pub card_id: CardId,
    /// The provider's order; absent in the IDV branch.
    #[serde(default, deserialize_with = "read::id")]
    pub card_order_id: Option<CardOrderId>,
    /// The cardholder made or used; later updates need it.
    #[serde(default, deserialize_with = "read::id")]
    pub cardholder_id: Option<CardholderId>,
    /// Normally pending.
    #[serde(default, deserialize_with = "read::word")]
    pub card_status: Option<CardStatus>,
    /// Absent in the IDV branch.
    #[serde(default, deserialize_with = "read::word")]
    pub order_status: Option<OrderStatus>,
    /// Absent in the IDV branch.
    #[serde(default, deserialize_with = "read::time")]
    pub create_time: Option<Timestamp>,
    /// Whether this call made the cardholder.
    #[serde(default, deserialize_with = "read::flag")]
    pub cardholder_created: Option<bool>,
    /// Status of the cardholder.
    #[serde(default, deserialize_with = "read::word")]
    pub cardholder_status: Option<CardholderStatus>,
    /// Whether a person has to act.
    #[serde(default, deserialize_with = "read::word")]
    pub verification_status: Option<VerificationStatus>,
    /// How the person is verified.
    #[serde(default, deserialize_with = "read::word")]
    pub kyc_method: Option<KycMethod>,
    /// A secret: whoever has it can act as the applicant. Never fetched by us, not validated.
    #[serde(default, deserialize_with = "read::private")]
    pub idv_verification_url: Option<Private>,
    /// End of the link; missing or unreadable: assume 24 h from receipt (contract §7).
    #[serde(default, deserialize_with = "read::time")]
    pub idv_url_expires_at: Option<Timestamp>,
    /// Human text; never branch on it.
    #[serde(default, deserialize_with = "read::private")]
    pub message: Option<Private>,
    /// No page shows it here; if it comes, it must be what was asked.
    #[serde(default, deserialize_with = "read::id")]
    pub card_product_id: Option<ProductId>,
    /// As above.
    #[serde(default, deserialize_with = "read::text")]
    pub card_currency: Option<String>,
    /// As above.
    #[serde(default, deserialize_with = "read::metadata")]
    pub metadata: BTreeMap<String, String>,
}

/// A card, as read or listed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "CardDetails")]
pub struct Card {
    /// The card.
    pub card_id: CardId,
    /// The rest.
    pub details: CardDetails,
}

impl TryFrom<CardDetails> for Card {
    type Error = &'static str;

    fn try_from(details: CardDetails) -> Result<Self, Self::Error> {
        let card_id = details.card_id.clone().ok_or("card without card_id")?;
        Ok(Self { card_id, details })
    }
}

/// What is said of a card, in reads, lists and webhooks; every member optional.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(from = "Wire")]
pub struct CardDetails {
    /// The card.
    pub card_id: Option<CardId>,
    /// Named by some webhooks; reads never have it (contract §2.5).
    pub card_order_id: Option<CardOrderId>,
    /// The status.
    pub card_status: Option<CardStatus>,
    /// BIN.
    pub card_bin: Option<String>,
    /// Scheme.
    pub card_scheme: Option<String>,
    /// Masked by the provider, and by us again.
    pub card_number: Option<Private>,
    /// Virtual or physical.
    pub form_factor: Option<CardForm>,
    /// Prepaid or sharing.
    pub mode_type: Option<ModeType>,
    /// `card_currency`, or `currency` in webhooks.
    pub card_currency: Option<String>,
    /// The product.
    pub card_product_id: Option<ProductId>,
    /// The limit.
    pub card_limit: Option<Decimal>,
    /// `available_balance`, or `card_available_balance` in webhooks.
    pub available_balance: Option<Decimal>,
    /// Spent so far.
    pub consumed_amount: Option<Decimal>,
    /// The cardholder, as far as told; may be empty.
    pub cardholder: Option<Cardholder>,
    /// `cardholder_id` beside or instead of the object.
    pub cardholder_id: Option<CardholderId>,
    /// `spending_controls`, or `spending_limits` in webhooks.
    pub spending_controls: Vec<SpendingControlView>,
    /// `risk_controls`, or `risk_control` in webhooks.
    pub risk_controls: Option<RiskControlsView>,
    /// Our metadata, whichever of its forms it came in.
    pub metadata: BTreeMap<String, String>,
    /// Why the status was changed.
    pub update_reason: Option<Private>,
    /// When it was made.
    pub create_time: Option<Timestamp>,
    /// When it was changed.
    pub update_time: Option<Timestamp>,
    /// Failure code, where a webhook carries one.
    pub failure_code: Option<String>,
}

impl CardDetails {
    /// The cardholder's id, wherever it stands.
    #[must_use]
    pub fn cardholder_id(&self) -> Option<&CardholderId> {
        let inner = self
            .cardholder
            .as_ref()
            .and_then(|cardholder| cardholder.cardholder_id.as_ref());
        inner.or(self.cardholder_id.as_ref())
    }
}

/// Filters of list cards. The provider also knows `card_number`; a card number in a URL is one too many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardFilter {
    /// Only cards of this status.
    pub card_status: Option<CardStatus>,
    /// Only cards of this cardholder.
    pub cardholder_id: Option<CardholderId>,
}

/// One spending control as told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SpendingControlView {
    /// The amount.
    #[serde(default, deserialize_with = "read::amount")]
    pub amount: Option<Decimal>,
    /// The interval.
    #[serde(default, deserialize_with = "read::word")]
    pub interval: Option<SpendingInterval>,
}

/// Risk controls as told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RiskControlsView {
    /// `Y` or `N`.
    #[serde(default, deserialize_with = "read::text")]
    pub enable_3ds: Option<String>,
    /// `Y` or `N`.
    #[serde(default, deserialize_with = "read::text")]
    pub allow_3ds_transactions: Option<String>,
    /// The only merchant categories allowed.
    #[serde(default, deserialize_with = "read::texts")]
    pub allowed_mcc: Vec<String>,
    /// Merchant categories blocked.
    #[serde(default, deserialize_with = "read::texts")]
    pub blocked_mcc: Vec<String>,
}

/// A card order (contract §2.6).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CardOrder {
    /// The card.
    #[serde(default, deserialize_with = "read::id")]
    pub card_id: Option<CardId>,
    /// The order.
    #[serde(default, deserialize_with = "read::id")]
    pub card_order_id: Option<CardOrderId>,
    /// What it does.
    #[serde(default, deserialize_with = "read::word")]
    pub order_type: Option<OrderType>,
    /// How far it is; always there in an [`crate::Answer::Ok`].
    #[serde(default, deserialize_with = "read::word")]
    pub order_status: Option<OrderStatus>,
    /// Amount.
    #[serde(default, deserialize_with = "read::amount")]
    pub amount: Option<Decimal>,
    /// Currency.
    #[serde(default, deserialize_with = "read::text")]
    pub card_currency: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "read::time")]
    pub create_time: Option<Timestamp>,
    /// When it was changed.
    #[serde(default, deserialize_with = "read::time")]
    pub update_time: Option<Timestamp>,
    /// When it ended; empty while it runs.
    #[serde(default, deserialize_with = "read::time")]
    pub complete_time: Option<Timestamp>,
    /// Only on failure, and not always then.
    #[serde(default, deserialize_with = "read::text")]
    pub failure_code: Option<String>,
}

/// Answer of update card status; the final word is a webhook or a read (contract §2.7).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StatusUpdate {
    /// The card.
    pub card_id: CardId,
    /// A **new** order.
    #[serde(default, deserialize_with = "read::id")]
    pub card_order_id: Option<CardOrderId>,
    /// How far it is.
    #[serde(default, deserialize_with = "read::word")]
    pub order_status: Option<OrderStatus>,
}

/// The wire has two names for some members; both may be there, so they are two fields and not aliases.
#[derive(Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "read::id")]
    card_id: Option<CardId>,
    #[serde(default, deserialize_with = "read::id")]
    card_order_id: Option<CardOrderId>,
    #[serde(default, deserialize_with = "read::word")]
    card_status: Option<CardStatus>,
    #[serde(default, deserialize_with = "read::text")]
    card_bin: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    card_scheme: Option<String>,
    #[serde(default, deserialize_with = "read::private")]
    card_number: Option<Private>,
    #[serde(default, deserialize_with = "read::word")]
    form_factor: Option<CardForm>,
    #[serde(default, deserialize_with = "read::word")]
    mode_type: Option<ModeType>,
    #[serde(default, deserialize_with = "read::text")]
    card_currency: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "read::id")]
    card_product_id: Option<ProductId>,
    #[serde(default, deserialize_with = "read::amount")]
    card_limit: Option<Decimal>,
    #[serde(default, deserialize_with = "read::amount")]
    available_balance: Option<Decimal>,
    #[serde(default, deserialize_with = "read::amount")]
    card_available_balance: Option<Decimal>,
    #[serde(default, deserialize_with = "read::amount")]
    consumed_amount: Option<Decimal>,
    #[serde(default, deserialize_with = "read::object")]
    cardholder: Option<Cardholder>,
    #[serde(default, deserialize_with = "read::id")]
    cardholder_id: Option<CardholderId>,
    #[serde(default, deserialize_with = "read::objects")]
    spending_controls: Vec<SpendingControlView>,
    #[serde(default, deserialize_with = "read::objects")]
    spending_limits: Vec<SpendingControlView>,
    #[serde(default, deserialize_with = "read::object")]
    risk_controls: Option<RiskControlsView>,
    #[serde(default, deserialize_with = "read::object")]
    risk_control: Option<RiskControlsView>,
    #[serde(default, deserialize_with = "read::metadata")]
    metadata: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "read::private")]
    update_reason: Option<Private>,
    #[serde(default, deserialize_with = "read::time")]
    create_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "read::time")]
    update_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "read::text")]
    failure_code: Option<String>,
}

impl From<Wire> for CardDetails {
    fn from(wire: Wire) -> Self {
        Self {
            card_id: wire.card_id,
            card_order_id: wire.card_order_id,
            card_status: wire.card_status,
            card_bin: wire.card_bin,
            card_scheme: wire.card_scheme,
            card_number: wire.card_number,
            form_factor: wire.form_factor,
            mode_type: wire.mode_type,
            card_currency: wire.card_currency.or(wire.currency),
            card_product_id: wire.card_product_id,
            card_limit: wire.card_limit,
            available_balance: wire.available_balance.or(wire.card_available_balance),
            consumed_amount: wire.consumed_amount,
            cardholder: wire.cardholder,
            cardholder_id: wire.cardholder_id,
            spending_controls: if wire.spending_controls.is_empty() {
                wire.spending_limits
            } else {
                wire.spending_controls
            },
            risk_controls: wire.risk_controls.or(wire.risk_control),
            metadata: wire.metadata,
            update_reason: wire.update_reason,
            create_time: wire.create_time,
            update_time: wire.update_time,
            failure_code: wire.failure_code,
        }
    }
}
