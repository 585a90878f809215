//! From a refusal to its class: the table of contract §6.3, in the reading order of §6.1.
//!
//! Status first, then type and code, then code alone; the message only for the few substrings §6.3 lists.

use super::{Class, DuplicateField, Refusal};
use crate::Endpoint;

/// The codes of contract §6.3 that could be read, and what each means. A limit's wait is the answer's own.
const CODES: [(&str, Class); 16] = [
    // Neither a cardholder nor its fields were sent: our bug (contract §6.3).
    ("cardholder_missing_info", Class::InvalidRequest),
    ("cardholder_incomplete_fields", Class::NeedsInput),
    ("kyc_insufficient", Class::NeedsInput),
    ("email_duplicated", Class::Duplicate(DuplicateField::Email)),
    (
        "phone_number_duplicated",
        Class::Duplicate(DuplicateField::Phone),
    ),
    ("invalid_phone_number", Class::InvalidPhoneNumber),
    ("invalid_request_error", Class::InvalidRequest),
    ("invalid_parameter", Class::InvalidRequest),
    ("card_not_found", Class::NotFound),
    ("insufficient_sub_bin", Class::EmptyPool),
    ("card_art_not_configured", Class::Configuration),
    ("sub_account_not_found", Class::Configuration),
    ("idempotency_error", Class::IdempotencyConflict),
    // Known by their status as a rule; here for a 400 or a 2xx that carries them.
    (
        "too_many_requests",
        Class::RateLimited { retry_after: None },
    ),
    ("unauthorized_error", Class::CredentialsRejected),
    ("forbidden", Class::Forbidden),
];

/// Our own names for what the provider says without a code: an order's history has them where a code would stand.
const UNNAMED: [Class; 7] = [
    Class::TooLarge,
    Class::TokenExpired,
    Class::MalformedToken,
    Class::CredentialsRejected,
    Class::IpNotAllowed,
    Class::NoSuchRoute,
    Class::NotFound,
];

/// The texts of contract §6.3: the only ones a message is searched for.
const PROCESSING: &str = "request is processing";
const EXPIRED: [&str; 4] = [
    "token has expired",
    "login expired",
    "token expired",
    "jwt expired",
];
const MALFORMED_TOKEN: &str = "invalid auth token format";
const IP_NOT_ALLOWED: &str = "ip not allowed";

pub(super) fn class_of(refusal: &Refusal) -> Class {
    match class(refusal) {
        Class::RateLimited { .. } => Class::RateLimited {
            retry_after: refusal.retry_after,
        },
        class => class,
    }
}

fn class(refusal: &Refusal) -> Class {
    let message = refusal
        .message
        .as_ref()
        .map(|text| text.expose().to_ascii_lowercase())
        .unwrap_or_default();
    match refusal.status {
        429 => Class::RateLimited { retry_after: None },
        401 | 403 if message.contains(IP_NOT_ALLOWED) => Class::IpNotAllowed,
        400..=499 if refusal.endpoint == Endpoint::MintToken => Class::CredentialsRejected,
        401 if EXPIRED.iter().any(|text| message.contains(text)) => Class::TokenExpired,
        401 if message.contains(MALFORMED_TOKEN) => Class::MalformedToken,
        401 => Class::CredentialsRejected,
        403 => Class::Forbidden,
        404 if names_resource(refusal) => Class::NotFound,
        404 => Class::NoSuchRoute,
        413 => Class::TooLarge,
        _ => by_body(refusal, &message),
    }
}

/// A 404 with an error of the issuing API is about the resource; any other is about the route.
fn names_resource(refusal: &Refusal) -> bool {
    let ends = |text: Option<&str>| {
        text.is_some_and(|text| text.to_ascii_lowercase().ends_with("not_found"))
    };
    ends(refusal.word()) || ends(refusal.kind.as_deref())
}

fn by_body(refusal: &Refusal, message: &str) -> Class {
    let kind = refusal
        .kind
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let code = refusal.word().unwrap_or_default().to_ascii_lowercase();
    // After the known codes and before everything vaguer: "still processing" must never look like a refusal.
    let processing = || message.contains(PROCESSING).then_some(Class::Processing);
    let nothing_known = || {
        if code.is_empty() && kind.is_empty() {
            Class::Unclear
        } else {
            Class::UnknownCode
        }
    };
    known(&code)
        .or_else(processing)
        .or_else(|| by_words_of_code(&code))
        .or_else(|| by_kind(&kind))
        .unwrap_or_else(nothing_known)
}

/// What a code says by itself.
pub(super) fn by_code(code: &str) -> Option<Class> {
    let code = code.to_ascii_lowercase();
    let own = || UNNAMED.into_iter().find(|class| class.name() == code);
    known(&code)
        .or_else(|| by_words_of_code(&code))
        .or_else(own)
}

fn known(code: &str) -> Option<Class> {
    let row = CODES.iter().find(|(known, _)| *known == code);
    row.map(|(_, class)| *class)
}

fn by_kind(kind: &str) -> Option<Class> {
    Some(match kind {
        "idempotency_error" => Class::IdempotencyConflict,
        "invalid_request_error" => Class::InvalidRequest,
        "not_found" => Class::NotFound,
        "rate_limit_error" => Class::RateLimited { retry_after: None },
        "unauthorized_error" => Class::CredentialsRejected,
        // A failure on their side that came with another status than 500 or 409: no less unknown for that.
        "api_error" | "conflict_error" => Class::Unclear,
        _ => return None,
    })
}

/// Rows whose codes nobody could read (contract §6.3): their own words in the code, never in the message.
fn by_words_of_code(code: &str) -> Option<Class> {
    let has = |word: &str| code.contains(word);
    if has("insufficient") && has("balance") {
        Some(Class::NoBalance)
    } else if has("quota") {
        Some(Class::NoQuota)
    } else if has("product") && has("disabled") {
        Some(Class::ProductDisabled)
    } else {
        None
    }
}
