//! Forms of the API's answers.

use serde_json::{Map, Value, json};

use super::{Choice, amount, metadata, perhaps_without, put, rename};
use crate::errors::Refusal;
use crate::state::Card;
use crate::views::{Place, cents};

/// The create answer: what may be absent, and words that run ahead of the card (contract §2.2, §8 no. 1 to 4, 11).
pub(crate) fn created(choice: Choice, view: &mut Map<String, Value>) {
    if view.contains_key("idv_verification_url") {
        awaits_person(choice, view);
        // Then the cardholder is where the link can be read (contract §9.1).
        if choice.one_in("no link", 8) {
            view.remove("idv_verification_url");
            view.remove("idv_url_expires_at");
        }
    }
    if view
        .get("order_status")
        .is_some_and(|status| status == "PROCESSING")
    {
        match choice.one_of("order_status", 8) {
            0 => {
                view.insert("card_status".into(), "ACTIVE".into());
                view.insert("order_status".into(), "PENDING".into());
            }
            1..4 => put(view, "order_status", Some("PENDING".into())),
            _ => {}
        }
    }
    if view
        .get("verification_status")
        .is_some_and(|status| status == "VERIFIED")
    {
        perhaps_without(choice, view, &["verification_status"]);
    }
    perhaps_without(
        choice,
        view,
        &[
            "message",
            "create_time",
            "cardholder_created",
            "risk_controls",
        ],
    );
    if choice.one_in("code", 4) {
        view.insert("code".into(), "".into());
    }
}

/// A card by itself or in a list (contract §2.5, §8 no. 5, 13, 14).
pub(crate) fn card(choice: Choice, view: &mut Map<String, Value>, card: &Card, place: Place) {
    let choice = match place {
        Place::Detail => choice,
        Place::ListRow => choice.within("list"),
    };
    put(view, "card_limit", Some(amount(choice, &cents(card.limit))));
    let available = amount(choice, &cents(card.limit - card.consumed));
    put(view, "available_balance", Some(available));
    let told = card.metadata.clone().unwrap_or_default();
    put(view, "metadata", metadata(choice, &told));
    if card.risk_controls.is_none() {
        let none = [Some(Value::Null), Some(json!({})), None];
        put(
            view,
            "risk_controls",
            none[choice.one_of("risk_controls", 3) as usize].clone(),
        );
    } else if choice.one_in("risk_control", 2) {
        rename(view, "risk_controls", "risk_control");
    }
    if choice.one_in("spending_limits", 2) {
        rename(view, "spending_controls", "spending_limits");
    }
    if choice.one_in("available", 4) {
        rename(view, "available_balance", "card_available_balance");
    }
    if choice.one_in("cardholder", 4) {
        view.insert("cardholder".into(), json!({}));
    }
    if choice.one_in("card_number", 2) {
        view.insert(
            "card_number".into(),
            format!("************{}", card.last_four).into(),
        );
    }
    if choice.one_in("no_pin_payment_amount", 2) {
        view.insert("no_pin_payment_amount".into(), "200USD".into());
    }
    perhaps_without(
        choice,
        view,
        &[
            "card_currency",
            "card_product_id",
            "create_time",
            "update_reason",
            "consumed_amount",
        ],
    );
}

/// A card order (contract §2.6).
pub(crate) fn card_order(choice: Choice, view: &mut Map<String, Value>) {
    if view
        .get("order_type")
        .is_some_and(|kind| kind == "CREATE_CARD")
        && choice.one_in("order_type", 2)
    {
        view.insert("order_type".into(), "CARD_CREATE".into());
    }
    if let Some(Value::String(text)) = view.get("amount") {
        let amount = amount(choice, text);
        view.insert("amount".into(), amount);
    }
    if !view.contains_key("failure_code") && choice.one_in("failure_code", 2) {
        view.insert("failure_code".into(), "".into());
    }
    perhaps_without(choice, view, &["amount", "card_currency"]);
}

/// A cardholder as it is read back (contract §2.4): what was never told is `""` or absent.
pub(crate) fn cardholder(choice: Choice, view: &mut Map<String, Value>) {
    for name in ["date_of_birth", "gender", "nationality", "idv_status"] {
        if view.get(name).is_some_and(|value| value == "") && choice.one_in(name, 2) {
            view.remove(name);
        }
    }
    perhaps_without(choice, view, &["create_time", "number_of_cards"]);
}

/// The short answer of making or updating a cardholder.
pub(crate) fn cardholder_answer(choice: Choice, view: &mut Map<String, Value>) {
    if view.contains_key("idv_verification_url") {
        awaits_person(choice, view);
    }
}

/// A product of the list (contract §2.1). Fields are left out only where the basic five are all there is.
pub(crate) fn product(choice: Choice, view: &mut Map<String, Value>) {
    let fields = view.get("required_fields").and_then(Value::as_array);
    if fields.is_some_and(|fields| fields.len() == 5) {
        let none = [Some(Value::Null), Some(json!([])), None];
        put(
            view,
            "required_fields",
            none[choice.one_of("required_fields", 3) as usize].clone(),
        );
    }
    if choice.one_in("quota", 4) {
        view.insert("max_card_quota".into(), 0.into());
    }
    perhaps_without(
        choice,
        view,
        &[
            "mode_type",
            "kyc_level",
            "max_card_quota",
            "no_pin_payment_amount",
            "create_time",
            "update_time",
        ],
    );
}

/// A refusal: the texts of a token that has ended, and `missing_fields` by name or as objects, mixed (contract §6.3).
pub(crate) fn refusal(choice: Choice, refusal: &mut Refusal) {
    if refusal.body["error"] == "token has expired" {
        let texts = [
            "token has expired",
            "login expired",
            "Token expired",
            "jwt expired",
        ];
        refusal.body["error"] = texts[choice.one_of("error", 4) as usize].into();
    }
    let Some(Value::Array(missing)) = refusal.body.get_mut("missing_fields") else {
        return;
    };
    for field in missing {
        let Some(name) = field.as_str().or_else(|| field["name"].as_str()) else {
            continue;
        };
        *field = match choice.one_in(name, 2) {
            true => json!({"name": name, "type": "string", "required": true}),
            false => name.into(),
        };
    }
}

/// One page says `INCOMPLETE`, the other `PENDING`, of who has a link (contract §2.3).
fn awaits_person(choice: Choice, view: &mut Map<String, Value>) {
    if choice.one_in("cardholder_status", 2) {
        view.insert("cardholder_status".into(), "PENDING".into());
    }
}
