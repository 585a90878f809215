//! What a refusal can mean (contract §6.3): for the next send's key, and in words for people.

use super::{RetryAfter, codes};

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

    /// The name that documents and logs use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeedsInput => "needs_input",
            Self::Duplicate(DuplicateField::Email) => "email_taken",
            Self::Duplicate(DuplicateField::Phone) => "phone_taken",
            Self::InvalidPhoneNumber => "invalid_phone_number",
            Self::InvalidRequest => "invalid_request",
            Self::TooLarge => "too_large",
            Self::EmptyPool => "empty_pool",
            Self::NoBalance => "no_balance",
            Self::NoQuota => "no_quota",
            Self::ProductDisabled => "product_disabled",
            Self::Configuration => "configuration",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::Processing => "processing",
            Self::TokenExpired => "token_expired",
            Self::MalformedToken => "malformed_token",
            Self::CredentialsRejected => "credentials_rejected",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::Forbidden => "forbidden",
            Self::NoSuchRoute => "no_such_route",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotFound => "not_found",
            Self::UnknownCode => "unknown_code",
            Self::Unclear => "unclear",
        }
    }

    /// What it means and who can change it, for people: part of a sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NeedsInput => "the product wants more of the cardholder's data than was sent",
            Self::Duplicate(DuplicateField::Email) => {
                "the e-mail address belongs to another cardholder of this account"
            }
            Self::Duplicate(DuplicateField::Phone) => {
                "the phone number belongs to another cardholder of this account"
            }
            Self::InvalidPhoneNumber => "the phone number is not valid for its country",
            Self::InvalidRequest => {
                "the provider calls the request wrong: a fault of ours, or data nobody could check"
            }
            Self::TooLarge => "the request is too large; send smaller images",
            Self::EmptyPool => {
                "the product's pool of cards is empty; the provider's account manager refills it"
            }
            Self::NoBalance => "the issuing balance does not cover the card; fund it",
            Self::NoQuota => {
                "the product's card quota is used up; the provider's account manager raises it"
            }
            Self::ProductDisabled => "the product is disabled at the provider",
            Self::Configuration => {
                "our set-up at the provider is wrong: card art, or a sub-account it does not know"
            }
            Self::IdempotencyConflict => {
                "the provider saw this key with another body: a fault of ours, or somebody else uses our keys"
            }
            Self::Processing => "the provider still works on the first call under this key",
            Self::TokenExpired => "the access token is over; a new one is minted",
            Self::MalformedToken => "the access token has the wrong form: a fault of ours",
            Self::CredentialsRejected => {
                "the provider does not take our credentials; check client id and API key"
            }
            Self::IpNotAllowed => "our address is not on the API key's allow-list",
            Self::Forbidden => {
                "our credentials may not do this; ask the provider for the permission"
            }
            Self::NoSuchRoute => "there is no such route at the provider; check the base URL",
            Self::RateLimited { .. } => "too many calls a minute",
            Self::NotFound => "the provider does not know what the call is about",
            Self::UnknownCode => "a code that nobody documented; ask the provider what it means",
            Self::Unclear => "an error in words nobody documented; it settles nothing",
        }
    }

    /// What a code alone says, where it says something: the provider's own word, or [`Self::name`] where it gave none.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        codes::by_code(code)
    }
}
