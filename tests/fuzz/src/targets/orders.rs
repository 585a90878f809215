//! What a host asks, and histories that cannot be true.

use std::time::Duration;

use issuance_domain::{
    CardRequest, Event, EventBody, Order, OrderId, Policy, Product, Terms, Timestamp, evolve,
    outbox,
};
use serde_json::Value;

/// A request is read or refused; the product's check names what is wrong, and nothing of it is shown.
pub(super) fn submit_request(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<CardRequest>(data) else {
        return;
    };
    let written = serde_json::to_vec(&request).unwrap();
    let again: CardRequest = serde_json::from_slice(&written).unwrap();
    let (terms, personal) = request.split();
    assert_eq!(again.split().0, terms);
    let product = product(&terms);
    for problem in product.check(&terms, &personal) {
        assert!(!problem.path().is_empty());
    }
    let _ = (personal.provider_fields(), format!("{personal:?}"));
}

/// A request whose personal texts are made unmistakable: none of them is in what the log gets, in what is printed, or in
/// what is said about them.
pub(super) fn redaction(data: &[u8]) {
    const CANARY: &str = "canary-7f3a";
    let Ok(mut request) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let personal = [
        "/cardholder/fields",
        "/cardholder/supplement",
        "/kyc/reference_id",
        "/name_on_card",
        "/metadata",
    ];
    let mut planted = 0;
    for path in personal {
        if let Some(value) = request.pointer_mut(path) {
            plant(value, CANARY, &mut planted);
        }
    }
    let request = match serde_json::from_value::<CardRequest>(request) {
        Ok(request) => request,
        Err(error) => return assert!(!error.to_string().contains(CANARY), "{error}"),
    };
    let shown = format!("{request:?}");
    let (terms, personal) = request.split();
    let logged = serde_json::to_string(&terms).unwrap();
    let product = product(&terms);
    let problems: Vec<_> = product
        .check(&terms, &personal)
        .iter()
        .map(|problem| format!("{problem:?} {}", problem.path()))
        .collect();
    for text in [
        shown,
        logged,
        format!("{terms:?} {personal:?}"),
        problems.concat(),
    ] {
        assert!(!text.contains(CANARY), "personal data in {text}");
    }
}

/// Every text in it becomes the canary; names of members stay.
fn plant(value: &mut Value, canary: &str, planted: &mut u32) {
    match value {
        Value::String(text) => {
            *planted += 1;
            *text = format!("{canary}-{planted}");
        }
        Value::Array(all) => all.iter_mut().for_each(|one| plant(one, canary, planted)),
        Value::Object(all) => all.values_mut().for_each(|one| plant(one, canary, planted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn product(terms: &Terms) -> Product {
    Product {
        id: terms.product_id.clone(),
        bin: "40963608".into(),
        enabled: true,
        is_virtual: true,
        currencies: vec![terms.currency.clone()],
        prepaid: false,
        required: Vec::new(),
    }
}

/// Lines of events, each an hour after the one before; lines that are none are left out. A typed error ends a history;
/// what can be folded is stored and read as the same.
pub(super) fn fold(data: &[u8]) {
    let id: OrderId = "01920000-0000-7000-8000-000000000001".parse().unwrap();
    let mut at: Timestamp = "2026-10-03T00:00:00Z".parse().unwrap();
    let mut order: Option<Order> = None;
    for line in data.split(|byte| *byte == b'\n').take(200) {
        let Ok(body) = serde_json::from_slice::<EventBody>(line) else {
            continue;
        };
        at = at.after(Duration::from_secs(3_600));
        let before = order.as_ref().map(|order| order.version);
        match evolve(id, order.clone(), &Event { at, body }) {
            Ok(after) => {
                assert!(Some(after.version) > before);
                let tasks = outbox(&after, &Policy::standard());
                assert!(tasks.iter().all(|task| task.id.order == id));
                order = Some(after);
            }
            Err(error) => drop(error.to_string()),
        }
    }
    if let Some(order) = order {
        let stored = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&stored).unwrap(), order);
    }
}
