//! Reading what a request brings: bodies within size and time, JSON with the path of what is wrong, and never its value.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use issuance::domain::InvalidMoney;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Code, FieldError, Problem};

/// How much, and how long it may take to arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit {
    pub(crate) bytes: usize,
    pub(crate) timeout: Duration,
}

/// What all bodies under way may hold together, so that many large ones at once are refused and not run out of memory.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// What room is given out in.
const UNIT: usize = 1024;

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS),
        )))
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let taken = self.0.clone().try_acquire_many_owned(units);
        taken.map_err(|_| Problem::from(Code::Overloaded).retry_after(1))
    }
}

/// A whole body, exactly as it came, and the room it takes.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Deref for Whole {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body to its end.
pub(crate) async fn read(body: Body, limit: BodyLimit, room: &Room) -> Result<Whole, Problem> {
    let size = body.size_hint();
    let most = u64::try_from(limit.bytes).unwrap_or(u64::MAX);
    if size.lower() > most {
        return Err(Code::BodyTooLarge.into());
    }
    let declared = size.exact().and_then(|size| usize::try_from(size).ok());
    let room = room.take(declared.unwrap_or(limit.bytes))?;
    let whole = Limited::new(body, limit.bytes).collect();
    match tokio::time::timeout(limit.timeout, whole).await {
        Ok(Ok(collected)) => Ok(Whole {
            bytes: collected.to_bytes(),
            _room: room,
        }),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Code::BodyTooLarge.into()),
        // The caller went away or broke the framing; nobody will read this.
        Ok(Err(_)) => Err(Problem::from(Code::InvalidJson).because("the body ended early")),
        Err(_) => Err(Code::BodyTimeout.into()),
    }
}

/// Refuses a body that is not declared as JSON. A page in a browser cannot declare that without being asked first.
pub(crate) fn declared_json(headers: &HeaderMap) -> Result<(), Problem> {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Code::UnsupportedMediaType.into())
    }
}

/// Parses JSON that must be one value and nothing after it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| misfit(error.path(), error.inner()))?;
    json.end().map_err(|error| misfit_at_root(&error))?;
    Ok(value)
}

/// As [`parse`], of a value that is JSON already.
pub(crate) fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| misfit(error.path(), error.inner()))
}

fn misfit_at_root(error: &serde_json::Error) -> Problem {
    let rule = format!(
        "one JSON value; reading stopped at line {}, column {}",
        error.line(),
        error.column()
    );
    Problem::with_errors(Code::InvalidJson, vec![FieldError::invalid("", rule)])
}

fn misfit(path: &Path, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return misfit_at_root(error);
    }
    let text = error.to_string();
    let path = dotted(path);
    let error = match quoted_after(&text, "missing field `") {
        Some(name) if path.is_empty() => FieldError::missing(name),
        Some(name) => FieldError::missing(format!("{path}.{name}")),
        None => FieldError::invalid(path, rule(&text)),
    };
    Problem::with_errors(Code::InvalidJson, vec![error])
}

/// `spending_controls.0.amount`, as the domain writes paths.
fn dotted(path: &Path) -> String {
    let parts = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The part of a reader's message that is ours. What stands before `expected` can be the caller's value.
fn rule(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(said, _)| said);
    if text.starts_with("unknown field `") {
        return "absent: this member is not known here".into();
    }
    if text.starts_with("duplicate field `") {
        return "given once".into();
    }
    if let Some((_, expected)) = text.rsplit_once(", expected ") {
        return expected.into();
    }
    if is_ours(text) {
        text.into()
    } else {
        "what this route documents".into()
    }
}

/// Messages of the domain's own types, which name rules and never values.
fn is_ours(text: &str) -> bool {
    use InvalidMoney::{Currency, Negative, NotANumber, TooFine};
    [NotANumber, Negative, TooFine, Currency]
        .iter()
        .any(|error| error.to_string() == text)
        || text.ends_with(" visible ASCII characters")
        || text.ends_with("is not a cardholder field; see the table of cardholder fields")
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.split('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use issuance::domain::CardRequest;

    const GOOD: &str = r#"{"reference":"r-1","product_id":"p","currency":"USD","cardholder":{"type":"new","fields":{"email":"a@example.test"}}}"#;

    fn refused(json: &str) -> String {
        let problem = parse::<CardRequest>(json.as_bytes())
            .map(|_| ())
            .unwrap_err();
        format!("{problem:?}")
    }

    #[test]
    fn names_the_path_and_never_the_value() {
        assert!(parse::<CardRequest>(GOOD.as_bytes()).is_ok());
        for (from, to, path) in [
            (r#""currency":"USD""#, r#""currency":"sEcReT""#, "currency"),
            (
                r#""currency":"USD""#,
                r#""currency":"USD","limit":"sEcReT""#,
                "limit",
            ),
            (
                r#""currency":"USD""#,
                r#""currency":"USD","limit":"-1""#,
                "limit",
            ),
            (
                r#""currency":"USD""#,
                r#""currency":{"sEcReT":1}"#,
                "currency",
            ),
            (
                r#""currency":"USD""#,
                r#""currency":"USD","spending_controls":[{"amount":"sEcReT"}]"#,
                "spending_controls.0.amount",
            ),
            (r#""currency":"USD","#, "", "currency"),
            (
                r#""email":"a@example.test""#,
                r#""emial":"sEcReT""#,
                "cardholder",
            ),
            (
                r#""type":"new""#,
                r#""type":"sEcReT, expected USD""#,
                "cardholder",
            ),
            (
                r#""reference":"r-1""#,
                r#""reference":"sEcReT sEcReT""#,
                "reference",
            ),
        ] {
            let said = refused(&GOOD.replace(from, to));
            assert!(said.contains(&format!("path: \"{path}")), "{to}: {said}");
            assert!(!said.contains("sEcReT"), "{to}: {said}");
        }
    }

    #[test]
    fn one_value_and_nothing_after_it() {
        assert!(refused(&format!("{GOOD} x")).contains("one JSON value"));
        assert!(refused("{").contains("one JSON value"));
        assert!(
            refused(&"[".repeat(100_000)).contains("InvalidJson"),
            "depth is bounded"
        );
    }
}
