//! What a refusal means: the table of contract §6.3, in the reading order of §6.1.
//!
//! Status first, then type and code, then code alone; the message only for the few substrings §6.3 lists.

use super::{Refusal, RetryAfter};
use crate::Endpoint;

/// What a refusal means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Fields are missing; [`Refusal::missing_fields`] lists them. The host must supply them.
    NeedsInput,
    /// E-mail or phone is in use: by somebody else, or by our own leftover (contract §6.5).
    Duplicate(DuplicateField),
    /// The phone number is not valid for its country.
    InvalidPhoneNumber,
    /// The request is wrong: the host's data or our bug.
    InvalidRequest,
    /// 413: the body is too large, images most likely.
    TooLarge,
    /// The card pool of the BIN is empty: the provider's account manager refills it.
    EmptyPool,
    /// The issuing balance does not cover the card. Recognised by its code's words, which are not documented.
    NoBalance,
    /// The card quota of the product is used up. Recognised by its code's words, which are not documented.
    NoQuota,
    /// The product is disabled. Recognised by its code's words, which are not documented.
    ProductDisabled,
    /// Our configuration is wrong: card art, sub-account.
    Configuration,
    /// Same key with another body, or a replay refused: never again by itself, and never with another key.
    IdempotencyConflict,
    /// The first request under this key still runs: **not** a refusal; same key after a wait.
    Processing,
    /// The token is no longer alive: refresh by generation, then the same key.
    TokenExpired,
    /// The auth header has the wrong form: our bug.
    MalformedToken,
    /// Credentials or token refused, reason unknown: one refresh, then stop. On a token call: the credentials are wrong.
    CredentialsRejected,
    /// Our address is not on the key's allow-list: stop all calls.
    IpNotAllowed,
    /// 403: not permitted.
    Forbidden,
    /// 404: no such route, so the base URL is wrong.
    NoSuchRoute,
    /// 429.
    RateLimited {
        /// What the provider asked us to wait; without it, wait for the next calendar minute.
        retry_after: Option<RetryAfter>,
    },
    /// The resource does not exist, or not yet.
    NotFound,
    /// A code that is not in the contract; [`Refusal::code`] has it. Definite: no retry.
    UnknownCode,
    /// An error without a code, in words we do not know, or a failure on their side under a 4xx. It may be the
    /// idempotency layer saying "still running" in a new wording, so it settles nothing.
    Unclear,
}

/// Which unique field is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DuplicateField {
    /// `email`.
    Email,
    /// `phone_number`.
    Phone,
}

/// Which idempotency key the next send of the same intention may use (key column of contract §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// The refusal was not cached or settled nothing: the same key and identical body.
    Same,
    /// The refusal is definite and cached under its key: a corrected attempt needs a new one.
    New,
    /// Neither by itself: a person decides.
    Hold,
}

impl Class {
    /// Which key the next send may use. [`KeyUse::New`] is the only one that settles the attempt.
    #[must_use]
    pub fn key_use(self) -> KeyUse {
        match self {
            Self::NeedsInput
            | Self::Duplicate(_)
            | Self::InvalidPhoneNumber
            | Self::InvalidRequest
            | Self::TooLarge
            | Self::EmptyPool
            | Self::NoBalance
            | Self::NoQuota
            | Self::ProductDisabled
            | Self::Configuration
            | Self::NotFound
            | Self::UnknownCode => KeyUse::New,
            Self::Processing
            | Self::TokenExpired
            | Self::MalformedToken
            | Self::CredentialsRejected
            | Self::IpNotAllowed
            | Self::Forbidden
            | Self::NoSuchRoute
            | Self::RateLimited { .. }
            | Self::Unclear => KeyUse::Same,
            Self::IdempotencyConflict => KeyUse::Hold,
        }
    }
}

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

pub(super) fn of(refusal: &Refusal) -> Class {
    let message = refusal
        .message
        .as_ref()
        .map(|text| text.expose().to_ascii_lowercase())
        .unwrap_or_default();
    match refusal.status {
        429 => Class::RateLimited {
            retry_after: refusal.retry_after,
        },
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
    by_code(&code, refusal)
        .or_else(processing)
        .or_else(|| by_words_of_code(&code))
        .or_else(|| by_kind(&kind, refusal))
        .unwrap_or_else(nothing_known)
}

fn by_code(code: &str, refusal: &Refusal) -> Option<Class> {
    Some(match code {
        "cardholder_incomplete_fields" | "kyc_insufficient" => Class::NeedsInput,
        "email_duplicated" => Class::Duplicate(DuplicateField::Email),
        "phone_number_duplicated" => Class::Duplicate(DuplicateField::Phone),
        "invalid_phone_number" => Class::InvalidPhoneNumber,
        // Neither a cardholder nor its fields were sent: our bug (contract §6.3).
        "cardholder_missing_info" | "invalid_request_error" | "invalid_parameter" => {
            Class::InvalidRequest
        }
        "card_not_found" => Class::NotFound,
        "insufficient_sub_bin" => Class::EmptyPool,
        "card_art_not_configured" | "sub_account_not_found" => Class::Configuration,
        "idempotency_error" => Class::IdempotencyConflict,
        // Known by their status as a rule; here for a 400 or a 2xx that carries them.
        "too_many_requests" => Class::RateLimited {
            retry_after: refusal.retry_after,
        },
        "unauthorized_error" => Class::CredentialsRejected,
        "forbidden" => Class::Forbidden,
        _ => return None,
    })
}

fn by_kind(kind: &str, refusal: &Refusal) -> Option<Class> {
    Some(match kind {
        "idempotency_error" => Class::IdempotencyConflict,
        "invalid_request_error" => Class::InvalidRequest,
        "not_found" => Class::NotFound,
        "rate_limit_error" => Class::RateLimited {
            retry_after: refusal.retry_after,
        },
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
