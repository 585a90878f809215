//! One call from door to answer: token, limits, key, fault, idempotency store, the operation, the ledger, the file.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use uuid::Uuid;

use super::incoming::Incoming;
use super::operation::Operation;
use super::outcome::Outcome;
use super::outgoing::Outgoing;
use super::{replay, token};
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::{Endpoint, Fault, Moment, Subject, merge};
use crate::ledger::{Answer, RequestEntry};
use crate::state::{Account, Caller, State};
use crate::variants;
use crate::world::World;

/// A call that passed the door.
pub(crate) struct Admitted {
    client: String,
    caller: Caller,
    arrived: Millis,
    /// The fault of its answer.
    fault: Option<Fault>,
    /// The rule it came from.
    rule: Option<String>,
}

pub(crate) enum Step {
    Done(Outcome),
    /// The effect waits this many milliseconds; repeats meanwhile hear "processing".
    Wait(u64, Admitted),
}

pub(crate) async fn serve(
    world: Arc<World>,
    endpoint: Endpoint,
    id: Option<String>,
    request: Request,
) -> Outgoing {
    let strict = world.config.strict;
    let Some(incoming) = Incoming::read(endpoint, id, request, strict).await else {
        return Outgoing::refused(&errors::internal()).leaving(Answer::Cut);
    };
    let (step, mut ticket) = world.change(|state, now| begin(state, &incoming, None, now));
    let outcome = match step {
        Step::Done(outcome) => outcome,
        Step::Wait(ms, admitted) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            let (outcome, later) =
                world.change(|state, now| perform_late(state, &incoming, admitted, now));
            ticket = later;
            outcome
        }
    };
    // Reads wait too: what a caller has seen must not be taken back by a crash.
    if world.settled(ticket).await.is_err() {
        return outcome.outgoing.leaving(Answer::Cut);
    }
    world.until_tried(&outcome.early).await;
    if outcome.late_ms > 0 {
        tokio::time::sleep(Duration::from_millis(outcome.late_ms)).await;
    }
    outcome.outgoing
}

/// What happens at once. `fault` stands before the script's.
pub(crate) fn begin(
    state: &mut State,
    incoming: &Incoming,
    fault: Option<Fault>,
    now: Millis,
) -> Step {
    let (client, caller) = match admit(state, incoming, now) {
        Ok(admitted) => admitted,
        Err(mut refusal) => {
            vary(
                state,
                incoming.token.as_deref().unwrap_or_default(),
                &mut refusal,
            );
            return Step::Done(note(
                state,
                incoming,
                None,
                None,
                Outcome::refused(&refusal),
                now,
            ));
        }
    };
    let (rule, fault) = match fault {
        Some(fault) => (Some("caller".to_owned()), Some(fault)),
        None if state.faults.is_empty() => (None, None),
        None => {
            let subject = subject(state, incoming);
            state.take_fault(&subject, Fault::is_of_answer).unzip()
        }
    };
    let admitted = Admitted {
        client,
        caller,
        arrived: now,
        fault,
        rule,
    };
    let outcome = match &admitted.fault {
        Some(Fault::LostBeforeEffect) => Outcome::refused(&errors::internal()).leaving(Answer::Cut),
        Some(Fault::ErrorBeforeEffect(error)) => {
            let refusal = errors::scripted(error);
            replay::keep_refusal(state, incoming, &admitted.caller, &refusal, now);
            Outcome::refused(&refusal)
        }
        Some(Fault::Processing) => Outcome::refused(&errors::processing()),
        Some(Fault::Slow {
            ms,
            when: Moment::Before,
        }) => {
            let ms = *ms;
            match replay::stored(state, incoming, &admitted.caller, now) {
                Some(outcome) => outcome,
                None => {
                    state.idempotency.start(&admitted.caller.idempotency_key);
                    return Step::Wait(ms, admitted);
                }
            }
        }
        _ => return Step::Done(perform(state, incoming, admitted, now)),
    };
    Step::Done(note(
        state,
        incoming,
        Some(admitted.client),
        admitted.rule,
        outcome,
        now,
    ))
}

/// What the script's rules are held against.
fn subject(state: &State, incoming: &Incoming) -> Subject {
    let subject = incoming
        .operation
        .as_ref()
        .map(|operation| operation.subject(state))
        .unwrap_or_default();
    Subject {
        endpoint: Some(incoming.endpoint),
        ..subject
    }
}

/// The door: credentials, limits, key, account.
fn admit(state: &mut State, incoming: &Incoming, now: Millis) -> Result<(String, Caller), Refusal> {
    let idempotency_key = incoming.idempotency_key.clone().unwrap_or_default();
    if incoming.endpoint == Endpoint::Token {
        state.count_call(&incoming.client_id, true, now)?;
        return Ok((
            incoming.client_id.clone(),
            Caller {
                account: None,
                idempotency_key: String::new(),
            },
        ));
    }
    let client = state.authenticate(incoming.token.as_deref(), now)?;
    state.count_call(&client, false, now)?;
    let account = account(state, incoming.on_behalf_of.as_deref())?;
    if incoming.is_post() && state.config.strict {
        check_key(&idempotency_key)?;
    }
    Ok((
        client,
        Caller {
            account,
            idempotency_key,
        },
    ))
}

