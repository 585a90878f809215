//! What must be true of a cardholder's data: the product's required fields (contract §3) and the rules that the
//! schema cannot say (contract §2.2).

use serde_json::{Map, Value};

use super::entities::text;
use crate::catalogue::{FieldKind, Product, RequiredField};
use crate::errors::{self, Refusal};

/// Residences BIN 40433705 accepts, and nationalities it refuses (contract §2.2).
const RESIDENCES: &str = "AU JP KR MY PH TW TH VN";
const REFUSED_NATIONALITIES: &str =
    "AF BY BA BI CF CU CD ET GN GW HT IR IQ LB LR LY ML ME MM NI NE KP RU SL SO SS SD SY VE YE ZW";
const PROOF_PROVIDERS: [&str; 6] = ["SUMSUB", "MYINFO", "JUMIO", "DIDIT", "SHUFTI", "REGTANK"];
const BASIC_FIVE: [&str; 5] = [
    "email",
    "first_name",
    "last_name",
    "country_code",
    "phone_number",
];

/// How the caller wants the person verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kyc {
    None,
    Redirect,
    ThirdParty { reference: String },
}

/// Dotted paths of what a product needs and the data lacks.
pub(crate) fn missing(product: &Product, person: &Map<String, Value>) -> Vec<String> {
    let mut gaps = Vec::new();
    collect(&product.required_fields, person, "", &mut gaps);
    gaps
}

pub(crate) fn missing_basics(person: &Map<String, Value>) -> Vec<String> {
    BASIC_FIVE
        .iter()
        .filter(|name| text(person, name).trim().is_empty())
        .map(|name| (*name).to_owned())
        .collect()
}

fn collect(
    fields: &[RequiredField],
    values: &Map<String, Value>,
    path: &str,
    gaps: &mut Vec<String>,
) {
    for field in fields {
        let here = format!("{path}{}", field.name);
        match (values.get(field.name), field.kind) {
            (Some(Value::String(value)), FieldKind::String) if !value.trim().is_empty() => {}
            (Some(Value::Object(inner)), FieldKind::Object) if !inner.is_empty() => {
                collect(&field.fields, inner, &format!("{here}."), gaps);
            }
            _ if field.required => gaps.push(here),
            _ => {}
        }
    }
}

/// Checks every member that is there, whatever the product.
pub(crate) fn check(person: &Map<String, Value>) -> Result<Kyc, Refusal> {
    for name in TEXTS {
        wants(person, name, Value::is_string)?;
    }
    for name in OBJECTS {
        wants(person, name, Value::is_object)?;
    }
    given(person, "email", |email| {
        email
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
            && email.len() <= 254
    })?;
    for name in ["first_name", "last_name"] {
        given(person, name, is_name)?;
    }
    for name in ["country_code", "nationality"] {
        given(person, name, alpha_2)?;
    }
    given(person, "date_of_birth", |date| {
        date.parse::<jiff::civil::Date>().is_ok() && date.len() == 10
    })?;
    given(person, "gender", |gender| {
        matches!(gender, "MALE" | "FEMALE" | "OTHER")
    })?;
    let phone = text(person, "phone_number");
    if !phone.is_empty() && !phone_is_valid(text(person, "country_code"), phone) {
        return Err(errors::invalid_phone());
    }
    if let Some(Value::Object(identity)) = person.get("identity") {
        check_identity(identity)?;
    }
    match person.get("kyc_verification") {
        Some(Value::Object(verification)) => kyc(verification),
        _ => Ok(Kyc::None),
    }
}

const TEXTS: [&str; 8] = [
    "email",
    "first_name",
    "last_name",
    "country_code",
    "phone_number",
    "date_of_birth",
    "gender",
    "nationality",
];
const OBJECTS: [&str; 3] = ["residential_address", "identity", "kyc_verification"];

/// The provider decodes strictly: a member of another type is an error, whether it was needed or not.
fn wants(
    person: &Map<String, Value>,
    name: &str,
    is_right: fn(&Value) -> bool,
) -> Result<(), Refusal> {
    match person.get(name) {
        Some(value) if !value.is_null() && !is_right(value) => {
            Err(errors::invalid(format!("{name} has the wrong type")))
        }
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    name.chars().count() <= 40
        && name.trim() == name
        && name
            .chars()
            .all(|c| c.is_alphabetic() || " .,-'".contains(c))
}

pub(crate) fn check_region(product: &Product, person: &Map<String, Value>) -> Result<(), Refusal> {
    if !product.has_region_rules() {
        return Ok(());
    }
    let residence = match person.get("residential_address") {
        Some(Value::Object(address)) => text(address, "country"),
        _ => text(person, "country_code"),
    };
    let listed = |list: &str, country: &str| list.split(' ').any(|code| code == country);
    if listed(RESIDENCES, residence) && !listed(REFUSED_NATIONALITIES, text(person, "nationality"))
    {
        Ok(())
    } else {
        Err(errors::region_refused())
    }
}

/// The stored form: documents are weighed, not kept.
pub(crate) fn without_documents(mut person: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(identity)) = person.get_mut("identity") {
        for name in [
            "front_file",
            "back_file",
            "hand_file",
            "proof_of_address",
            "identity_verification",
        ] {
            if let Some(Value::String(document)) = identity.get_mut(name) {
                *document = format!("{} characters", document.len());
            }
        }
    }
    person.remove("document");
    person
}

