//! One call from door to answer: token, limits, key, fault, idempotency store, the operation, the ledger, the file.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use uuid::Uuid;

use super::incoming::Incoming;
use super::operation::Operation;
use super::outgoing::{Outgoing, Reply};
use super::token;
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::{Endpoint, Fault, Moment, merge};
use crate::ledger::{Answer, RequestEntry};
use crate::state::{Account, Caller, Identity, Lookup, State, StoredAnswer};
use crate::world::World;

/// A call that passed the door.
struct Admitted {
    client: String,
    caller: Caller,
    /// Rule id and fault of the answer.
    fault: Option<(String, Fault)>,
}

enum Step {
    Done(Finished),
    /// The effect waits this many milliseconds; repeats meanwhile hear "processing".
    Wait(u64, Admitted),
}

#[derive(Debug)]
struct Finished {
    outgoing: Outgoing,
    /// Deliveries to be tried before the answer leaves.
    early: Vec<u64>,
    late_ms: u64,
}

/// What the operation came to, and what the ledger says about it.
#[derive(Default)]
struct Verdict {
    status: u16,
    code: Option<String>,
    card_id: Option<Uuid>,
    cardholder_id: Option<Uuid>,
    effect: bool,
    replayed: bool,
}

pub(crate) async fn serve(
    world: Arc<World>,
    endpoint: Endpoint,
    id: Option<String>,
    request: Request,
) -> Outgoing {
    let incoming = Incoming::read(endpoint, id, request, world.config.strict).await;
    let (step, mut ticket) = world.change(|state, now| begin(state, &incoming, now));
    let finished = match step {
        Step::Done(finished) => finished,
        Step::Wait(ms, admitted) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            let (finished, later) = world.change(|state, now| {
                state.idempotency.stop(&admitted.caller.idempotency_key);
                perform(state, &incoming, admitted, now)
            });
            ticket = later;
            finished
        }
    };
    // Reads wait too: what a caller has seen must not be taken back by a crash.
    if world.settled(ticket).await.is_err() {
        return finished.outgoing.leaving(Answer::Cut);
    }
    world.until_tried(&finished.early).await;
    if finished.late_ms > 0 {
        tokio::time::sleep(Duration::from_millis(finished.late_ms)).await;
    }
    finished.outgoing
}

fn begin(state: &mut State, incoming: &Incoming, now: Millis) -> Step {
    let (client, caller) = match admit(state, incoming, now) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            return Step::Done(refuse(
                state,
                incoming,
                None,
                &refusal,
                Answer::Sent,
                None,
                now,
            ));
        }
    };
    let mut subject = incoming
        .operation
        .as_ref()
        .map(|operation| operation.subject(state))
        .unwrap_or_default();
    subject.endpoint = Some(incoming.endpoint);
    let fault = state.take_fault(&subject, Fault::is_of_answer);
    let admitted = Admitted {
        client,
        caller,
        fault,
    };
    let rule = admitted.fault.as_ref().map(|(rule, _)| rule.clone());
    let (refusal, answer) = match admitted.fault.as_ref().map(|(_, fault)| fault) {
        Some(Fault::LostBeforeEffect) => (errors::internal(), Answer::Cut),
        Some(Fault::ErrorBeforeEffect(error)) => (errors::scripted(error), Answer::Sent),
        Some(Fault::Processing) => (errors::processing(), Answer::Sent),
        Some(Fault::Slow {
            ms,
            when: Moment::Before,
        }) => {
            let ms = *ms;
            let key = &admitted.caller.idempotency_key;
            if is_keyed(incoming, key)
                && !matches!(
                    state
                        .idempotency
                        .look_up(key, &identity(incoming, &admitted.caller), now),
                    Lookup::Unknown
                )
            {
                return Step::Done(perform(state, incoming, admitted, now));
            }
            state.idempotency.start(key);
            return Step::Wait(ms, admitted);
        }
        _ => return Step::Done(perform(state, incoming, admitted, now)),
    };
    if answer == Answer::Sent {
        keep(state, incoming, &admitted.caller, &refusal, now);
    }
    Step::Done(refuse(
        state,
        incoming,
        Some(admitted.client),
        &refusal,
        answer,
        rule,
        now,
    ))
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

