//! The card products this account may issue. Their ids are fixed, so that order files can name them.

use std::sync::LazyLock;

use serde::Serialize;
use uuid::{Uuid, uuid};

/// SIMPLIFIED, SHARE, BIN 40963608, USD and SGD: the basic five, `date_of_birth` optional.
pub const SIMPLIFIED: Uuid = uuid!("6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8");
/// ENHANCED, SHARE, BIN 46651711, USD and HKD: nested `residential_address` and `kyc_verification`.
pub const ENHANCED: Uuid = uuid!("b81d94e7-03fa-4c6d-8e25-71c0a9f3d562");
/// STANDARD, SHARE, BIN 42830716, USD: nationality and date of birth, a review before the card.
pub const STANDARD: Uuid = uuid!("3c52a9f1-7e0d-4b86-a1c4-5d98e2f06b37");
/// SIMPLIFIED, SINGLE (prepaid), BIN 55987123, USD: the limit is loaded from the issuing balance.
pub const PREPAID: Uuid = uuid!("d94e6b10-25c7-4f3a-8b9d-e10f7a3c6824");
/// SIMPLIFIED, SHARE, BIN 527735, USD: `card_limit` of at least 0.01 is required.
pub const LIMIT_REQUIRED: Uuid = uuid!("a7135d8c-94be-4e02-b6f7-08c2d1e95a43");
/// DISABLED.
pub const DISABLED: Uuid = uuid!("0e8f4a26-b3d1-49c5-8a70-6f2b9d5c1e78");
/// ENABLED, but the BIN's card pool is empty.
pub const EMPTY_POOL: Uuid = uuid!("f26c0d93-5a48-4d7b-92e1-b4a86e3f7c05");
/// SIMPLIFIED, SHARE, BIN 40433705, USD: the region rules apply.
pub const REGIONAL: Uuid = uuid!("81b7f5e4-d062-4a9e-b35c-9c4f1a80d2e6");

/// One entry of a product's `required_fields` (contract §3).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RequiredField {
    pub(crate) name: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: FieldKind,
    pub(crate) required: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<RequiredField>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldKind {
    String,
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Mode {
    /// Draws on the issuing balance.
    Share,
    /// Prepaid, loaded at creation.
    Single,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum KycLevel {
    Simplified,
    Standard,
    Enhanced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ProductStatus {
    Enabled,
    Disabled,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PinFree {
    amount: &'static str,
    currency: &'static str,
}

/// A product as it stands in the list answer (contract §2.1).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Product {
    #[serde(rename = "product_id")]
    pub(crate) id: Uuid,
    #[serde(rename = "card_bin")]
    pub(crate) bin: &'static str,
    #[serde(rename = "card_scheme")]
    pub(crate) scheme: &'static str,
    #[serde(rename = "mode_type")]
    pub(crate) mode: Mode,
    pub(crate) card_form: &'static [&'static str],
    #[serde(rename = "card_currency")]
    pub(crate) currencies: &'static [&'static str],
    pub(crate) kyc_level: KycLevel,
    #[serde(rename = "max_card_quota")]
    pub(crate) quota: u32,
    #[serde(rename = "product_status")]
    pub(crate) status: ProductStatus,
    no_pin_payment_amount: Vec<PinFree>,
    pub(crate) required_fields: Vec<RequiredField>,
    create_time: &'static str,
    update_time: &'static str,
    #[serde(skip)]
    pub(crate) pool_empty: bool,
}

impl Product {
    /// The BINs that refuse a card without a positive limit (contract §2.2).
    pub(crate) fn needs_limit(&self) -> bool {
        matches!(self.bin, "527735" | "555071" | "555243")
    }

    pub(crate) fn is_prepaid(&self) -> bool {
        self.mode == Mode::Single
    }

    pub(crate) fn has_region_rules(&self) -> bool {
        self.bin == "40433705"
    }
}

pub(crate) fn products() -> &'static [Product] {
    &PRODUCTS
}

pub(crate) fn product(id: Uuid) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}

static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
    let plain = |id, bin, scheme| Product {
        id,
        bin,
        scheme,
        mode: Mode::Share,
        card_form: &["VIR"],
        currencies: &["USD"],
        kyc_level: KycLevel::Simplified,
        quota: 1_000_000,
        status: ProductStatus::Enabled,
        no_pin_payment_amount: vec![PinFree {
            amount: "200",
            currency: "USD",
        }],
        required_fields: basic_five(),
        create_time: "2026-01-05T10:00:00+08:00",
        update_time: "2026-05-20T16:30:00+08:00",
        pool_empty: false,
    };
    vec![
        Product {
            currencies: &["USD", "SGD"],
            required_fields: with(basic_five(), [optional("date_of_birth")]),
            ..plain(SIMPLIFIED, "40963608", "VISA")
        },
        Product {
            kyc_level: KycLevel::Enhanced,
            currencies: &["USD", "HKD"],
            required_fields: with(
                basic_five(),
                [
                    object("residential_address", true, address()),
                    object(
                        "kyc_verification",
                        true,
                        vec![
                            required("method"),
                            object(
                                "kyc_proof",
                                false,
                                vec![required("provider"), required("reference_id")],
                            ),
                        ],
                    ),
                    optional("nationality"),
                ],
            ),
            ..plain(ENHANCED, "46651711", "VISA")
        },
        Product {
            kyc_level: KycLevel::Standard,
            required_fields: with(
                basic_five(),
                [
                    required("nationality"),
                    required("date_of_birth"),
                    object(
                        "identity",
                        false,
                        vec![required("type"), required("number"), required("front_file")],
                    ),
                ],
            ),
            ..plain(STANDARD, "42830716", "VISA")
        },
        Product {
            mode: Mode::Single,
            ..plain(PREPAID, "55987123", "MASTERCARD")
        },
        plain(LIMIT_REQUIRED, "527735", "MASTERCARD"),
        Product {
            status: ProductStatus::Disabled,
            ..plain(DISABLED, "43775210", "VISA")
        },
        Product {
            pool_empty: true,
            ..plain(EMPTY_POOL, "48213377", "VISA")
        },
        Product {
            required_fields: with(
                basic_five(),
                [
                    required("nationality"),
                    object("residential_address", true, address()),
                ],
            ),
            ..plain(REGIONAL, "40433705", "VISA")
        },
    ]
});

fn basic_five() -> Vec<RequiredField> {
    [
        "email",
        "first_name",
        "last_name",
        "country_code",
        "phone_number",
    ]
    .map(required)
    .into()
}

fn address() -> Vec<RequiredField> {
    vec![
        required("country"),
        required("city"),
        required("line1"),
        optional("postal_code"),
    ]
}

fn with<const N: usize>(
    mut fields: Vec<RequiredField>,
    more: [RequiredField; N],
) -> Vec<RequiredField> {
    fields.extend(more);
    fields
}

fn required(name: &'static str) -> RequiredField {
    RequiredField {
        name,
        kind: FieldKind::String,
        required: true,
        fields: Vec::new(),
    }
}

fn optional(name: &'static str) -> RequiredField {
    RequiredField {
        required: false,
        ..required(name)
    }
}

fn object(name: &'static str, needed: bool, fields: Vec<RequiredField>) -> RequiredField {
    RequiredField {
        name,
        kind: FieldKind::Object,
        required: needed,
        fields,
    }
}
