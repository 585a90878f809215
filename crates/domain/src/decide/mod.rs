//! The judgement: what a command makes of an order, as events. `Ok(vec![])` means "already so": duplicates and late
//! arrivals cost nothing.

mod absence;
mod cancel;
mod create;
mod discrepancy;
mod ended;
mod erase;
mod learn;
mod operate;
mod submit;

pub use operate::allowed_actions;

use crate::attention::AttentionReason;
use crate::command::{Command, Context, Rejection};
use crate::event::{By, Event, EventBody};
use crate::failure::{Failure, FailureKind, Who};
use crate::ids::Version;
use crate::order::{Order, State};
use crate::outbox::{IdvExpired, alarm};
use crate::planted::{self, Bug};

/// Decides one command. Pure: the same order, command and context give the same events.
///
/// # Errors
/// A business no; nothing changed.
pub fn decide(
    order: Option<&Order>,
    command: Command,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let bodies = match (command, order) {
        (Command::Place(placement), None) => {
            let problems = placement
                .product
                .check(&placement.terms, &placement.personal);
            if !problems.is_empty() {
                return Err(Rejection::Unfit { problems });
            }
            vec![EventBody::OrderRequested {
                terms: placement.terms,
                personal_digest: placement.personal_digest,
                prepaid: placement.product.prepaid,
            }]
        }
        (Command::Place(_), Some(order)) => return Err(Rejection::Exists { order: order.id }),
        (_, None) => {
            return Err(Rejection::Unknown {
                order: context.order_id,
            });
        }
        (command, Some(order)) => decide_existing(order, command, context)?,
    };
    Ok(bodies
        .into_iter()
        .map(|body| Event {
            at: context.now,
            body,
        })
        .collect())
}

fn decide_existing(
    order: &Order,
    command: Command,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, Rejection> {
    match command {
        Command::Place(_) => Err(Rejection::Exists { order: order.id }),
        Command::StartSubmission {
            purpose,
            generation,
            body_digest,
        } => submit::start(order, purpose, generation, body_digest, context),
        Command::MissData {
            purpose,
            generation,
        } => submit::miss_data(order, purpose, generation, context),
        Command::HearNothing {
            purpose,
            generation,
            attempt,
            cause,
            retry_at,
        } => Ok(submit::hear_nothing(
            order, purpose, generation, attempt, cause, retry_at,
        )),
        Command::GiveUp { action } => Ok(attention(
            order,
            AttentionReason::TaskGivenUp {
                action: action.name().into(),
            },
        )),
        Command::LookInVain => Ok(learn::look_in_vain(order, context)),
        Command::Hint { source } => Ok(hint(order, source)),
        Command::HearAnswer {
            attempt,
            observation,
        } if submit::is_overtaken(order, attempt, &observation) => Ok(Vec::new()),
        Command::HearAnswer { observation, .. } | Command::Learn(observation) => {
            Ok(learn::learn(order, observation, context))
        }
        Command::EndLookUp { cause } => Ok(end_look_up(order, cause)),
        Command::ExpireIdv { link } => Ok(expire_idv(order, link, context)),
        Command::Escalate => Ok(escalate(order, context)),
        Command::ErasePersonalData => Ok(erase::step(order, context)),
        Command::ConfirmNotified { through } => {
            // Nobody can confirm what has not happened yet.
            let through = through.min(order.version);
            let news = through > order.notice.told;
            Ok(news
                .then_some(EventBody::HostNotified { through })
                .into_iter()
                .collect())
        }
        Command::Cancel => operate::cancel(order, By::Host),
        Command::Operate { act, expected } => operate::operate(order, act, expected, context),
    }
}

/// One look-up at a time, and none for what is over.
fn hint(order: &Order, source: crate::fact::Source) -> Vec<EventBody> {
    let coming = order
        .look_up
        .as_ref()
        .is_some_and(|look_up| look_up.at_once);
    let over = order.state.is_terminal() && !order.is_compensating();
    let wanted = !coming && !over && !order.paused;
    let cause = crate::event::LookUpCause::Confirm { source };
    wanted
        .then_some(EventBody::LookUpRequested { cause })
        .into_iter()
        .collect()
}

/// While an order is open, or its card is being cancelled, looking never ends.
fn end_look_up(order: &Order, cause: Version) -> Vec<EventBody> {
    let owed = order
        .look_up
        .as_ref()
        .is_some_and(|look_up| look_up.cause == cause);
    let over = order.state.is_terminal() && !order.is_compensating();
    (owed && over)
        .then_some(EventBody::LookedUp { cause })
        .into_iter()
        .collect()
}

/// Time alone never fails an order: the caller asked the provider first, and what it said was learnt before this.
fn expire_idv(order: &Order, link: u32, context: &Context<'_>) -> Vec<EventBody> {
    let State::IdvPending { idv } = &order.state else {
        return Vec::new();
    };
    let over = idv
        .link
        .as_ref()
        .is_some_and(|newest| newest.expires_at.after(context.policy.idv_grace) <= context.now);
    if (idv.number != link || !over) && !planted::is(Bug::StaleTimer)
        || idv.submitted_at.is_some()
        || idv.renewal.is_some()
        || order.paused
    {
        return Vec::new();
    }
    let is_wanted = !order.is_compensating() || planted::is(Bug::LinkUnwanted);
    let renewable = order.renewals < context.policy.idv_renewals && is_wanted;
    if renewable {
        return vec![EventBody::IdvLinkExpired { link }];
    }
    match context.policy.idv_expired {
        IdvExpired::Attention => attention(order, AttentionReason::IdvExpired),
        IdvExpired::Fail => failed(
            order,
            Failure {
                kind: FailureKind::IdvExpired,
                code: None,
                missing_fields: Vec::new(),
                who: Who::Host,
                new_order_could_succeed: true,
            },
            None,
        ),
    }
}

/// A stale timer does nothing: what it was set for must still be late.
fn escalate(order: &Order, context: &Context<'_>) -> Vec<EventBody> {
    match alarm(order, context.policy) {
        Some((due, reason)) if due <= context.now => vec![EventBody::AttentionRaised { reason }],
        Some(_) | None => Vec::new(),
    }
}

/// A reason is raised once. A new one replaces an older one, unless the older one must be answered first, or both are
/// what reads show, which would take turns for ever.
fn attention(order: &Order, reason: AttentionReason) -> Vec<EventBody> {
    let keeps = order.attention.as_ref().is_some_and(|attention| {
        attention.reason == reason
            || attention.outlives_progress()
            || (attention.reason.is_read_off() && reason.is_read_off())
    });
    if keeps {
        Vec::new()
    } else {
        vec![EventBody::AttentionRaised { reason }]
    }
}

/// An order that ends without a card also ends the wish to cancel one.
fn failed(order: &Order, failure: Failure, source: Option<crate::fact::Source>) -> Vec<EventBody> {
    let mut events = vec![EventBody::OrderFailed { failure, source }];
    if order.is_compensating() {
        events.push(EventBody::CompensationCompleted { status: None });
    }
    events
}
