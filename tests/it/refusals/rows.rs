//! The rows of contract §6.3, in its order, each with the answer that stands for it.

use serde_json::{Value, json};

/// A row: the signal in the contract's words, and what the provider does to every create call.
pub(super) struct Row {
    pub(super) signal: &'static str,
    pub(super) does: Does,
}

/// What the provider does.
pub(super) enum Does {
    /// A fault of the simulator's, at every create call.
    Create(Value),
    /// The cardholder is made, the answer is a server error; the next call meets our own leftover.
    LeavesCardholder,
    /// It takes the order, and its reads know no such card.
    ForgetsCard,
    /// Nobody listens at its address.
    IsGone,
}

fn row(signal: &'static str, fault: Value) -> Row {
    Row {
        signal,
        does: Does::Create(fault),
    }
}

/// Every signal of contract §6.3, as its table has them; written by hand, so that no row can be left out in silence.
pub(super) const CONTRACT: [&str; 40] = [
    "`cardholder_missing_info`",
    "`cardholder_incomplete_fields`",
    "`kyc_insufficient`",
    "`email_duplicated`",
    "`email_duplicated`, our own leftover",
    "`phone_number_duplicated`",
    "`invalid_phone_number`",
    "`invalid_request_error`",
    "`invalid_parameter`",
    "`card_not_found`",
    "`insufficient_sub_bin`",
    "insufficient balance",
    "product disabled",
    "quota used up",
    "`card_art_not_configured`",
    "`sub_account_not_found`",
    "region or nationality refused",
    "`idempotency_error`",
    "\"request is processing\"",
    "\"token has expired\"",
    "\"login expired\"",
    "\"token expired\"",
    "\"jwt expired\"",
    "\"invalid auth token format\"",
    "\"IP not allowed\"",
    "401, other text",
    "`forbidden`",
    "404, no such route",
    "408",
    "409",
    "413",
    "`too_many_requests`",
    "`api_error`",
    "502",
    "503",
    "504",
    "connection lost after sending",
    "timeout",
    "truncated or unreadable 2xx",
    "connection refused, DNS, TLS",
];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = of_the_request();
    rows.extend(of_the_set_up());
    rows.extend(of_the_door());
    rows.extend(of_the_way());
    rows
}

/// An error in envelope A.
fn error(status: u16, kind: &str, code: &str) -> Value {
    refused(
        status,
        json!({ "type": kind, "code": code, "message": "no" }),
    )
}

fn refused(status: u16, body: Value) -> Value {
    json!({ "kind": "error_before_effect", "status": status, "body": body })
}

fn missing(code: &str, fields: Value) -> Value {
    refused(
        400,
        json!({ "type": "cardholder_error", "code": code, "message": "no", "missing_fields": fields }),
    )
}

/// An answer that never came near the provider's memory of keys.
fn passing(mut fault: Value) -> Value {
    fault["cached"] = json!(false);
    fault
}

/// An error of the authentication layer, envelope C.
fn unauthorized(text: &str) -> Value {
    refused(401, json!({ "error": text }))
}

fn of_the_request() -> Vec<Row> {
    let person = "cardholder_error";
    vec![
        row(
            "`cardholder_missing_info`",
            error(400, person, "cardholder_missing_info"),
        ),
        row(
            "`cardholder_incomplete_fields`",
            missing(
                "cardholder_incomplete_fields",
                json!(["date_of_birth", "residential_address.city"]),
            ),
        ),
        row(
            "`kyc_insufficient`",
            missing(
                "kyc_insufficient",
                json!([{ "name": "nationality", "type": "string", "required": true }]),
            ),
        ),
        row("`email_duplicated`", error(400, person, "email_duplicated")),
        Row {
            signal: "`email_duplicated`, our own leftover",
            does: Does::LeavesCardholder,
        },
        row(
            "`phone_number_duplicated`",
            error(400, person, "phone_number_duplicated"),
        ),
        row(
            "`invalid_phone_number`",
            error(400, person, "invalid_phone_number"),
        ),
        row(
            "`invalid_request_error`",
            error(400, "invalid_request_error", "never_heard_of"),
        ),
        row(
            "`invalid_parameter`",
            error(400, "invalid_request_error", "invalid_parameter"),
        ),
        Row {
            signal: "`card_not_found`",
            does: Does::ForgetsCard,
        },
    ]
}

fn of_the_set_up() -> Vec<Row> {
    vec![
        row(
            "`insufficient_sub_bin`",
            error(400, "card_error", "insufficient_sub_bin"),
        ),
        row(
            "insufficient balance",
            error(400, "account_error", "insufficient_balance"),
        ),
        row(
            "product disabled",
            error(400, "card_error", "product_disabled"),
        ),
        row(
            "quota used up",
            error(400, "card_error", "card_quota_exceeded"),
        ),
        row(
            "`card_art_not_configured`",
            error(400, "card_error", "card_art_not_configured"),
        ),
        row(
            "`sub_account_not_found`",
            error(400, "account_error", "sub_account_not_found"),
        ),
        row(
            "region or nationality refused",
            error(400, "card_error", "never_heard_of"),
        ),
        row(
            "`idempotency_error`",
            error(400, "idempotency_error", "idempotency_error"),
        ),
        row("\"request is processing\"", json!({ "kind": "processing" })),
    ]
}

fn of_the_door() -> Vec<Row> {
    vec![
        row("\"token has expired\"", unauthorized("token has expired")),
        row("\"login expired\"", unauthorized("login expired")),
        row("\"token expired\"", unauthorized("Token expired")),
        row("\"jwt expired\"", unauthorized("jwt expired")),
        row(
            "\"invalid auth token format\"",
            refused(
                401,
                json!({ "type": "unauthorized_error", "code": "unauthorized_error", "message": "invalid auth token format" }),
            ),
        ),
        row("\"IP not allowed\"", unauthorized("IP not allowed")),
        row("401, other text", unauthorized("who are you")),
        row("`forbidden`", error(403, "unauthorized_error", "forbidden")),
        row(
            "404, no such route",
            passing(refused(404, json!("<html>no such page</html>"))),
        ),
    ]
}

fn of_the_way() -> Vec<Row> {
    let proxy = |status| refused(status, json!("<html>try later</html>"));
    let too_many = json!({
        "kind": "error_before_effect", "status": 429, "retry_after": "1",
        "body": { "code": "too_many_requests", "message": "slow down" },
    });
    vec![
        row("408", proxy(408)),
        row("409", passing(error(409, "conflict_error", "conflict"))),
        row("413", proxy(413)),
        row("`too_many_requests`", too_many),
        row("`api_error`", error(500, "api_error", "internal_error")),
        row("502", proxy(502)),
        row("503", proxy(503)),
        row("504", proxy(504)),
        row(
            "connection lost after sending",
            json!({ "kind": "lost_after_effect" }),
        ),
        row(
            "timeout",
            json!({ "kind": "slow", "ms": 1_600, "when": "after" }),
        ),
        row(
            "truncated or unreadable 2xx",
            json!({ "kind": "truncated_answer" }),
        ),
        Row {
            signal: "connection refused, DNS, TLS",
            does: Does::IsGone,
        },
    ]
}
