//! `/v1/issuing/cardholders` (contract §2.3, §2.4).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::outgoing::Reply;
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::requests::{ListQuery, Page};
use crate::state::{Caller, Cardholder, State};
use crate::variants::{self, Shaped, shaped};
use crate::views::{self, CardholderAnswer, CardholderView, List};

pub(crate) fn create(
    state: &mut State,
    caller: &Caller,
    person: &Map<String, Value>,
    now: Millis,
) -> Result<Reply, Refusal> {
    let holder = state.create_cardholder(caller, person, now)?;
    Ok(Reply::of(&short(state, &holder)).about(None, Some(holder.id)))
}

pub(crate) fn get(state: &State, caller: &Caller, id: Uuid) -> Result<Reply, Refusal> {
    let holder = state
        .cardholder(id)
        .filter(|holder| holder.account == caller.account)
        .ok_or_else(errors::cardholder_not_found)?;
    Ok(Reply::of(&view(state, holder)).about(None, Some(id)))
}

pub(crate) fn list(
    state: &State,
    caller: &Caller,
    query: &ListQuery,
    page: Page,
) -> Result<Reply, Refusal> {
    let listed = state.list_cardholders(caller.account, query, page);
    let rows = listed
        .rows
        .into_iter()
        .map(|holder| view(state, holder))
        .collect();
    Ok(Reply::of(&List::of(rows, listed.total, page.size)))
}

pub(crate) fn update(
    state: &mut State,
    caller: &Caller,
    id: Uuid,
    changes: &Map<String, Value>,
    now: Millis,
) -> Result<Reply, Refusal> {
    let holder = state.update_cardholder(caller, id, changes, now)?;
    Ok(Reply::of(&short(state, &holder)).about(None, Some(id)))
}

fn view<'a>(state: &State, holder: &'a Cardholder) -> Shaped<CardholderView<'a>> {
    shaped(
        state.choice(holder.id),
        views::cardholder(state, holder),
        variants::cardholder,
    )
}

fn short(state: &State, holder: &Cardholder) -> Shaped<CardholderAnswer> {
    shaped(
        state.choice(holder.id),
        views::cardholder_answer(state, holder),
        variants::cardholder_answer,
    )
}
