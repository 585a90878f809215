//! Answers and messages that are about another order's card (F-040).

use issuance_domain::METADATA_ORDER_KEY;
use issuance_simulator::{CardEntry, ErrorAnswer, Fault, product};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rng::mix;

/// Part of an answer to a create call, or to the read of a card, as another card's would be: one of `cards`, with its mark
/// unless its order knows it. Of a card that nobody knows and that bears no mark nobody could tell whose it is.
pub(crate) fn answer(details: u64, cards: &[(CardEntry, bool)]) -> Fault {
    let merge = of_another(details, cards);
    Fault::AnswerPatch { merge }
}

/// The whole answer to another's create call, in the place of the call; half of them are kept under its key.
pub(crate) fn astray(details: u64, cards: &[(CardEntry, bool)]) -> Fault {
    let id = |number: u64| {
        let number = u128::from(mix(number)) << 64 | u128::from(number);
        uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid()
    };
    let mut body = json!({
        "card_id": id(details),
        "card_order_id": id(details ^ 1),
        "card_status": "PENDING",
        "order_status": "PROCESSING",
    });
    let mut said = of_another(details, cards);
    // Of a card that nobody knows, its mark tells.
    if said.get("card_id").is_none() {
        said["metadata"] = marked(details);
    }
    if let (Some(body), Value::Object(said)) = (body.as_object_mut(), said) {
        body.extend(said);
    }
    Fault::ErrorBeforeEffect(ErrorAnswer {
        status: 200,
        body: Some(body),
        retry_after: None,
        cached: Some(details & 128 != 0),
    })
}

fn of_another(details: u64, cards: &[(CardEntry, bool)]) -> Value {
    let other = usize::try_from(details >> 8).unwrap_or(0) % cards.len().max(1);
    match (details % 4, cards.get(other)) {
        (0, Some((card, known))) => {
            let mut merge = json!({
                "card_id": card.card_id,
                "card_order_id": card.card_order_id,
            });
            if !known || details & 64 != 0 {
                merge["metadata"] = card.metadata.clone().into();
            }
            merge
        }
        (1, _) => json!({ "card_product_id": product::STANDARD }),
        (2, _) => json!({ "card_currency": "SGD" }),
        _ => json!({ "metadata": marked(details) }),
    }
}

/// Part of an answer with a word that is not in the contract, much like one that is.
pub(crate) fn strange_answer(details: u64) -> Fault {
    let merge = match details % 6 {
        0 => json!({ "card_status": "ACTIVATING" }),
        1 => json!({ "card_status": "FAILED_REVIEW" }),
        2 => json!({ "order_status": "SUCCESS_PENDING" }),
        3 => json!({ "order_status": "FAILED_RETRYING" }),
        4 => json!({ "cardholder_status": "FAILED_ONCE" }),
        _ => {
            json!({ "cardholder_status": "SUCCESS_PARTIAL", "card_status": "CANCELLED_REQUESTED" })
        }
    };
    Fault::AnswerPatch { merge }
}

/// The same of a message, or a name nobody gave one, or a word too few.
pub(crate) fn strange_message(details: u64) -> Fault {
    let merge = match details % 11 {
        0 => json!({ "data": { "card_status": "ACTIVATING" } }),
        1 => json!({ "data": { "card_status": "FAILED_REVIEW" } }),
        2 => json!({ "data": { "cardholder_status": "FAILED_ONCE" } }),
        3 => json!({ "data": { "cardholder_status": "SUCCESS_PARTIAL" } }),
        4 => json!({ "event_type": "card.create.succeeded.partially", "event_name": "ISSUING" }),
        5 => json!({ "event_type": "card.create.failed_once", "event_name": "ISSUING" }),
        6 => json!({ "event_name": "SANDBOX" }),
        7 => json!({ "data": "nothing to read" }),
        // An order that is done says nothing of its card, or that it is still to come.
        8 => json!({ "data": { "card_status": "PENDING" } }),
        9 => json!({ "data": { "card_status": null } }),
        _ => json!({ "event_type": "card.create", "event_name": "ISSUING" }),
    };
    Fault::WebhookPatch { merge }
}

/// Part of a message about a card of ours.
pub(crate) fn message(details: u64) -> Fault {
    let data = match details % 3 {
        0 => json!({ "card_product_id": product::STANDARD }),
        1 => json!({ "card_currency": "SGD" }),
        _ => json!({ "metadata": marked(details) }),
    };
    Fault::WebhookPatch {
        merge: json!({ "data": data }),
    }
}

/// The mark of an order that is none of ours.
fn marked(details: u64) -> Value {
    let number = u128::from(details) << 64 | u128::from(mix(details));
    let stranger = uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid();
    json!({ METADATA_ORDER_KEY: Uuid::to_string(&stranger) })
}
