//! An operator acts on an order: who, why, on what they saw. Each act is an event, or nothing at all.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use issuance::domain::{OperatorAct, OperatorAction, OrderId, Version};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::{App, BODY, Principal};
use crate::body;
use crate::credentials::Role;
use crate::listing;
use crate::order_path::{etag, if_match};
use crate::problem::{Code, FieldError, Problem};
use crate::views::ActionView;

/// Longest reason; it stands in the log for ever.
const MAX_REASON: usize = 1000;

/// Why, and on what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActBody {
    reason: String,
    #[serde(default)]
    expected_version: Option<Version>,
}

pub(super) async fn act(
    State(App { engine, room }): State<App>,
    Path((id, action)): Path<(String, String)>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !principal.role.acts() {
        return Err(Code::Forbidden.into());
    }
    let id: OrderId = id.parse().map_err(|_| Problem::from(Code::OrderNotFound))?;
    let action = action_of(&action).ok_or(Code::NotFound)?;
    if !principal.role.allows(role_for(action)) {
        return Err(Code::Forbidden.into());
    }
    body::declared_json(&headers)?;
    let ActBody {
        reason,
        expected_version,
    } = body::parse(&body::read(body, BODY, &room).await?)?;
    let reason = reason_of(&reason)?;
    let expected = match (if_match(&headers)?, expected_version) {
        (Some(tag), Some(version)) if tag != version => {
            let error =
                FieldError::invalid("expected_version", "the version of the `If-Match` header");
            return Err(Problem::with_errors(Code::InvalidJson, vec![error]));
        }
        (tag, version) => tag.or(version),
    };
    let act = OperatorAct {
        actor: principal.name.into(),
        reason,
        action,
    };
    let decision = engine.operate(id, act, expected).await?;
    let view = ActionView {
        order: listing::view(&engine, &decision.order).await?,
        events: decision
            .events
            .iter()
            .map(|event| event.body.name())
            .collect(),
        position: decision.position,
    };
    Ok(([(ETAG, etag(decision.order.version))], Json(view)).into_response())
}

/// Who may: whoever approves is not whoever acts.
fn role_for(action: OperatorAction) -> Role {
    match action {
        OperatorAction::ApproveResubmit => Role::Approver,
        OperatorAction::RetryNow
        | OperatorAction::Resubmit
        | OperatorAction::LookUpNow
        | OperatorAction::RefreshIdvLink
        | OperatorAction::Fail
        | OperatorAction::Cancel
        | OperatorAction::Pause
        | OperatorAction::Resume
        | OperatorAction::Note
        | OperatorAction::ResolveDiscrepancy
        | OperatorAction::ErasePersonalData => Role::Operator,
    }
}

/// The action of a path: the name it has in the log.
fn action_of(name: &str) -> Option<OperatorAction> {
    let word: StrDeserializer<'_, Error> = name.into_deserializer();
    OperatorAction::deserialize(word)
        .ok()
        .filter(|action| action.name() == name)
}

/// Somebody's words, without what could forge a line of a log or move a terminal's cursor.
pub(super) fn reason_of(text: &str) -> Result<Box<str>, Problem> {
    let text = text.trim();
    let fits = !text.is_empty()
        && text.chars().count() <= MAX_REASON
        && !text.chars().any(char::is_control);
    if fits {
        return Ok(text.into());
    }
    let error = FieldError::invalid("reason", "1 to 1000 characters without control characters");
    Err(Problem::with_errors(Code::InvalidJson, vec![error]))
}
