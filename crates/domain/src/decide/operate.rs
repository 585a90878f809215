//! What an operator may do, and when.

use crate::command::{Context, Rejection};
use crate::event::{By, EventBody, LookUpCause, OperatorAct, OperatorAction};
use crate::ids::Version;
use crate::key::Purpose;
use crate::order::{Failure, FailureKind, Order, Phase, State, Who};

use super::failed;

/// Actions that make sense for an order now: what the admin pages offer.
#[must_use]
pub fn allowed_actions(order: &Order, context: &Context<'_>) -> Vec<OperatorAction> {
    [
        OperatorAction::RetryNow,
        OperatorAction::LookUpNow,
        OperatorAction::RefreshIdvLink,
        OperatorAction::Fail,
        OperatorAction::Cancel,
        OperatorAction::Pause,
        OperatorAction::Resume,
        OperatorAction::ResolveDiscrepancy,
        OperatorAction::Note,
    ]
    .into_iter()
    .filter(|action| {
        let act = OperatorAct { actor: "".into(), reason: "-".into(), action: *action };
        operate(order, act, None, context).is_ok()
    })
    .collect()
}

pub(super) fn operate(
    order: &Order,
    act: OperatorAct,
    expected: Option<Version>,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, Rejection> {
    if let Some(expected) = expected.filter(|expected| *expected != order.version) {
        return Err(Rejection::StaleVersion { order: order.id, expected, actual: order.version });
    }
    if act.reason.trim().is_empty() {
        return Err(no(act.action, "a reason is required"));
    }
    let action = act.action;
    let mut events = vec![EventBody::OperatorActed { act }];
    events.extend(match action {
        OperatorAction::Note => Vec::new(),
        OperatorAction::RetryNow => retry_now(order)?,
        OperatorAction::LookUpNow => {
            if order.state.is_terminal() && !order.is_compensating() {
                return Err(no(action, "the order has ended"));
            }
            vec![EventBody::LookUpRequested { cause: LookUpCause::Operator }]
        }
        OperatorAction::RefreshIdvLink => match &order.state {
            State::IdvPending { idv } if idv.renewal.as_ref().is_none_or(|asked| !in_hand(&asked.phase)) => Vec::new(),
            State::IdvPending { .. } => return Err(no(action, "a fresh link is already asked for")),
            State::Requested { .. } | State::Accepted { .. } | State::Active { .. } | State::Failed { .. } => {
                return Err(no(action, "no identity check is pending"));
            }
        },
        OperatorAction::Fail => {
            if order.state.is_terminal() {
                return Err(no(action, "the order has ended"));
            }
            no_call_in_flight(order, context)?;
            failed(order, ended_by(FailureKind::OperatorFailed), None)
        }
        OperatorAction::Cancel => {
            no_call_in_flight(order, context)?;
            cancel(order, By::Operator)?
        }
        OperatorAction::Pause if order.paused || order.state.is_terminal() => {
            return Err(no(action, "the order is paused or has ended"));
        }
        OperatorAction::Resume if !order.paused => return Err(no(action, "the order is not paused")),
        OperatorAction::Pause | OperatorAction::Resume => Vec::new(),
        OperatorAction::ResolveDiscrepancy if order.discrepancy.is_none() => {
            return Err(no(action, "there is no discrepancy"));
        }
        OperatorAction::ResolveDiscrepancy => Vec::new(),
    });
    Ok(events)
}

fn retry_now(order: &Order) -> Result<Vec<EventBody>, Rejection> {
    let action = OperatorAction::RetryNow;
    if order.paused {
        return Err(no(action, "the order is paused; resume it"));
    }
    let phases: Vec<_> = [Purpose::CreateCard, Purpose::RenewIdvLink, Purpose::CancelCard]
        .into_iter()
        .filter_map(|purpose| order.submission(purpose))
        .map(|submission| &submission.phase)
        .collect();
    let retryable = |phase: &&Phase| match phase {
        Phase::Owed { .. } => true,
        // A refusal of the create call can be tried anew only when nothing of ours may be left at the provider.
        Phase::Refused { .. } => order.is_refused_for_capacity() || order.submission(Purpose::CreateCard).is_none(),
        Phase::InFlight { .. } | Phase::Expired | Phase::Done => false,
    };
    if phases.iter().any(retryable) {
        return Ok(Vec::new());
    }
    Err(no(action, "nothing can be sent again safely; look it up instead"))
}

/// Cancelling ends an order at once when nothing was ever sent; else the card's end is waited for, then cancelled.
pub(super) fn cancel(order: &Order, by: By) -> Result<Vec<EventBody>, Rejection> {
    if order.compensation.is_some() {
        return Ok(Vec::new());
    }
    let nothing_there = match &order.state {
        State::Requested { submission } => !submission.outcome_unknown(),
        State::Failed { .. } if order.discrepancy.is_none() => {
            return Err(no(OperatorAction::Cancel, "the order has failed; there is no card"));
        }
        State::Failed { .. } | State::Accepted { .. } | State::IdvPending { .. } | State::Active { .. } => false,
    };
    if nothing_there {
        return Ok(failed(order, ended_by(FailureKind::Cancelled), None));
    }
    Ok(vec![EventBody::CompensationStarted { by }])
}

fn no_call_in_flight(order: &Order, context: &Context<'_>) -> Result<(), Rejection> {
    let flying = order.submission(Purpose::CreateCard).is_some_and(|submission| match submission.phase {
        Phase::InFlight { since } => since.after(context.policy.call_deadline) > context.now,
        Phase::Owed { .. } | Phase::Refused { .. } | Phase::Expired | Phase::Done => false,
    });
    if flying { Err(Rejection::CallInFlight { order: order.id }) } else { Ok(()) }
}

fn in_hand(phase: &Phase) -> bool {
    matches!(phase, Phase::Owed { .. } | Phase::InFlight { .. })
}

fn ended_by(kind: FailureKind) -> Failure {
    Failure { kind, code: None, missing_fields: Vec::new(), who: Who::Nobody, new_order_could_succeed: true }
}

fn no(action: OperatorAction, why: &'static str) -> Rejection {
    Rejection::NotPossible { action: action.name(), why }
}
