//! From what arrived to an [`Answer`]: status first, then the body (contract §6.1, §6.3, §8).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use zeroize::Zeroizing;

use super::{Answer, RawBody, Received, Refusal, RetryAfter, Unknown, UnknownCause};
use crate::Endpoint;

/// What arrived: a status always, a body perhaps.
pub(crate) struct Heard {
    pub(crate) endpoint: Endpoint,
    pub(crate) status: u16,
    pub(crate) date: Option<Timestamp>,
    pub(crate) retry_after: Option<RetryAfter>,
    /// The body, or why there is none.
    pub(crate) body: Result<Zeroizing<Vec<u8>>, UnknownCause>,
}

/// `check` says what a readable success still lacks, or that it is about another resource.
pub(crate) fn judge<T: DeserializeOwned>(
    heard: Heard,
    check: impl FnOnce(&T) -> Result<(), UnknownCause>,
) -> Answer<T> {
    match heard.status {
        200..=299 => success(heard, check),
        300..=399 => unknown(heard, UnknownCause::Redirect),
        408 => unknown(heard, UnknownCause::RequestTimeout),
        409 => unknown(heard, UnknownCause::Conflict),
        400..=499 => refused(heard),
        500..=599 => unknown(heard, UnknownCause::ServerError),
        _ => unknown(heard, UnknownCause::UnexpectedStatus),
    }
}

fn success<T: DeserializeOwned>(
    heard: Heard,
    check: impl FnOnce(&T) -> Result<(), UnknownCause>,
) -> Answer<T> {
    let Heard {
        endpoint,
        status,
        date,
        retry_after,
        body,
    } = heard;
    let gave_up = |cause| {
        Answer::Unknown(Unknown {
            endpoint,
            cause,
            status: Some(status),
            code: None,
            retry_after,
        })
    };
    let body = match body {
        Ok(body) => body,
        Err(cause) => return gave_up(cause),
    };
    let cause = match serde_json::from_slice::<T>(&body) {
        Ok(value) => match check(&value) {
            Ok(()) => {
                return Answer::Ok(Received {
                    status,
                    date,
                    value,
                    raw: RawBody::new(body),
                });
            }
            Err(UnknownCause::WrongResource) => return gave_up(UnknownCause::WrongResource),
            Err(cause) => cause,
        },
        Err(_) if is_json_object(&body) => UnknownCause::Incomplete,
        Err(_) => UnknownCause::Unreadable,
    };
    // A 2xx without what it must bring, but with an error code, is that error (contract §6.1).
    let refusal = Refusal::read(endpoint, status, retry_after, &body);
    if refusal.word().is_some_and(names_error) {
        Answer::Refused(Box::new(refusal))
    } else {
        gave_up(cause)
    }
}

fn is_json_object(body: &[u8]) -> bool {
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body).is_ok()
}

/// A success in an envelope we do not know says `"code":"200"` or `"SUCCESS"`: that is no error.
fn names_error(code: &str) -> bool {
    let praise = ["ok", "success"];
    code.contains(|letter: char| letter.is_alphabetic())
        && !praise.iter().any(|word| code.eq_ignore_ascii_case(word))
}

fn refused<T>(heard: Heard) -> Answer<T> {
    let Heard {
        endpoint,
        status,
        date: _,
        retry_after,
        body,
    } = heard;
    let bytes = body.as_ref().map_or(&[][..], |body| body.as_slice());
    let refusal = Refusal::read(endpoint, status, retry_after, bytes);
    // Where the status alone has a row in contract §6.3 the body only adds to it. Any other 4xx without a readable
    // body may as well be "request is processing": not known.
    let status_suffices =
        matches!(status, 401 | 403 | 404 | 413 | 429) || endpoint == Endpoint::MintToken;
    if refusal.envelope.is_some() || status_suffices {
        Answer::Refused(Box::new(refusal))
    } else {
        let cause = body.err().unwrap_or(UnknownCause::UnreadableRefusal);
        Answer::Unknown(Unknown {
            endpoint,
            cause,
            status: Some(status),
            code: None,
            retry_after,
        })
    }
}

fn unknown<T>(heard: Heard, cause: UnknownCause) -> Answer<T> {
    let Heard {
        endpoint,
        status,
        date: _,
        retry_after,
        body,
    } = heard;
    let bytes = body.as_ref().map_or(&[][..], |body| body.as_slice());
    let code = Refusal::read(endpoint, status, retry_after, bytes).code;
    Answer::Unknown(Unknown {
        endpoint,
        cause,
        status: Some(status),
        code,
        retry_after,
    })
}
