//! What the provider says no with (contract §6.3), beside what the false one finds out by itself.

use serde_json::{Value, json};

/// Refusals of a create call that are kept under its key.
pub(crate) fn of_create(details: u64) -> (u16, Value) {
    let holder =
        |code| json!({"type": "cardholder_error", "code": code, "message": "not with this person"});
    let card = |code| json!({"type": "card_error", "code": code, "message": "not this card"});
    let account =
        |code| json!({"type": "account_error", "code": code, "message": "not for this account"});
    let missing = |code, fields| {
        let mut body = holder(code);
        body["missing_fields"] = fields;
        body
    };
    let body = match details % 13 {
        0 => holder("cardholder_missing_info"),
        1 => missing("cardholder_incomplete_fields", json!(["date_of_birth"])),
        2 => missing(
            "kyc_insufficient",
            json!([{"name": "identity.number", "type": "string", "required": true}]),
        ),
        3 => holder("email_duplicated"),
        4 => holder("phone_number_duplicated"),
        5 => holder("invalid_phone_number"),
        6 => {
            json!({"type": "invalid_request_error", "code": "invalid_parameter", "message": "not so"})
        }
        7 => card("insufficient_sub_bin"),
        8 => {
            json!({"type": "account_error", "code": "insufficient_balance", "message": "insufficient balance"})
        }
        9 => card("card_art_not_configured"),
        10 => account("sub_account_not_found"),
        11 => {
            let body = json!({"type": "invalid_request_error", "code": "request_too_large", "message": "too large"});
            return (413, body);
        }
        _ => {
            json!({"type": "idempotency_error", "code": "idempotency_error", "message": "not under this key"})
        }
    };
    (400, body)
}

/// Refusals of a cancel, or of a new link.
pub(crate) fn of_another(details: u64) -> (u16, Value) {
    let body = match details % 3 {
        0 => json!({"type": "card_error", "code": "card_status_invalid", "message": "not now"}),
        1 => {
            json!({"type": "invalid_request_error", "code": "invalid_parameter", "message": "not so"})
        }
        _ => {
            json!({"type": "account_error", "code": "sub_account_not_found", "message": "not for this account"})
        }
    };
    (400, body)
}

/// Refusals that say nothing about what was asked.
pub(crate) fn at_the_door(details: u64) -> (u16, Value) {
    let named = |code, message| json!({"type": code, "code": code, "message": message});
    match details % 9 {
        0 => (401, json!({"error": "login expired"})),
        1 => (
            401,
            named("unauthorized_error", "invalid auth token format"),
        ),
        2 => (401, named("ip_not_allowed", "IP not allowed")),
        3 => (401, named("unauthorized_error", "not you")),
        4 => (403, named("forbidden", "not yours")),
        5 => (404, named("route_error", "no such route")),
        6 => (408, named("api_error", "too slow")),
        7 => (409, named("api_error", "not at the same time")),
        _ => (
            429,
            json!({"code": "too_many_requests", "message": "later"}),
        ),
    }
}
