//! A call before the idempotency store: is it answered already, and what of its answer is kept (contract §6.4).

use super::incoming::Incoming;
use super::outcome::Outcome;
use super::outgoing::{Outgoing, Reply};
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::Endpoint;
use crate::state::{Caller, Identity, Lookup, State, StoredAnswer};

/// The store's own answer; `None` if the call is new to it or has no key.
pub(crate) fn stored(
    state: &mut State,
    incoming: &Incoming,
    caller: &Caller,
    now: Millis,
) -> Option<Outcome> {
    if !is_keyed(incoming, caller) {
        return None;
    }
    match state
        .idempotency
        .look_up(&caller.idempotency_key, &identity(incoming, caller), now)
    {
        Lookup::Unknown => None,
        Lookup::Running => Some(Outcome::refused(&errors::processing())),
        Lookup::Mismatch => Some(Outcome::refused(&errors::idempotency_mismatch())),
        Lookup::Answered(stored) => Some(Outcome::replayed(stored)),
    }
}

pub(crate) fn keep_reply(
    state: &mut State,
    incoming: &Incoming,
    caller: &Caller,
    reply: &Reply,
    now: Millis,
) {
    if is_keyed(incoming, caller) {
        state.keep_answer(StoredAnswer {
            card_id: reply.card_id,
            cardholder_id: reply.cardholder_id,
            ..answer(incoming, caller, reply.status, reply.body.clone(), now)
        });
    }
}

/// Keeps a failure the provider would keep, unless the key has an answer already.
pub(crate) fn keep_refusal(
    state: &mut State,
    incoming: &Incoming,
    caller: &Caller,
    refusal: &Refusal,
    now: Millis,
) {
    if !is_keyed(incoming, caller)
        || !refusal.is_cached()
        || state.idempotency.get(&caller.idempotency_key).is_some()
    {
        return;
    }
    let outgoing = Outgoing::refused(refusal);
    state.keep_answer(StoredAnswer {
        code: Some(refusal.code.clone()),
        ..answer(incoming, caller, outgoing.status, outgoing.body, now)
    });
}

fn answer(
    incoming: &Incoming,
    caller: &Caller,
    status: u16,
    body: String,
    now: Millis,
) -> StoredAnswer {
    StoredAnswer {
        key: caller.idempotency_key.clone(),
        identity: identity(incoming, caller),
        first_at: now,
        status,
        body,
        code: None,
        card_id: None,
        cardholder_id: None,
    }
}

fn is_keyed(incoming: &Incoming, caller: &Caller) -> bool {
    incoming.is_post() && incoming.endpoint != Endpoint::Token && !caller.idempotency_key.is_empty()
}

fn identity(incoming: &Incoming, caller: &Caller) -> Identity {
    Identity {
        path: incoming.path.clone(),
        account: caller.account,
        body_sha256: incoming.body_sha256.clone(),
    }
}
