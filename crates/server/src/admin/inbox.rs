//! The inbox nobody could settle, and the end of what is quarantined.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use issuance::Engine;
use issuance::domain::MessageId;
use serde::{Deserialize, Serialize};

use super::actions::reason_of;
use super::{App, BODY, Principal};
use crate::body;
use crate::listing::{self, MAX_LIMIT, Params};
use crate::problem::{Code, Problem};
use crate::views::{InboxView, MessageView};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxParams {
    limit: Option<String>,
}

/// Webhooks that stand parked or quarantined, oldest first.
pub(super) async fn list(
    State(engine): State<Engine>,
    Params(params): Params<InboxParams>,
) -> Result<Json<InboxView>, Problem> {
    let limit = listing::limit(params.limit.as_deref(), MAX_LIMIT)?;
    let found = engine.unsettled_messages(limit + 1).await?;
    let messages = found
        .iter()
        .take(limit)
        .map(|found| MessageView::of(found, engine.now()))
        .collect();
    Ok(Json(InboxView {
        messages,
        more: found.len() > limit,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DismissBody {
    reason: String,
}

/// What was dismissed.
#[derive(Debug, Serialize)]
pub(super) struct Dismissed {
    event_id: MessageId,
}

/// Nobody needs a quarantined message any more.
pub(super) async fn dismiss(
    State(App { engine, room }): State<App>,
    Path(id): Path<String>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Dismissed>, Problem> {
    body::declared_json(&headers)?;
    let DismissBody { reason } = body::parse(&body::read(body, BODY, &room).await?)?;
    let reason = reason_of(&reason)?;
    let event_id: MessageId = id.parse().map_err(|_| Problem::from(Code::NotFound))?;
    if engine
        .dismiss_message(&event_id, &principal.name, &reason)
        .await?
    {
        Ok(Json(Dismissed { event_id }))
    } else {
        Err(Code::NotFound.into())
    }
}
