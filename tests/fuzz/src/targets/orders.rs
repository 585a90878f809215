//! What a host asks, and histories that cannot be true.

use std::time::Duration;

use issuance_domain::{
    CardRequest, Event, EventBody, Order, OrderId, Policy, Product, Timestamp, evolve, outbox,
};

/// A request is read or refused; the product's check names what is wrong, and nothing of it is shown.
pub(super) fn submit_request(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<CardRequest>(data) else {
        return;
    };
    let written = serde_json::to_vec(&request).unwrap();
    let again: CardRequest = serde_json::from_slice(&written).unwrap();
    let (terms, personal) = request.split();
    assert_eq!(again.split().0, terms);
    let product = Product {
        id: terms.product_id.clone(),
        bin: "40963608".into(),
        enabled: true,
        is_virtual: true,
        currencies: vec![terms.currency.clone()],
        prepaid: false,
        required: Vec::new(),
    };
    for problem in product.check(&terms, &personal) {
        assert!(!problem.path().is_empty());
    }
    let _ = (personal.provider_fields(), format!("{personal:?}"));
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
