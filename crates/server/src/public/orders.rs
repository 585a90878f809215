//! Placing, reading and cancelling orders.

use axum::Json;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use issuance::domain::{CardRequest, Order, Reference, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::App;
use crate::body;
use crate::listing::{self, ListParams, Params};
use crate::order_path::{OrderPath, etag, existing};
use crate::problem::{Code, FieldError, Problem};
use crate::views::{EventView, OrderPageView};

/// Names the intended effect; here it is another place for the reference.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Most bytes of a body that says next to nothing.
const SMALL_BODY: usize = 64 * 1024;

pub(super) async fn place(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    body::declared_json(&headers)?;
    let key = idempotency_key(&headers)?;
    let bytes = body::read(body, app.limit(app.options.max_order_bytes), &app.host_room).await?;
    let request = request(&bytes, key)?;
    let placed = app.engine.place(request).await?;
    let status = if placed.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let location = [(
        LOCATION,
        format!("{}/{}", uri.path().trim_end_matches('/'), placed.order.id),
    )];
    Ok((status, location, shown(&app, &placed.order).await?).into_response())
}

pub(super) async fn list(
    State(app): State<App>,
    Params(params): Params<ListParams>,
) -> Result<Json<OrderPageView>, Problem> {
    Ok(Json(listing::page(&app.engine, &params).await?))
}

pub(super) async fn show(
    State(app): State<App>,
    OrderPath(id): OrderPath,
) -> Result<Response, Problem> {
    let order = existing(&app.engine, id).await?;
    shown(&app, &order).await
}

/// The events of one order.
#[derive(Debug, Serialize)]
struct HistoryView {
    events: Vec<EventView>,
}

pub(super) async fn history(
    State(app): State<App>,
    OrderPath(id): OrderPath,
) -> Result<Response, Problem> {
    let recorded = app.engine.history(id).await?;
    if recorded.is_empty() {
        return Err(Code::OrderNotFound.into());
    }
    Ok(Json(HistoryView {
        events: recorded.iter().map(EventView::from).collect(),
    })
    .into_response())
}

/// The one answer that holds a link; whoever has it can act as the person. Never cached, as nothing here is.
#[derive(Serialize)]
struct LinkView<'a> {
    url: &'a str,
    expires_at: Timestamp,
}

pub(super) async fn idv_link(
    State(app): State<App>,
    OrderPath(id): OrderPath,
) -> Result<Response, Problem> {
    let order = existing(&app.engine, id).await?;
    let link = app
        .engine
        .idv_link(order.id)
        .await?
        .ok_or(Code::IdvLinkNotAvailable)?;
    Ok(Json(LinkView {
        url: link.url.expose_secret(),
        expires_at: link.expires_at,
    })
    .into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn cancel(
    State(app): State<App>,
    OrderPath(id): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = body::read(body, app.limit(SMALL_BODY), &app.host_room).await?;
    if !bytes.is_empty() {
        body::declared_json(&headers)?;
        let Nothing {} = body::parse(&bytes)?;
    }
    let decision = app.engine.cancel(id).await?;
    shown(&app, &decision.order).await
}

async fn shown(app: &App, order: &Order) -> Result<Response, Problem> {
    let view = listing::view(&app.engine, order).await?;
    Ok(([(ETAG, etag(order.version))], Json(view)).into_response())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Reference>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().ok().and_then(|text| text.parse().ok());
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => {
            let error = FieldError::invalid(
                IDEMPOTENCY_KEY,
                "1 to 128 visible ASCII characters, given once",
            );
            Err(Problem::with_errors(Code::InvalidHeader, vec![error]))
        }
    }
}

/// The request in a body. A key in the header must be its reference, or stands in for it.
fn request(bytes: &[u8], key: Option<Reference>) -> Result<CardRequest, Problem> {
    let Some(key) = key else {
        return body::parse(bytes);
    };
    let mut value: Value = body::parse(bytes)?;
    if let Value::Object(members) = &mut value {
        members
            .entry("reference")
            .or_insert_with(|| key.as_str().into());
    }
    let request: CardRequest = body::parse_value(value)?;
    if request.reference == key {
        Ok(request)
    } else {
        Err(Code::ReferenceMismatch.into())
    }
}
