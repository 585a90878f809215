//! `POST /v1/issuing/cards` (contract §2.2).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Amount, Body, CardholderFields};
use crate::{AutoCancelTrigger, CardholderId, Private, ProductId, SpendingInterval, UsageType};

/// Asks for one card.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateCard {
    /// The product.
    pub card_product_id: ProductId,
    /// One of the product's currencies.
    pub card_currency: String,
    /// Spending cap (`SHARE`) or first load (`SINGLE`); required for some BINs.
    pub card_limit: Option<Amount>,
    /// Who will hold it.
    pub holder: Holder,
    /// At most 26 characters.
    pub name_on_card: Option<Private>,
    /// Spending controls.
    pub spending_controls: Vec<SpendingControl>,
    /// Risk controls.
    pub risk_controls: Option<RiskControls>,
    /// Texts only, at most 3200 bytes serialized; no personal data.
    pub metadata: BTreeMap<String, String>,
    /// Makes the card cancel itself.
    pub one_time: Option<OneTime>,
    /// When the card ends.
    pub expiry_at: Option<Timestamp>,
    /// Card art.
    pub card_art_id: Option<String>,
}

/// Who will hold the card: the two modes of the one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Holder {
    /// One-step: the provider makes the cardholder.
    New(CardholderFields),
    /// Two-step: a cardholder that is `SUCCESS`.
    Existing {
        /// The cardholder.
        cardholder_id: CardholderId,
        /// KYC data the cardholder lacks for this product; never in contradiction to what is stored there.
        supplement: Option<CardholderFields>,
    },
}

/// A one-time card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTime {
    /// What cancels it.
    pub auto_cancel_trigger: AutoCancelTrigger,
}

/// A spending control; only per-transaction ones work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendingControl {
    /// Above zero.
    pub amount: Amount,
    /// The interval.
    pub interval: SpendingInterval,
}

/// Risk controls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RiskControls {
    /// Visa BINs only.
    pub enable_3ds: Option<bool>,
    /// The provider's default is yes.
    pub allow_3ds_transactions: Option<bool>,
    /// Merchant categories.
    pub mcc: Option<MccRule>,
}

/// Allow-list or block-list: the provider takes one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MccRule {
    /// Only these.
    Allowed(Vec<String>),
    /// All but these.
    Blocked(Vec<String>),
}

impl CreateCard {
    /// The body, the same bytes for the same request.
    #[must_use]
    pub fn to_bytes(&self) -> Body {
        let (cardholder_id, fields) = match &self.holder {
            Holder::New(fields) => (None, Some(fields)),
            Holder::Existing {
                cardholder_id,
                supplement,
            } => (Some(cardholder_id), supplement.as_ref()),
        };
        Body::of(&Wire {
            card_product_id: &self.card_product_id,
            card_currency: &self.card_currency,
            card_limit: self.card_limit,
            cardholder_id,
            cardholder_required_fields: fields,
            name_on_card: self.name_on_card.as_ref(),
            spending_controls: &self.spending_controls,
            risk_controls: self.risk_controls.as_ref().map(WireRisk::from),
            metadata: &self.metadata,
            usage_type: self.one_time.as_ref().map(|_| UsageType::OneTime),
            auto_cancel_trigger: self
                .one_time
                .as_ref()
                .map(|one_time| &one_time.auto_cancel_trigger),
            expiry_at: self.expiry_at.map(|time| time.to_string()),
            card_art_id: self.card_art_id.as_deref(),
        })
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    card_product_id: &'a ProductId,
    card_currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_limit: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cardholder_id: Option<&'a CardholderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cardholder_required_fields: Option<&'a CardholderFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_on_card: Option<&'a Private>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    spending_controls: &'a [SpendingControl],
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_controls: Option<WireRisk<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_type: Option<UsageType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_cancel_trigger: Option<&'a AutoCancelTrigger>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_art_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireRisk<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_3ds: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_3ds_transactions: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_mcc: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_mcc: Option<&'a [String]>,
}

impl<'a> From<&'a RiskControls> for WireRisk<'a> {
    fn from(controls: &'a RiskControls) -> Self {
        let letter = |yes: bool| if yes { "Y" } else { "N" };
        let (allowed_mcc, blocked_mcc) = match &controls.mcc {
            None => (None, None),
            Some(MccRule::Allowed(codes)) => (Some(codes.as_slice()), None),
            Some(MccRule::Blocked(codes)) => (None, Some(codes.as_slice())),
        };
        Self {
            enable_3ds: controls.enable_3ds.map(letter),
            allow_3ds_transactions: controls.allow_3ds_transactions.map(letter),
            allowed_mcc,
            blocked_mcc,
        }
    }
}
