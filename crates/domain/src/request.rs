//! What a host asks for, split in two: `Terms` may stand in the log, `Personal` never does.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{Account, CardholderId, ProductId, Reference};
use crate::money::{Amount, Currency};

/// The key under which our order id travels in the card's metadata at the provider.
pub const METADATA_ORDER_KEY: &str = "issuance_order";

/// One card, as a host asks for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardRequest {
    /// The host's own name for the order.
    pub reference: Reference,
    /// The provider's sub-account, if not the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Which product.
    pub product_id: ProductId,
    /// Must be one of the product's currencies.
    pub currency: Currency,
    /// Spending cap (`SHARE`) or first load (`SINGLE`), contract §2.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Amount>,
    /// Caps for each transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spending_controls: Vec<SpendingControl>,
    /// 3-D Secure and merchant categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_controls: Option<RiskControls>,
    /// How often the card may be used.
    #[serde(default)]
    pub usage: Usage,
    /// What is embossed or shown, at most 26 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_on_card: Option<String>,
    /// The host's own words, kept sealed here and sent to the provider with the card.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Who will hold the card.
    pub cardholder: Cardholder,
    /// How the person is verified.
    #[serde(default)]
    pub kyc: Kyc,
}

/// Who will hold the card.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cardholder {
    /// A person the provider does not know yet: created with the card in one step.
    New {
        /// The provider's `cardholder_required_fields` (contract §2.2).
        fields: CardholderFields,
    },
    /// A cardholder made before: the two-step road.
    Existing {
        /// The provider's id of the person.
        cardholder_id: CardholderId,
        /// Data the product needs and the cardholder lacks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supplement: Option<CardholderFields>,
    },
}

/// How the person is verified (contract §4.6).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", try_from = "WrittenKyc")]
pub enum Kyc {
    /// The product asks for nothing.
    #[default]
    None,
    /// The provider sends the person to an identity check on a link.
    SumsubRedirect,
    /// The host verified the person and brings the proof.
    ThirdParty {
        /// One of the provider's list, e.g. `SUMSUB`, `JUMIO`.
        provider: String,
        /// 10 to 64 characters, unique across the provider.
        reference_id: String,
    },
}

/// What stands under `kyc`, flat: a tagged enum would let strangers pass beside a method without members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKyc {
    method: KycMethod,
    provider: Option<String>,
    reference_id: Option<String>,
}

impl TryFrom<WrittenKyc> for Kyc {
    type Error = &'static str;
    fn try_from(written: WrittenKyc) -> Result<Self, Self::Error> {
        match (written.method, written.provider, written.reference_id) {
            (KycMethod::None, None, None) => Ok(Self::None),
            (KycMethod::SumsubRedirect, None, None) => Ok(Self::SumsubRedirect),
            (KycMethod::ThirdParty, Some(provider), Some(reference_id)) => Ok(Self::ThirdParty {
                provider,
                reference_id,
            }),
            (KycMethod::ThirdParty, _, _) => {
                Err("`third_party` needs `provider` and `reference_id`")
            }
            (KycMethod::None | KycMethod::SumsubRedirect, _, _) => {
                Err("only `third_party` takes `provider` and `reference_id`")
            }
        }
    }
}

impl Kyc {
    /// The part that may stand in the log.
    #[must_use]
    pub fn method(&self) -> KycMethod {
        match self {
            Self::None => KycMethod::None,
            Self::SumsubRedirect => KycMethod::SumsubRedirect,
            Self::ThirdParty { .. } => KycMethod::ThirdParty,
        }
    }
}

/// Which road of verification an order takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KycMethod {
    /// Nothing asked.
    None,
    /// A link the person must visit.
    SumsubRedirect,
    /// Proof brought along.
    ThirdParty,
}

/// A cap for each transaction; the provider knows no other interval (contract §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendingControl {
    /// Above zero.
    pub amount: Amount,
    /// Only per transaction works.
    pub interval: SpendingInterval,
}

/// The one interval the provider honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SpendingInterval {
    /// For each transaction.
    PerTransaction,
}

/// 3-D Secure and merchant categories (contract §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskControls {
    /// Visa products only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_3ds: Option<bool>,
    /// Whether 3-D Secure transactions are let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_3ds_transactions: Option<bool>,
    /// Only these merchant categories, or all but these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchants: Option<Merchants>,
}

/// Allowed or blocked merchant categories: never both (contract §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merchants {
    /// Only these.
    Allowed(Vec<String>),
    /// All but these.
    Blocked(Vec<String>),
}

/// How often the card may be used (contract §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// Until it expires.
    #[default]
    Normal,
    /// Once; cancelled by the provider when authorised.
    OneTimeOnAuthorization,
    /// Once; cancelled by the provider when captured.
    OneTimeOnCapture,
}

