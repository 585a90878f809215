//! The provider's products, read whole and kept for minutes (contract §2.1).

use std::collections::HashMap;
use std::time::Duration;

use issuance_domain::{Field, FieldKind, Product, ProductId, Timestamp};
use issuance_uqpay as uqpay;

/// Products as last read.
#[derive(Debug, Default)]
pub(crate) struct Products {
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) known: HashMap<ProductId, Product>,
}

/// Kept this long.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// An id we do not know is worth another read after this.
const WORTH_A_LOOK: Duration = Duration::from_secs(10);

impl Products {
    /// Whether a read is due before this product can be answered for.
    pub(crate) fn is_stale(&self, id: &ProductId, now: Timestamp) -> bool {
        let age = self.read_at.map(|read_at| now.since(read_at));
        let keep = if self.known.contains_key(id) {
            FRESH
        } else {
            WORTH_A_LOOK
        };
        age.is_none_or(|age| age >= keep)
    }
}

/// A product in our words; `None` when its id is not one.
pub(crate) fn product(theirs: &uqpay::Product) -> Option<Product> {
    let required = match &theirs.required_fields {
        uqpay::RequiredFields::Schema(fields) => fields.iter().map(field).collect(),
        // What cannot be followed is not checked here: the provider stays the judge.
        uqpay::RequiredFields::Basic
        | uqpay::RequiredFields::TooLarge
        | uqpay::RequiredFields::Unreadable => Vec::new(),
    };
    Some(Product {
        id: theirs.product_id.as_str().parse().ok()?,
        bin: theirs.card_bin.clone().unwrap_or_default(),
        enabled: theirs
            .product_status
            .as_ref()
            .is_none_or(|status| *status == uqpay::ProductStatus::Enabled),
        is_virtual: theirs.card_form.is_empty()
            || theirs.card_form.contains(&uqpay::CardForm::Virtual),
        currencies: theirs
            .card_currency
            .iter()
            .filter_map(|currency| currency.parse().ok())
            .collect(),
        prepaid: theirs.mode_type == Some(uqpay::ModeType::Single),
        required,
    })
}

fn field(theirs: &uqpay::RequiredField) -> Field {
    let kind = match &theirs.kind {
        uqpay::FieldKind::Text => FieldKind::Text,
        uqpay::FieldKind::Object(members) => FieldKind::Object(members.iter().map(field).collect()),
        uqpay::FieldKind::Unknown(word) => FieldKind::Unknown(word.clone()),
    };
    Field {
        name: theirs.name.clone(),
        kind,
        required: theirs.required,
    }
}
