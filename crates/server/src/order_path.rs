//! Orders by the id in a path. What is no id names no order.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use issuance::Engine;
use issuance::domain::{Order, OrderId, Version};

use crate::problem::{Code, FieldError, Problem};

/// The `{id}` of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderPath(pub(crate) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(parameters) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::from(Code::OrderNotFound))?;
        let id = parameters
            .iter()
            .find(|(name, _)| name == "id")
            .and_then(|(_, text)| text.parse().ok());
        id.map(Self).ok_or_else(|| Code::OrderNotFound.into())
    }
}

/// The order, or the problem that there is none.
pub(crate) async fn existing(engine: &Engine, id: OrderId) -> Result<Arc<Order>, Problem> {
    engine
        .order(id)
        .await?
        .ok_or_else(|| Code::OrderNotFound.into())
}

/// An order's version as an entity tag.
pub(crate) fn etag(version: Version) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The version an `If-Match` names; none when there is none, or any will do.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Version>, Problem> {
    let Some(value) = headers.get(axum::http::header::IF_MATCH) else {
        return Ok(None);
    };
    if value == "*" {
        return Ok(None);
    }
    let version = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    version
        .map(|version| Some(Version(version)))
        .ok_or_else(|| {
            let error = FieldError::invalid("if-match", "the `ETag` of an order");
            Problem::with_errors(Code::InvalidHeader, vec![error])
        })
}
