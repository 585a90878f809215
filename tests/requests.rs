//! Requests as a host would make them.

use issuance::domain::CardRequest;
use issuance_simulator::product;
use serde_json::{Value, json};

/// A person nobody else is, by number.
pub fn person(number: u32) -> Value {
    json!({
        "email": format!("holder{number}@mail.example"),
        "first_name": "Mina",
        "last_name": "Okafor",
        "country_code": "SG",
        "phone_number": format!("8{number:07}"),
    })
}

/// One step on the simplest product.
pub fn simple(number: u32) -> CardRequest {
    request(number, json!({}))
}

/// One step with an identity check on a link.
pub fn with_idv(number: u32) -> CardRequest {
    let mut fields = person(number);
    fields["residential_address"] =
        json!({ "country": "SG", "city": "Singapore", "line1": "17 Keppel Bay Drive" });
    request(
        number,
        json!({
            "product_id": product::ENHANCED,
            "kyc": { "method": "sumsub_redirect" },
            "cardholder": { "type": "new", "fields": fields },
        }),
    )
}

/// The simplest request with some members replaced.
pub fn request(number: u32, changes: Value) -> CardRequest {
    let mut request = json!({
        "reference": format!("ref-{number}"),
        "product_id": product::SIMPLIFIED,
        "currency": "USD",
        "metadata": { "test": format!("{number}") },
        "cardholder": { "type": "new", "fields": person(number) },
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    serde_json::from_value(request).expect("a well-formed request")
}
