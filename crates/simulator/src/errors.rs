//! The provider's error answers: the three envelopes of contract §6.1 and the few that fit none of them.
//! Codes marked "ours" stand where no page could be read; a client must not depend on them.

use serde_json::{Value, json};

use crate::faults::ErrorAnswer;

/// A refusal: the HTTP status and body the caller gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
    /// Overrides what the idempotency store would do with it.
    pub(crate) cached: Option<bool>,
}

impl Refusal {
    /// Envelope A: `{type, code, message}`.
    pub(crate) fn new(status: u16, kind: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            body: json!({"type": kind, "code": code, "message": message.into()}),
            retry_after: None,
            cached: None,
        }
    }

    /// Envelope B: a number as the code, no type.
    fn legacy(code: u16, message: &str) -> Self {
        Self {
            status: 400,
            code: code.to_string(),
            body: json!({"code": code, "message": message}),
            retry_after: None,
            cached: None,
        }
    }

    /// Envelope C: the authentication layer.
    fn unauthenticated(message: &str) -> Self {
        Self {
            status: 401,
            code: "unauthorized".into(),
            body: json!({"error": message}),
            retry_after: None,
            cached: None,
        }
    }

    fn with_missing(mut self, missing: Value) -> Self {
        self.body["missing_fields"] = missing;
        self
    }

    /// Whether the idempotency store keeps this answer (contract §6.4: business failures yes, the door no).
    pub(crate) fn is_cached(&self) -> bool {
        let kept = !matches!(self.status, 401 | 403 | 408 | 429)
            && self.status < 500
            && !self.body["code"].is_number();
        self.cached.unwrap_or(kept)
    }
}

pub(crate) fn token_expired() -> Refusal {
    Refusal::unauthenticated("token has expired")
}

pub(crate) fn token_format() -> Refusal {
    Refusal::new(
        401,
        "unauthorized_error",
        "unauthorized_error",
        "invalid auth token format",
    )
}

pub(crate) fn credentials() -> Refusal {
    Refusal::new(
        401,
        "unauthorized_error",
        "unauthorized_error",
        "Invalid client id or api key",
    )
}

pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request_error", "invalid_parameter", message)
}

pub(crate) fn too_large() -> Refusal {
    Refusal::new(
        413,
        "invalid_request_error",
        "request_too_large",
        "body is too large",
    )
}

pub(crate) fn not_found(path: &str) -> Refusal {
    Refusal::new(
        404,
        "not_found",
        "not_found",
        format!("no route for {path}"),
    )
}

pub(crate) fn processing() -> Refusal {
    Refusal::legacy(200, "Request is processing, please try again later")
}

pub(crate) fn bad_key(message: &str) -> Refusal {
    Refusal::legacy(400, message)
}

/// An answer of the fault script. A string as its body is HTML, as a proxy would send.
pub(crate) fn scripted(answer: &ErrorAnswer) -> Refusal {
    let base = internal();
    let body = answer.body.clone().unwrap_or(base.body);
    Refusal {
        status: answer.status,
        code: body["code"].as_str().unwrap_or_default().to_owned(),
        body,
        retry_after: answer.retry_after.clone(),
        cached: answer.cached,
    }
}

pub(crate) fn idempotency_mismatch() -> Refusal {
    Refusal::new(
        400,
        "idempotency_error",
        "idempotency_error",
        "idempotency key was used with another request",
    )
}

pub(crate) fn too_many_requests(retry_after: Option<String>) -> Refusal {
    Refusal {
        status: 429,
        code: "too_many_requests".into(),
        body: json!({"code": "too_many_requests", "message": "request rate exceeds the limit of this minute"}),
        retry_after,
        cached: None,
    }
}

pub(crate) fn unknown_sub_account() -> Refusal {
    Refusal::new(
        400,
        "account_error",
        "sub_account_not_found",
        "sub account not found",
    )
}

pub(crate) fn cardholder_missing_info() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "cardholder_missing_info",
        "either cardholder_id or cardholder_required_fields is required",
    )
}

pub(crate) fn incomplete_fields(missing: Vec<String>) -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "cardholder_incomplete_fields",
        "cardholder information is incomplete",
    )
    .with_missing(missing.into())
}

pub(crate) fn kyc_insufficient(missing: Vec<String>) -> Refusal {
    let objects: Vec<Value> = missing
        .into_iter()
        .map(|name| json!({"name": name, "type": "string", "required": true}))
        .collect();
    Refusal::new(
        400,
        "cardholder_error",
        "kyc_insufficient",
        "cardholder does not meet the product's requirements",
    )
    .with_missing(objects.into())
}

pub(crate) fn email_duplicated() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "email_duplicated",
        "email already exists",
    )
}

pub(crate) fn phone_duplicated() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "phone_number_duplicated",
        "phone number already exists",
    )
}

pub(crate) fn invalid_phone() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "invalid_phone_number",
        "phone number is not valid for the country",
    )
}

pub(crate) fn cardholder_not_found() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "cardholder_not_found",
        "cardholder not found",
    )
}

pub(crate) fn card_not_found() -> Refusal {
    Refusal::new(
        400,
        "card_error",
        "card_not_found",
        "card not found or deactivated",
    )
}

pub(crate) fn order_not_found() -> Refusal {
    Refusal::new(
        400,
        "card_error",
        "card_order_not_found",
        "card order not found",
    )
}

pub(crate) fn card_not_changeable() -> Refusal {
    Refusal::new(
        400,
        "card_error",
        "card_status_not_allowed",
        "the card's status does not allow this change",
    )
}

pub(crate) fn empty_pool() -> Refusal {
    Refusal::new(
        400,
        "card_error",
        "insufficient_sub_bin",
        "no card is left in the pool of this BIN",
    )
}

/// Code ours: the provider's page could not be read (contract §6.3).
pub(crate) fn insufficient_balance() -> Refusal {
    Refusal::new(
        400,
        "account_error",
        "insufficient_balance",
        "issuing balance does not cover the initial load",
    )
}

/// Code ours.
pub(crate) fn product_disabled() -> Refusal {
    Refusal::new(
        400,
        "card_error",
        "card_product_disabled",
        "card product is disabled",
    )
}

/// Code ours.
pub(crate) fn quota_used_up() -> Refusal {
    Refusal::new(
        400,
        "account_error",
        "card_quota_exceeded",
        "no card is left in the quota of this product",
    )
}

/// Code ours.
pub(crate) fn region_refused() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "region_not_supported",
        "residence or nationality is not supported",
    )
}

/// Code ours: what a reused `kyc_proof.reference_id` is answered with.
pub(crate) fn reference_duplicated() -> Refusal {
    Refusal::new(
        400,
        "cardholder_error",
        "reference_id_duplicated",
        "kyc proof reference_id was used before",
    )
}

pub(crate) fn art_not_configured() -> Refusal {
    Refusal::new(
        400,
        "card_error",
        "card_art_not_configured",
        "card art is not configured",
    )
}

pub(crate) fn internal() -> Refusal {
    Refusal::new(500, "api_error", "api_error", "internal server error")
}