/// National digits, with the country prefix of the numbers whose rules are known taken off.
pub(crate) fn national_digits(country: &str, phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    match (country, phone.starts_with('+')) {
        ("SG", true) => digits.strip_prefix("65").unwrap_or(&digits).to_owned(),
        _ => digits,
    }
}

fn phone_is_valid(country: &str, phone: &str) -> bool {
    let body = phone.strip_prefix('+').unwrap_or(phone);
    if body.is_empty() || !body.chars().all(|c| c.is_ascii_digit()) {
        return false;
    }
    let digits = national_digits(country, phone);
    match country {
        "SG" => digits.len() == 8 && digits.starts_with(['8', '9']),
        _ => (5..=15).contains(&digits.len()),
    }
}

fn check_identity(identity: &Map<String, Value>) -> Result<(), Refusal> {
    let wanted: &[&str] = match text(identity, "type") {
        "ID_CARD" => &["number", "front_file", "back_file"],
        "PASSPORT" => &["number", "front_file"],
        _ => return Err(errors::invalid("identity.type must be ID_CARD or PASSPORT")),
    };
    let gaps: Vec<String> = wanted
        .iter()
        .filter(|name| text(identity, name).is_empty())
        .map(|name| format!("identity.{name}"))
        .collect();
    if gaps.is_empty() {
        Ok(())
    } else {
        Err(errors::incomplete_fields(gaps))
    }
}

fn kyc(verification: &Map<String, Value>) -> Result<Kyc, Refusal> {
    match text(verification, "method") {
        "SUMSUB_REDIRECT" => Ok(Kyc::Redirect),
        "THIRD_PARTY" => {
            let empty = Map::new();
            let proof = verification
                .get("kyc_proof")
                .and_then(Value::as_object)
                .unwrap_or(&empty);
            let gaps: Vec<String> = ["provider", "reference_id"]
                .iter()
                .filter(|name| text(proof, name).is_empty())
                .map(|name| format!("kyc_verification.kyc_proof.{name}"))
                .collect();
            if !gaps.is_empty() {
                return Err(errors::incomplete_fields(gaps));
            }
            if !PROOF_PROVIDERS.contains(&text(proof, "provider")) {
                return Err(errors::invalid("kyc_proof.provider is not supported"));
            }
            let reference = text(proof, "reference_id");
            if !(10..=64).contains(&reference.chars().count()) {
                return Err(errors::invalid(
                    "kyc_proof.reference_id must have 10 to 64 characters",
                ));
            }
            Ok(Kyc::ThirdParty {
                reference: reference.to_owned(),
            })
        }
        "" => Err(errors::incomplete_fields(vec![
            "kyc_verification.method".into(),
        ])),
        _ => Err(errors::invalid(
            "kyc_verification.method must be SUMSUB_REDIRECT or THIRD_PARTY",
        )),
    }
}

/// An absent or empty member passes; the required-fields check speaks of those.
fn given(
    person: &Map<String, Value>,
    name: &str,
    holds: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let value = text(person, name);
    if value.trim().is_empty() || holds(value) {
        Ok(())
    } else {
        Err(errors::invalid(format!("{name} is not valid")))
    }
}

fn alpha_2(country: &str) -> bool {
    country.len() == 2 && country.chars().all(|c| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{self, product};
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn nested_gaps_are_named_by_their_path() {
        let product = product(catalogue::ENHANCED).unwrap();
        let person = map(json!({
            "email": "a@b.example", "first_name": "A", "last_name": " ", "country_code": "SG", "phone_number": "81230947",
            "residential_address": {"country": "SG", "city": ""},
            "kyc_verification": {"method": "THIRD_PARTY", "kyc_proof": {"provider": "JUMIO"}}
        }));
        assert_eq!(
            missing(product, &person),
            [
                "last_name",
                "residential_address.city",
                "residential_address.line1",
                "kyc_verification.kyc_proof.reference_id"
            ]
        );
    }

    #[test]
    fn an_absent_optional_object_needs_none_of_its_children() {
        let product = product(catalogue::STANDARD).unwrap();
        assert!(
            !missing(product, &Map::new())
                .iter()
                .any(|path| path.starts_with("identity"))
        );
    }

    #[test]
    fn phones_of_singapore_have_eight_digits() {
        for (phone, valid) in [
            ("81230947", true),
            ("+6591230947", true),
            ("71230947", false),
            ("8123094", false),
            ("81-230947", false),
        ] {
            assert_eq!(phone_is_valid("SG", phone), valid, "{phone}");
        }
    }

    #[test]
    fn region_rules_bind_one_bin_only() {
        let ok = map(json!({"residential_address": {"country": "JP"}, "nationality": "JP"}));
        let refused = map(json!({"residential_address": {"country": "JP"}, "nationality": "KP"}));
        let regional = product(catalogue::REGIONAL).unwrap();
        assert!(check_region(regional, &ok).is_ok());
        assert!(check_region(regional, &refused).is_err());
        assert!(check_region(product(catalogue::SIMPLIFIED).unwrap(), &refused).is_ok());
    }
}