fn account(state: &State, header: Option<&str>) -> Result<Account, Refusal> {
    match header {
        None => Ok(None),
        Some("") if !state.config.strict => Ok(None),
        Some(id) => match Uuid::parse_str(id) {
            Ok(id) if state.config.sub_accounts.contains(&id) => Ok(Some(id)),
            _ => Err(errors::unknown_sub_account()),
        },
    }
}

fn check_key(key: &str) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(errors::bad_key("x-idempotency-key is required"));
    }
    let lower_case_uuid =
        Uuid::parse_str(key).is_ok_and(|uuid| uuid.hyphenated().to_string() == key);
    if lower_case_uuid {
        Ok(())
    } else {
        Err(errors::bad_key(
            "x-idempotency-key must be a lower-case UUID",
        ))
    }
}

/// The effect that waited.
pub(crate) fn perform_late(
    state: &mut State,
    incoming: &Incoming,
    admitted: Admitted,
    now: Millis,
) -> Outcome {
    state.idempotency.stop(&admitted.caller.idempotency_key);
    perform(state, incoming, admitted, now)
}

/// The store's answer or the operation's, and what the script does to it on its way out.
fn perform(state: &mut State, incoming: &Incoming, admitted: Admitted, now: Millis) -> Outcome {
    let Admitted {
        client,
        caller,
        arrived,
        fault,
        rule,
    } = admitted;
    let mut outcome = match replay::stored(state, incoming, &caller, now) {
        Some(outcome) => outcome,
        None => operate(state, incoming, &caller, fault.as_ref(), now),
    };
    match fault {
        Some(Fault::LostAfterEffect) => outcome = outcome.leaving(Answer::Cut),
        Some(Fault::TruncatedAnswer) => outcome = outcome.leaving(Answer::Truncated),
        Some(Fault::ErrorAfterEffect(error)) => {
            let refusal = errors::scripted(&error);
            outcome.outgoing = Outgoing::refused(&refusal);
            outcome.code = Some(refusal.code);
        }
        Some(Fault::Slow {
            ms,
            when: Moment::After,
        }) => outcome.late_ms = ms,
        _ => {}
    }
    note(state, incoming, Some(client), rule, outcome, arrived)
}

/// Runs the operation once, and keeps its answer under the key.
fn operate(
    state: &mut State,
    incoming: &Incoming,
    caller: &Caller,
    fault: Option<&Fault>,
    now: Millis,
) -> Outcome {
    let before = state.version();
    let done = match &incoming.operation {
        Ok(Operation::Token) => token::mint(state, incoming, now),
        Ok(operation) => operation.perform(state, caller, now),
        Err(refusal) => Err(refusal.clone()),
    };
    let effect = state.version() != before;
    match done {
        Ok(mut reply) => {
            let about = reply.card_id.or(reply.cardholder_id);
            let choice = about.and_then(|id| state.choice(id));
            if incoming.is_post() && choice.is_some_and(|choice| choice.one_in(&incoming.path, 2)) {
                reply.status = 201;
            }
            if let Some(Fault::AnswerPatch { merge: patch }) = fault {
                reply.body = patched(&reply.body, patch);
            }
            replay::keep_reply(state, incoming, caller, &reply, now);
            Outcome::done(reply, effect)
        }
        Err(mut refusal) => {
            vary(state, &caller.idempotency_key, &mut refusal);
            replay::keep_refusal(state, incoming, caller, &refusal, now);
            Outcome {
                effect,
                ..Outcome::refused(&refusal)
            }
        }
    }
}

fn vary(state: &State, about: &str, refusal: &mut Refusal) {
    if let Some(choice) = state.choice(Uuid::nil()) {
        variants::refusal(choice.within(about), refusal);
    }
}

fn patched(body: &str, patch: &serde_json::Value) -> String {
    let mut value = serde_json::from_str(body).unwrap_or_default();
    merge(&mut value, patch);
    value.to_string()
}

/// Writes the call into the ledger.
fn note(
    state: &mut State,
    incoming: &Incoming,
    client: Option<String>,
    rule: Option<String>,
    outcome: Outcome,
    arrived: Millis,
) -> Outcome {
    state.log_request(RequestEntry {
        number: 0,
        at: arrived,
        endpoint: incoming.endpoint,
        method: incoming.method.to_string(),
        path: incoming.path_and_query.clone(),
        idempotency_key: incoming.idempotency_key.clone(),
        body_sha256: incoming.body_sha256.clone(),
        client,
        status: outcome.outgoing.status,
        code: outcome.code.clone(),
        answer: outcome.outgoing.answer,
        effect: outcome.effect,
        replayed: outcome.replayed,
        fault: rule,
        card_id: outcome.card_id,
        cardholder_id: outcome.cardholder_id,
    });
    outcome
}
