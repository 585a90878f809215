//! `/v1/simulation/issuing`: the sandbox's own controls (contract §2.8).

use super::outgoing::Reply;
use crate::clock::Millis;
use crate::errors::Refusal;
use crate::requests::{Authorization, Reversal};
use crate::state::{Caller, State};
use crate::views;

pub(crate) fn authorize(
    state: &mut State,
    caller: &Caller,
    request: &Authorization,
    now: Millis,
) -> Result<Reply, Refusal> {
    let (card, transaction) = state.authorize(caller, request, now)?;
    Ok(Reply::of(&views::transaction(&card, &transaction, now)).about(Some(card.id), None))
}

pub(crate) fn reverse(
    state: &mut State,
    caller: &Caller,
    request: &Reversal,
    now: Millis,
) -> Result<Reply, Refusal> {
    let (card, transaction) = state.reverse(caller, request, now)?;
    Ok(Reply::of(&views::transaction(&card, &transaction, now)).about(Some(card.id), None))
}
