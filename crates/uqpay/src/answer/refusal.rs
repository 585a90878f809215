//! The provider's error answer, in any of its three envelopes (contract §6.1).

use serde_json::Value;
use thiserror::Error;

use super::{Class, MissingFields, RetryAfter, codes};
use crate::{Endpoint, Private};

/// Codes and types longer than this are cut: they are kept and shown.
const MAX_CODE: usize = 128;
/// Messages longer than this are cut.
const MAX_MESSAGE: usize = 1024;

/// The provider answered with an error.
///
/// `Display` names the call, the status and the code, never the message, which may quote personal data.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{endpoint}: refused: HTTP {status}{}", named(.code.as_deref().or(.kind.as_deref())))]
pub struct Refusal {
    /// The call.
    pub endpoint: Endpoint,
    /// HTTP status; it decides before anything in the body does. 2xx for a success that carried an error code.
    pub status: u16,
    /// Which envelope the body was; `None` when it was none of them.
    pub envelope: Option<Envelope>,
    /// `type` of envelope A.
    pub kind: Option<String>,
    /// `code`, a number written as text for envelope B.
    pub code: Option<String>,
    /// `message` or `error`: for people.
    pub message: Option<Private>,
    /// What the provider says is missing.
    pub missing_fields: Option<MissingFields>,
    /// What the provider asked us to wait.
    pub retry_after: Option<RetryAfter>,
}

/// Shape of an error body (contract §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Envelope {
    /// `{type, code, message}` with textual code; also without `type`, as on 429.
    A,
    /// `{code, message}` with numeric code: legacy handlers, chiefly the idempotency layer.
    B,
    /// `{error}`, or `{message}` alone: the auth layer.
    C,
}

impl Refusal {
    /// What this refusal means for the caller (contract §6.3).
    #[must_use]
    pub fn class(&self) -> Class {
        codes::class_of(self)
    }

    /// Reads an error body; a body that is none leaves every field of it `None`.
    pub(crate) fn read(
        endpoint: Endpoint,
        status: u16,
        retry_after: Option<RetryAfter>,
        body: &[u8],
    ) -> Self {
        let mut refusal = Self {
            endpoint,
            status,
            envelope: None,
            kind: None,
            code: None,
            message: None,
            missing_fields: None,
            retry_after,
        };
        let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else {
            return refusal;
        };
        let text = |name: &str, limit: usize| match members.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => {
                Some(text.trim().chars().take(limit).collect())
            }
            _ => None,
        };
        refusal.kind = text("type", MAX_CODE);
        refusal.code = text("code", MAX_CODE);
        let message: Option<String> = text("message", MAX_MESSAGE);
        let error: Option<String> = text("error", MAX_MESSAGE);
        refusal.envelope = if refusal.code.is_some() || refusal.kind.is_some() {
            Some(Envelope::A)
        } else if let Some(Value::Number(code)) = members.get("code") {
            refusal.code = Some(code.to_string().chars().take(MAX_CODE).collect());
            Some(Envelope::B)
        } else if message.is_some() || error.is_some() {
            Some(Envelope::C)
        } else {
            None
        };
        refusal.message = message.or(error).map(Private::new);
        refusal.missing_fields = members
            .remove("missing_fields")
            .and_then(MissingFields::read);
        refusal
    }

    /// `code` when it is a word: the number of envelope B is not a code to decide on.
    pub(super) fn word(&self) -> Option<&str> {
        match self.envelope {
            Some(Envelope::A) => self.code.as_deref(),
            Some(Envelope::B | Envelope::C) | None => None,
        }
    }
}

fn named(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| {
        format!(", code {}", code.escape_debug())
    })
}
