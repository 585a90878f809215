//! A card product and the check of a request against it (contract §3). A courtesy that saves a round trip: the
//! provider stays the judge.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::ProductId;
use crate::money::Currency;
use crate::request::{Kyc, Personal, Terms};

/// What we know of a product, read from the provider and cached for minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The provider's id.
    pub id: ProductId,
    /// The first digits of its cards; some rules hang on them (contract §2.2).
    pub bin: String,
    /// Whether cards may be issued.
    pub enabled: bool,
    /// Whether virtual cards exist.
    pub is_virtual: bool,
    /// Currencies it takes.
    pub currencies: Vec<Currency>,
    /// Whether money is loaded at creation (`SINGLE`).
    pub prepaid: bool,
    /// What the provider needs to know of the person; empty means the basic five.
    pub required: Vec<Field>,
}

/// One entry of a product's `required_fields`, recursive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The member's name.
    pub name: String,
    /// What it must be.
    pub kind: FieldKind,
    /// Whether it must be there.
    pub required: bool,
}

/// The type of a required field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    /// A JSON string.
    Text,
    /// An object with these members; none listed means only its presence is checked.
    Object(Vec<Field>),
    /// A word we do not know: only presence is checked.
    Unknown(String),
}

/// One thing wrong with a request. Paths are dotted from the request's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Required and absent.
    Missing {
        /// Where.
        path: String,
    },
    /// There, but of the wrong type or outside its bounds.
    Invalid {
        /// Where.
        path: String,
        /// What it must be.
        rule: String,
    },
}

impl Problem {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Missing { path } | Self::Invalid { path, .. } => path,
        }
    }
}

/// Deepest nesting of a schema we follow; it comes from outside.
const MAX_DEPTH: usize = 8;
/// Most entries of one list of a schema we follow.
const MAX_FIELDS: usize = 200;
/// Metadata, serialized, at the provider (contract §2.2).
const MAX_METADATA_BYTES: usize = 3200;
/// Largest identity image, as base64 (contract §8.35: 2 MB each, decoded).
const MAX_FILE_BYTES: usize = 2_800_000;
/// Room kept in the metadata for our own order id.
const OUR_METADATA_BYTES: usize = 64;
/// BINs that insist on a limit (contract §2.2).
const LIMIT_BINS: [&str; 3] = ["527735", "555071", "555243"];
/// The BIN with region rules, and the rules (contract §2.2).
const REGION_BIN: &str = "40433705";
const REGION_RESIDENCE: [&str; 8] = ["AU", "JP", "KR", "MY", "PH", "TW", "TH", "VN"];
const REGION_NATIONALITY_REFUSED: [&str; 31] = [
    "AF", "BY", "BA", "BI", "CF", "CU", "CD", "ET", "GN", "GW", "HT", "IR", "IQ", "LB", "LR", "LY",
    "ML", "ME", "MM", "NI", "NE", "KP", "RU", "SL", "SO", "SS", "SD", "SY", "VE", "YE", "ZW",
];
const KYC_PROVIDERS: [&str; 6] = ["SUMSUB", "MYINFO", "JUMIO", "DIDIT", "SHUFTI", "REGTANK"];
const BASIC_FIVE: [&str; 5] = [
    "email",
    "first_name",
    "last_name",
    "country_code",
    "phone_number",
];

impl Product {
    /// Everything wrong with a request for this product, every missing path named; empty when nothing is.
    #[must_use]
    pub fn check(&self, terms: &Terms, personal: &Personal) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_terms(terms, &mut problems);
        check_personal(personal, &mut problems);
        let fields = &personal.provider_fields();
        // On the two-step road the provider already knows the person; what it lacks it will say.
        if terms.cardholder_id.is_none() {
            if self.required.is_empty() {
                check_fields(&basic_five(), fields, "cardholder.", 0, &mut problems);
            } else {
                check_fields(&self.required, fields, "cardholder.", 0, &mut problems);
            }
        }
        check_objects(fields, &mut problems);
        check_kyc(&personal.kyc, &mut problems);
        if self.bin == REGION_BIN {
            check_region(fields, &mut problems);
        }
        problems
    }

    fn check_terms(&self, terms: &Terms, problems: &mut Vec<Problem>) {
        if !self.enabled {
            problems.push(invalid(
                "product_id",
                "a product that is enabled at the provider",
            ));
        }
        if !self.is_virtual {
            problems.push(invalid("product_id", "a product that issues virtual cards"));
        }
        if !self.currencies.contains(&terms.currency) {
            let known: Vec<_> = self.currencies.iter().map(Currency::as_str).collect();
            problems.push(invalid("currency", &format!("one of {}", known.join(", "))));
        }
        let limit_missing = terms.limit.is_none_or(|limit| limit.decimal().is_zero());
        if limit_missing && LIMIT_BINS.iter().any(|bin| self.bin.starts_with(bin)) {
            problems.push(missing_or_invalid(
                terms.limit.is_none(),
                "limit",
                "at least 0.01 for this product",
            ));
        }
        for (index, control) in terms.spending_controls.iter().enumerate() {
            if control.amount.decimal().is_zero() {
                problems.push(invalid(
                    &format!("spending_controls.{index}.amount"),
                    "above zero",
                ));
            }
        }
    }
}