/// The operation behind the idempotency store, and what the script does to its answer.
fn perform(state: &mut State, incoming: &Incoming, admitted: Admitted, now: Millis) -> Finished {
    let Admitted {
        client,
        caller,
        fault,
    } = admitted;
    let (rule, fault) = fault.map_or((None, None), |(rule, fault)| (Some(rule), Some(fault)));
    let keyed = is_keyed(incoming, &caller.idempotency_key);
    let mut early = Vec::new();
    let (outgoing, result) = match stored(state, incoming, &caller, keyed, now) {
        Some(Ok(answer)) => answer,
        Some(Err(refusal)) => (Outgoing::refused(&refusal), Verdict::refused(&refusal)),
        None => {
            let before = state.version();
            let outcome = match &incoming.operation {
                Ok(Operation::Token) => token::mint(state, incoming, now),
                Ok(operation) => operation.perform(state, &caller, now),
                Err(refusal) => Err(refusal.clone()),
            };
            let effect = state.version() != before;
            match outcome {
                Ok(mut reply) => {
                    if let Some(Fault::AnswerPatch { merge: patch }) = &fault {
                        reply.body = patched(&reply.body, patch);
                    }
                    early = std::mem::take(&mut reply.early);
                    if keyed {
                        state.keep_answer(answer(incoming, &caller, &reply, now));
                    }
                    let result = Verdict {
                        status: 200,
                        card_id: reply.card_id,
                        cardholder_id: reply.cardholder_id,
                        effect,
                        ..Verdict::default()
                    };
                    (Outgoing::json(200, reply.body), result)
                }
                Err(refusal) => {
                    keep(state, incoming, &caller, &refusal, now);
                    (
                        Outgoing::refused(&refusal),
                        Verdict {
                            effect,
                            ..Verdict::refused(&refusal)
                        },
                    )
                }
            }
        }
    };
    let mut late_ms = 0;
    let outgoing = match &fault {
        Some(Fault::LostAfterEffect) => outgoing.leaving(Answer::Cut),
        Some(Fault::TruncatedAnswer) => outgoing.leaving(Answer::Truncated),
        Some(Fault::ErrorAfterEffect(error)) => Outgoing::refused(&errors::scripted(error)),
        Some(Fault::Slow {
            ms,
            when: Moment::After,
        }) => {
            late_ms = *ms;
            outgoing
        }
        _ => outgoing,
    };
    let result = Verdict {
        status: outgoing.status,
        ..result
    };
    log(
        state,
        incoming,
        Some(client),
        result,
        outgoing.answer,
        rule,
        now,
    );
    Finished {
        outgoing,
        early,
        late_ms,
    }
}

/// What the store says, if it has a say.
fn stored(
    state: &mut State,
    incoming: &Incoming,
    caller: &Caller,
    keyed: bool,
    now: Millis,
) -> Option<Result<(Outgoing, Verdict), Refusal>> {
    if !keyed {
        return None;
    }
    match state
        .idempotency
        .look_up(&caller.idempotency_key, &identity(incoming, caller), now)
    {
        Lookup::Unknown => None,
        Lookup::Running => Some(Err(errors::processing())),
        Lookup::Mismatch => Some(Err(errors::idempotency_mismatch())),
        Lookup::Answered(answer) => {
            let result = Verdict {
                status: answer.status,
                code: answer.code.clone(),
                card_id: answer.card_id,
                cardholder_id: answer.cardholder_id,
                effect: false,
                replayed: true,
            };
            Some(Ok((
                Outgoing::json(answer.status, answer.body.clone()),
                result,
            )))
        }
    }
}

/// Stores a failure that the provider would store (contract §6.4).
fn keep(state: &mut State, incoming: &Incoming, caller: &Caller, refusal: &Refusal, now: Millis) {
    let key = &caller.idempotency_key;
    if !is_keyed(incoming, key) || !refusal.is_cached() || state.idempotency.get(key).is_some() {
        return;
    }
    let outgoing = Outgoing::refused(refusal);
    state.keep_answer(StoredAnswer {
        key: key.clone(),
        identity: identity(incoming, caller),
        first_at: now,
        status: outgoing.status,
        body: outgoing.body,
        code: Some(refusal.code.clone()),
        card_id: None,
        cardholder_id: None,
    });
}

fn answer(incoming: &Incoming, caller: &Caller, reply: &Reply, now: Millis) -> StoredAnswer {
    StoredAnswer {
        key: caller.idempotency_key.clone(),
        identity: identity(incoming, caller),
        first_at: now,
        status: 200,
        body: reply.body.clone(),
        code: None,
        card_id: reply.card_id,
        cardholder_id: reply.cardholder_id,
    }
}

fn is_keyed(incoming: &Incoming, key: &str) -> bool {
    incoming.is_post() && incoming.endpoint != Endpoint::Token && !key.is_empty()
}

fn identity(incoming: &Incoming, caller: &Caller) -> Identity {
    Identity {
        path: incoming.path.clone(),
        account: caller.account,
        body_sha256: incoming.body_sha256.clone(),
    }
}

fn patched(body: &str, patch: &serde_json::Value) -> String {
    let mut value = serde_json::from_str(body).unwrap_or_default();
    merge(&mut value, patch);
    value.to_string()
}

fn refuse(
    state: &mut State,
    incoming: &Incoming,
    client: Option<String>,
    refusal: &Refusal,
    answer: Answer,
    rule: Option<String>,
    now: Millis,
) -> Finished {
    log(
        state,
        incoming,
        client,
        Verdict::refused(refusal),
        answer,
        rule,
        now,
    );
    Finished {
        outgoing: Outgoing::refused(refusal).leaving(answer),
        early: Vec::new(),
        late_ms: 0,
    }
}

fn log(
    state: &mut State,
    incoming: &Incoming,
    client: Option<String>,
    result: Verdict,
    answer: Answer,
    fault: Option<String>,
    now: Millis,
) {
    state.log_request(RequestEntry {
        number: 0,
        at: now,
        endpoint: incoming.endpoint,
        method: incoming.method.to_string(),
        path: incoming.path_and_query.clone(),
        idempotency_key: incoming.idempotency_key.clone(),
        body_sha256: incoming.body_sha256.clone(),
        client,
        status: result.status,
        code: result.code,
        answer,
        effect: result.effect,
        replayed: result.replayed,
        fault,
        card_id: result.card_id,
        cardholder_id: result.cardholder_id,
    });
}

impl Verdict {
    fn refused(refusal: &Refusal) -> Self {
        Self {
            status: refusal.status,
            code: Some(refusal.code.clone()),
            ..Self::default()
        }
    }
}