/// The part of a request that may stand in the log: no name, no address, nothing of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The host's own name for the order.
    pub reference: Reference,
    /// The provider's sub-account, if not the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Which product.
    pub product_id: ProductId,
    /// Which currency.
    pub currency: Currency,
    /// Spending cap or first load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Amount>,
    /// Caps for each transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spending_controls: Vec<SpendingControl>,
    /// 3-D Secure and merchant categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_controls: Option<RiskControls>,
    /// How often the card may be used.
    pub usage: Usage,
    /// The cardholder of the two-step road; none on the one-step road.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardholder_id: Option<CardholderId>,
    /// Which road of verification.
    pub kyc: KycMethod,
}

/// The part of a request that is sealed in the vault and never written to the log.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Personal {
    /// Whoever is to hold the card; empty on the two-step road without supplement.
    #[serde(default)]
    pub fields: CardholderFields,
    /// How the person is verified.
    #[serde(default)]
    pub kyc: Kyc,
    /// What stands on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_on_card: Option<String>,
    /// The host's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl CardRequest {
    /// Splits what may stand in the log from what may not.
    #[must_use]
    pub fn split(self) -> (Terms, Personal) {
        let kyc = self.kyc.method();
        let (cardholder_id, fields) = match self.cardholder {
            Cardholder::New { fields } => (None, fields),
            Cardholder::Existing {
                cardholder_id,
                supplement,
            } => (Some(cardholder_id), supplement.unwrap_or_default()),
        };
        let terms = Terms {
            reference: self.reference,
            account: self.account,
            product_id: self.product_id,
            currency: self.currency,
            limit: self.limit,
            spending_controls: self.spending_controls,
            risk_controls: self.risk_controls,
            usage: self.usage,
            cardholder_id,
            kyc,
        };
        (
            terms,
            Personal {
                fields,
                kyc: self.kyc,
                name_on_card: self.name_on_card,
                metadata: self.metadata,
            },
        )
    }
}

impl Personal {
    /// The provider's `cardholder_required_fields`, verification included (contract §2.2).
    #[must_use]
    pub fn provider_fields(&self) -> Map<String, Value> {
        let mut fields = self.fields.0.clone();
        let kyc = match &self.kyc {
            Kyc::None => return fields,
            Kyc::SumsubRedirect => serde_json::json!({ "method": "SUMSUB_REDIRECT" }),
            Kyc::ThirdParty {
                provider,
                reference_id,
            } => serde_json::json!({
                "method": "THIRD_PARTY",
                "kyc_proof": { "provider": provider, "reference_id": reference_id },
            }),
        };
        fields.insert("kyc_verification".into(), kyc);
        fields
    }
}

/// The provider's `cardholder_required_fields` as the host gave them: a JSON object whose members are all in the table
/// of contract §2.2. Personal from end to end, so its `Debug` shows names of members only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct CardholderFields(Map<String, Value>);

/// A member the provider's table does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a cardholder field; see the table of cardholder fields")]
pub struct UnknownField {
    /// The member, dotted.
    pub path: String,
}

/// Members of `cardholder_required_fields` and, for objects, their members (contract §2.2). `kyc_verification` is not
/// among them: verification has its own place in a request, `kyc`.
const TABLE: &[(&str, &[&str])] = &[
    ("email", &[]),
    ("first_name", &[]),
    ("last_name", &[]),
    ("country_code", &[]),
    ("phone_number", &[]),
    ("date_of_birth", &[]),
    ("gender", &[]),
    ("nationality", &[]),
    (
        "residential_address",
        &[
            "country",
            "city",
            "line1",
            "state",
            "district",
            "line2",
            "line_en",
            "postal_code",
        ],
    ),
    (
        "identity",
        &[
            "type",
            "number",
            "front_file",
            "back_file",
            "hand_file",
            "proof_of_address",
            "proof_of_address_issue_date",
            "proof_of_address_issuing_country",
            "identity_verification",
        ],
    ),
];

impl CardholderFields {
    /// The object.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Map<String, Value>> for CardholderFields {
    type Error = UnknownField;
    fn try_from(map: Map<String, Value>) -> Result<Self, UnknownField> {
        for (name, value) in &map {
            let Some((_, members)) = TABLE.iter().find(|(known, _)| known == name) else {
                return Err(UnknownField { path: name.clone() });
            };
            let Value::Object(object) = value else {
                continue;
            };
            if let Some(stranger) = object
                .keys()
                .find(|member| !members.contains(&member.as_str()))
            {
                return Err(UnknownField {
                    path: format!("{name}.{stranger}"),
                });
            }
        }
        Ok(Self(map))
    }
}

impl From<CardholderFields> for Map<String, Value> {
    fn from(fields: CardholderFields) -> Self {
        fields.0
    }
}

impl fmt::Debug for CardholderFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Personal")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CardRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardRequest")
            .field("reference", &self.reference)
            .field("product_id", &self.product_id)
            .finish_non_exhaustive()
    }
}
