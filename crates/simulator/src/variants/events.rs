//! Forms of the webhooks.

use serde_json::{Map, Value, json};

use super::{Choice, amount, metadata, rename};
use crate::config::Naming;

/// The whole body before it is signed (contract §5.2, §5.4, §8 no. 12 to 15).
pub(crate) fn event(choice: Choice, naming: Naming, name: &str, body: &mut Map<String, Value>) {
    // The sample of V1.5.2 has none (contract §5.2).
    if naming == Naming::Swapped && choice.one_in("source_id", 2) {
        body.remove("source_id");
    }
    if let Some(Value::Object(data)) = body.get_mut("data") {
        members(choice, data);
    }
    if name == "card.create.failed" {
        // No page shows this body: every member is optional, and so is all of it (contract §5.4).
        match choice.one_of("data", 4) {
            0 => body.insert("data".into(), Value::Null),
            1 => body.insert("data".into(), json!({})),
            2 => body.remove("data"),
            _ => None,
        };
    }
}

fn members(choice: Choice, data: &mut Map<String, Value>) {
    if choice.one_in("case", 2) {
        lower_case(data);
        if let Some(Value::Object(holder)) = data.get_mut("cardholder") {
            lower_case(holder);
        }
    }
    if let Some(Value::Object(told)) = data.get("metadata") {
        // That the metadata comes back is implied here, not promised (contract §5.4).
        let told = match choice.one_in("no metadata", 4) {
            true => Map::new(),
            false => told.clone(),
        };
        super::put(data, "metadata", metadata(choice, &told));
    }
    for (usual, other) in [
        ("risk_control", "risk_controls"),
        ("spending_limits", "spending_controls"),
        ("card_available_balance", "available_balance"),
    ] {
        if choice.one_in(usual, 2) {
            rename(data, usual, other);
        }
    }
    for name in ["card_available_balance", "available_balance"] {
        if let Some(Value::String(text)) = data.get(name) {
            let amount = amount(choice, text);
            data.insert(name.to_owned(), amount);
        }
    }
    if data.contains_key("cardholder") && choice.one_in("cardholder", 4) {
        data.insert("cardholder".into(), json!({}));
    }
    super::perhaps_without(
        choice,
        data,
        &[
            "card_bin",
            "card_scheme",
            "form_factor",
            "mode_type",
            "reason",
            "update_reason",
        ],
    );
}

fn lower_case(members: &mut Map<String, Value>) {
    for name in [
        "card_status",
        "order_status",
        "cardholder_status",
        "idv_status",
    ] {
        if let Some(Value::String(status)) = members.get_mut(name) {
            *status = status.to_lowercase();
        }
    }
}
