//! `POST /v1/connect/token` (contract §1.2).

use serde_json::json;

use super::incoming::Incoming;
use super::outgoing::Reply;
use crate::clock::Millis;
use crate::errors::Refusal;
use crate::state::State;

pub(crate) fn mint(state: &mut State, incoming: &Incoming, now: Millis) -> Result<Reply, Refusal> {
    let token = state.mint(&incoming.client_id, &incoming.api_key, now)?;
    Ok(Reply::of(
        &json!({"auth_token": token.token, "expired_at": token.expires_at / 1000}),
    ))
}