fn check_personal(personal: &Personal, problems: &mut Vec<Problem>) {
    if personal
        .name_on_card
        .as_ref()
        .is_some_and(|name| name.chars().count() > 26)
    {
        problems.push(invalid("name_on_card", "at most 26 characters"));
    }
    let bytes = serde_json::to_vec(&personal.metadata).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_METADATA_BYTES - OUR_METADATA_BYTES {
        let rule = format!(
            "at most {} bytes as JSON",
            MAX_METADATA_BYTES - OUR_METADATA_BYTES
        );
        problems.push(invalid("metadata", &rule));
    }
    if personal
        .metadata
        .contains_key(crate::request::METADATA_ORDER_KEY)
    {
        problems.push(invalid(
            "metadata",
            "without the key `issuance_order`, which is ours",
        ));
    }
}

fn check_fields(
    schema: &[Field],
    value: &Map<String, Value>,
    path: &str,
    depth: usize,
    problems: &mut Vec<Problem>,
) {
    for field in schema.iter().take(MAX_FIELDS) {
        let here = path_in_request(path, &field.name);
        let Some(given) = value.get(&field.name).filter(|given| is_present(given)) else {
            if field.required {
                problems.push(Problem::Missing { path: here });
            }
            continue;
        };
        match &field.kind {
            FieldKind::Text if !given.is_string() => problems.push(invalid(&here, "a string")),
            FieldKind::Text | FieldKind::Unknown(_) => {}
            FieldKind::Object(members) => match given {
                Value::Object(object) if depth < MAX_DEPTH => {
                    // The proof's members stand in `kyc` itself.
                    let path = if here == "kyc.kyc_proof" {
                        "kyc."
                    } else {
                        &format!("{here}.")
                    };
                    check_fields(members, object, path, depth + 1, problems);
                }
                Value::Object(_) => {}
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => {
                    problems.push(invalid(&here, "an object"));
                }
            },
        }
    }
}

/// In a request, verification stands beside the cardholder, not inside.
fn path_in_request(path: &str, name: &str) -> String {
    if path == "cardholder." && name == "kyc_verification" {
        "kyc".into()
    } else {
        format!("{path}{name}")
    }
}

/// Contract §3.2: not missing, not null, no blank string, no empty object.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => true,
    }
}

/// Members an object must have whatever the product lists (contract §2.2, marked `*`).
const ALWAYS_WHOLE: [(&str, &[&str]); 2] = [
    ("residential_address", &["country", "city", "line1"]),
    ("identity", &["type", "number", "front_file"]),
];

fn check_objects(fields: &Map<String, Value>, problems: &mut Vec<Problem>) {
    for (name, members) in ALWAYS_WHOLE {
        let Some(Value::Object(object)) = fields.get(name) else {
            continue;
        };
        if object.is_empty() {
            // Not present, so nothing of it is owed (contract §3.6).
            continue;
        }
        for member in members {
            let path = format!("cardholder.{name}.{member}");
            let told = problems.iter().any(|problem| problem.path() == path);
            if !told && !object.get(*member).is_some_and(is_present) {
                problems.push(Problem::Missing { path });
            }
        }
    }
    let Some(Value::Object(identity)) = fields.get("identity") else {
        return;
    };
    let kind = identity
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let has_back = identity.get("back_file").is_some_and(is_present);
    let missing = Problem::Missing {
        path: "cardholder.identity.back_file".into(),
    };
    if kind == "ID_CARD" && !has_back && !problems.contains(&missing) {
        problems.push(missing);
    }
    for (name, value) in identity {
        if name.ends_with("_file")
            && value
                .as_str()
                .is_some_and(|file| file.len() > MAX_FILE_BYTES)
        {
            problems.push(invalid(
                &format!("cardholder.identity.{name}"),
                "at most 2 MB before base64",
            ));
        }
    }
}

fn check_kyc(kyc: &Kyc, problems: &mut Vec<Problem>) {
    let Kyc::ThirdParty {
        provider,
        reference_id,
    } = kyc
    else {
        return;
    };
    if !KYC_PROVIDERS.contains(&provider.as_str()) {
        problems.push(invalid(
            "kyc.provider",
            &format!("one of {}", KYC_PROVIDERS.join(", ")),
        ));
    }
    if !(10..=64).contains(&reference_id.chars().count()) {
        problems.push(invalid("kyc.reference_id", "10 to 64 characters"));
    }
}

fn check_region(map: &Map<String, Value>, problems: &mut Vec<Problem>) {
    let residence = map
        .get("residential_address")
        .and_then(|address| address.get("country"))
        .and_then(Value::as_str);
    if residence.is_some_and(|country| !REGION_RESIDENCE.contains(&country)) {
        let rule = format!("one of {} for this product", REGION_RESIDENCE.join(", "));
        problems.push(invalid("cardholder.residential_address.country", &rule));
    }
    let nationality = map.get("nationality").and_then(Value::as_str);
    if nationality.is_some_and(|country| REGION_NATIONALITY_REFUSED.contains(&country)) {
        problems.push(invalid(
            "cardholder.nationality",
            "a nationality this product accepts",
        ));
    }
}

fn basic_five() -> Vec<Field> {
    BASIC_FIVE
        .iter()
        .map(|name| Field {
            name: (*name).into(),
            kind: FieldKind::Text,
            required: true,
        })
        .collect()
}

fn invalid(path: &str, rule: &str) -> Problem {
    Problem::Invalid {
        path: path.into(),
        rule: rule.into(),
    }
}

fn missing_or_invalid(missing: bool, path: &str, rule: &str) -> Problem {
    if missing {
        Problem::Missing { path: path.into() }
    } else {
        invalid(path, rule)
    }
}
