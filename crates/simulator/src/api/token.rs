//! `POST /v1/connect/token` (contract §1.2).

use serde_json::json;
use uuid::Uuid;

use super::incoming::Incoming;
use super::outgoing::Reply;
use crate::clock::{Millis, rfc3339};
use crate::errors::Refusal;
use crate::state::State;

pub(crate) fn mint(state: &mut State, incoming: &Incoming, now: Millis) -> Result<Reply, Refusal> {
    let token = state.mint(&incoming.client_id, &incoming.api_key, now)?;
    // One integrator met a date instead of a number (contract §1.2).
    let as_date = state
        .choice(Uuid::nil())
        .is_some_and(|choice| choice.one_in(&token.token, 2));
    let expired_at = match as_date {
        true => rfc3339(token.expires_at).into(),
        false => json!(token.expires_at / 1000),
    };
    Ok(Reply::of(
        &json!({"auth_token": token.token, "expired_at": expired_at}),
    ))
}
