//! What came of a call. Not a `Result`: silence must not become failure by `?` (design §5, contract §6).

mod class;
mod codes;
mod judge;
mod missing;
mod refusal;
mod retry_after;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Endpoint;

pub use class::{Class, DuplicateField, KeyUse};
pub(crate) use judge::{Heard, judge};
pub use missing::MissingFields;
pub use refusal::{Envelope, Refusal};
pub use retry_after::RetryAfter;

/// What came of a call.
#[derive(Debug, Clone)]
#[must_use = "an answer that is dropped is knowledge lost"]
pub enum Answer<T> {
    /// 2xx with everything this call must bring.
    Ok(Received<T>),
    /// The provider answered with an error; [`Refusal::class`] says which, and whether it settles anything.
    Refused(Box<Refusal>),
    /// Sent, outcome not known: the effect may have happened. Never failure.
    Unknown(Unknown),
    /// Nothing was sent.
    NotSent(NotSent),
}

impl<T> Answer<T> {
    /// The same answer about another value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Ok(received) => Answer::Ok(Received {
                status: received.status,
                date: received.date,
                raw: received.raw,
                value: convert(received.value),
            }),
            Self::Refused(refusal) => Answer::Refused(refusal),
            Self::Unknown(unknown) => Answer::Unknown(unknown),
            Self::NotSent(not_sent) => Answer::NotSent(not_sent),
        }
    }
}

/// A readable 2xx.
#[derive(Debug, Clone)]
pub struct Received<T> {
    /// HTTP status, 200 to 299.
    pub status: u16,
    /// When it was made, to the second (`Date`, RFC 9110 §6.6.1); none from a cache.
    pub date: Option<Timestamp>,
    /// What we understood.
    pub value: T,
    /// Everything that was said, unknown fields too.
    pub raw: RawBody,
}

/// The bytes of an answer, wiped on drop; `Debug` prints their number only.
#[derive(Clone, PartialEq, Eq)]
pub struct RawBody(Zeroizing<Vec<u8>>);

impl RawBody {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes as received. They may hold personal data and the IDV link.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawBody({} bytes)", self.0.len())
    }
}

/// Sent, outcome unknown: replay the same key and body inside the window, then reconcile (contract §6.4, §6.5).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{endpoint}: outcome unknown: {cause}{}", at_status(*.status))]
pub struct Unknown {
    /// The call.
    pub endpoint: Endpoint,
    /// Why we do not know.
    pub cause: UnknownCause,
    /// HTTP status, if one arrived.
    pub status: Option<u16>,
    /// `code` of the error body, if one could be read; for people, not for decisions.
    pub code: Option<String>,
    /// What the provider asked us to wait, if it did.
    pub retry_after: Option<RetryAfter>,
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum UnknownCause {
    /// No complete answer within the time allowed.
    #[error("no answer in time")]
    Timeout,
    /// The connection ended before an answer began.
    #[error("connection lost before an answer")]
    ConnectionLost,
    /// The answer began and broke off.
    #[error("answer cut short")]
    Truncated,
    /// The answer is larger than the client reads.
    #[error("answer too large")]
    TooLarge,
    /// 5xx, whatever its body says.
    #[error("server error")]
    ServerError,
    /// 408.
    #[error("server gave up waiting for the request")]
    RequestTimeout,
    /// 409, undocumented for issuing: treated like "still processing" (contract §6.3).
    #[error("conflict")]
    Conflict,
    /// 3xx; redirects are never followed.
    #[error("redirect, not followed")]
    Redirect,
    /// Any other status that is neither success nor error.
    #[error("unexpected status")]
    UnexpectedStatus,
    /// A 2xx that is not the JSON of this call.
    #[error("unreadable success")]
    Unreadable,
    /// A 2xx without the id or list this call must bring, and without a `code`.
    #[error("success without what it must bring")]
    Incomplete,
    /// A 2xx about another resource than the one asked for (reliability X5).
    #[error("answer about another resource")]
    WrongResource,
    /// A 4xx whose body is none of the three envelopes, and whose status alone says too little.
    #[error("error without a readable body")]
    UnreadableRefusal,
}

/// Nothing was sent: the same key and body may be sent again at any time inside the key's life.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{endpoint}: not sent: {cause}")]
pub struct NotSent {
    /// The call.
    pub endpoint: Endpoint,
    /// Why.
    pub cause: NotSentCause,
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum NotSentCause {
    /// The host refused the connection.
    #[error("connection refused")]
    Refused,
    /// No connection within the connect timeout.
    #[error("no connection in time")]
    ConnectTimeout,
    /// DNS, routing or TLS failed.
    #[error("no connection")]
    NoConnection,
    /// The request could not be built, for example from a token no header can carry; sending it again will not help.
    #[error("request cannot be built")]
    Unsendable,
}

/// A call whose failure harms nothing, so that a `Result` is safe: today, minting a token.
#[derive(Debug, Clone, Error)]
pub enum CallError {
    /// See [`Answer::Refused`].
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// See [`Answer::Unknown`].
    #[error(transparent)]
    Unknown(#[from] Box<Unknown>),
    /// See [`Answer::NotSent`].
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

fn at_status(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" (HTTP {status})"))
}
