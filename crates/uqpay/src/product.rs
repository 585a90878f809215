//! Card products (contract §2.1) and the schema of what their cardholders must bring (contract §3).
//!
//! Only the schema's shape lives here; checking a request against it is the host's business.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::read::Tree;
use crate::{CardForm, KycLevel, ModeType, ProductId, ProductStatus, read};

/// One card product.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Product {
    /// The `card_product_id` of create card.
    pub product_id: ProductId,
    /// BIN of its cards.
    #[serde(default, deserialize_with = "read::text")]
    pub card_bin: Option<String>,
    /// `VISA`, `MASTERCARD`; open.
    #[serde(default, deserialize_with = "read::text")]
    pub card_scheme: Option<String>,
    /// Forms it comes in; one-step issuance wants [`CardForm::Virtual`].
    #[serde(default, deserialize_with = "read::words")]
    pub card_form: Vec<CardForm>,
    /// Currencies a card can have; trust this over any fixed list (contract §8 row 10).
    #[serde(default, deserialize_with = "read::texts")]
    pub card_currency: Vec<String>,
    /// Prepaid or sharing the issuing balance.
    #[serde(default, deserialize_with = "read::word")]
    pub mode_type: Option<ModeType>,
    /// How much KYC it wants.
    #[serde(default, deserialize_with = "read::word")]
    pub kyc_level: Option<KycLevel>,
    /// Whether cards can be made now.
    #[serde(default, deserialize_with = "read::word")]
    pub product_status: Option<ProductStatus>,
    /// Cards this account may have; 0 is a real value.
    #[serde(default, deserialize_with = "read::count")]
    pub max_card_quota: Option<u64>,
    /// What a cardholder must bring.
    #[serde(default, deserialize_with = "required_fields")]
    pub required_fields: RequiredFields,
}

/// `required_fields` of a product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RequiredFields {
    /// Absent, null or empty: the basic five apply (contract §3 point 1).
    #[default]
    Basic,
    /// The schema.
    Schema(Vec<RequiredField>),
    /// Deeper than 8 or more than 200 entries: not to be checked locally, the provider judges.
    TooLarge,
    /// Not of the documented shape: not to be checked locally, the provider judges.
    Unreadable,
}

/// One entry of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredField {
    /// Member name.
    pub name: String,
    /// What the member must be.
    pub kind: FieldKind,
    /// Whether it must be there. Children of an absent optional object are not required.
    pub required: bool,
    /// Human text.
    pub description: Option<String>,
}

/// What a member must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// `string`
    Text,
    /// `object`; without entries only its presence counts.
    Object(Vec<RequiredField>),
    /// Another type: only its presence counts.
    Unknown(String),
}

impl RequiredFields {
    /// Deepest nesting read.
    pub const MAX_DEPTH: usize = 8;
    /// Most entries read, all levels together.
    pub const MAX_ENTRIES: usize = 200;
}

fn required_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RequiredFields, D::Error> {
    let raw = <Option<&'de RawValue>>::deserialize(deserializer)?;
    Ok(raw.map_or(RequiredFields::Basic, |raw| {
        match serde_json::from_str(raw.get()) {
            Ok(value) => read_schema(&value),
            // Valid JSON, or the answer itself would not have been read: nested beyond what the parser follows.
            Err(_) => RequiredFields::TooLarge,
        }
    }))
}

fn read_schema(value: &Tree<'_>) -> RequiredFields {
    let mut budget = RequiredFields::MAX_ENTRIES;
    match value {
        Tree::Null => RequiredFields::Basic,
        Tree::List(entries) if entries.is_empty() => RequiredFields::Basic,
        value => read_entries(value, 1, &mut budget)
            .map_or_else(|problem| problem, RequiredFields::Schema),
    }
}

fn read_entries(
    value: &Tree<'_>,
    depth: usize,
    budget: &mut usize,
) -> Result<Vec<RequiredField>, RequiredFields> {
    let Tree::List(entries) = value else {
        return Err(RequiredFields::Unreadable);
    };
    if depth > RequiredFields::MAX_DEPTH || entries.len() > *budget {
        return Err(RequiredFields::TooLarge);
    }
    *budget -= entries.len();
    entries
        .iter()
        .map(|entry| read_entry(entry, depth, budget))
        .collect()
}

fn read_entry(
    entry: &Tree<'_>,
    depth: usize,
    budget: &mut usize,
) -> Result<RequiredField, RequiredFields> {
    let text = |name: &str| {
        entry
            .get(name)
            .and_then(Tree::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let name = text("name").ok_or(RequiredFields::Unreadable)?.to_owned();
    let kind = match text("type").unwrap_or("string") {
        kind if kind.eq_ignore_ascii_case("string") => FieldKind::Text,
        kind if kind.eq_ignore_ascii_case("object") => {
            FieldKind::Object(match entry.get("fields") {
                None | Some(Tree::Null) => Vec::new(),
                Some(fields) => read_entries(fields, depth + 1, budget)?,
            })
        }
        kind => FieldKind::Unknown(kind.to_owned()),
    };
    let required = matches!(entry.get("required"), Some(Tree::Flag(true)));
    Ok(RequiredField {
        name,
        kind,
        required,
        description: text("description").map(str::to_owned),
    })
}
