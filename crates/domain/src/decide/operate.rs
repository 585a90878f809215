//! What an operator may do, and when.

use crate::attention::Discrepancy;
use crate::command::{Context, Rejection};
use crate::event::{By, EventBody, LookUpCause, OperatorAct, OperatorAction};
use crate::failure::{Failure, FailureKind, Who};
use crate::ids::Version;
use crate::key::Purpose;
use crate::order::{Compensation, Order, Phase, State};
use crate::planted::{self, Bug};

use super::{absence, erase, failed};

/// Actions that make sense for an order now: what the admin pages offer.
#[must_use]
pub fn allowed_actions(order: &Order, context: &Context<'_>) -> Vec<OperatorAction> {
    [
        OperatorAction::RetryNow,
        OperatorAction::Resubmit,
        OperatorAction::ApproveResubmit,
        OperatorAction::LookUpNow,
        OperatorAction::RefreshIdvLink,
        OperatorAction::Fail,
        OperatorAction::Cancel,
        OperatorAction::Pause,
        OperatorAction::Resume,
        OperatorAction::ResolveDiscrepancy,
        OperatorAction::ErasePersonalData,
        OperatorAction::Note,
    ]
    .into_iter()
    .filter(|action| {
        let act = OperatorAct {
            actor: "".into(),
            reason: "-".into(),
            action: *action,
        };
        operate(order, act, Some(order.version), context).is_ok()
    })
    .collect()
}

pub(super) fn operate(
    order: &Order,
    act: OperatorAct,
    expected: Option<Version>,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, Rejection> {
    if let Some(expected) =
        expected.filter(|expected| *expected != order.version && !planted::is(Bug::StaleActTaken))
    {
        return Err(Rejection::StaleVersion {
            order: order.id,
            expected,
            actual: order.version,
        });
    }
    if act.reason.trim().is_empty() {
        return Err(no(act.action, "a reason is required"));
    }
    let action = act.action;
    let actor = act.actor.clone();
    let mut events = vec![EventBody::OperatorActed { act }];
    events.extend(match action {
        OperatorAction::Note => Vec::new(),
        OperatorAction::RetryNow => retry_now(order)?,
        OperatorAction::LookUpNow
        | OperatorAction::Resubmit
        | OperatorAction::ApproveResubmit
        | OperatorAction::RefreshIdvLink
            if order.paused =>
        {
            return Err(no(action, "the order is paused; resume it"));
        }
        OperatorAction::LookUpNow => {
            vec![EventBody::LookUpRequested {
                cause: LookUpCause::Operator,
            }]
        }
        OperatorAction::Resubmit => {
            absence::may_resubmit(order, context).map_err(|why| no(action, why))?;
            Vec::new()
        }
        OperatorAction::ApproveResubmit if expected.is_none() => {
            return Err(no(action, "say which version was looked at"));
        }
        OperatorAction::ApproveResubmit => {
            absence::resubmit_by_two(order, &actor, context).map_err(|why| no(action, why))?
        }
        OperatorAction::RefreshIdvLink => match &order.state {
            State::IdvPending { idv }
                if idv
                    .renewal
                    .as_ref()
                    .is_none_or(|asked| !in_hand(&asked.phase))
                    || planted::is(Bug::LinkAskedTwice) =>
            {
                Vec::new()
            }
            State::IdvPending { .. } => {
                return Err(no(action, "a fresh link is already asked for"));
            }
            State::Requested { .. }
            | State::Accepted { .. }
            | State::Active { .. }
            | State::Failed { .. } => {
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
            let events = cancel(order, By::Operator)?;
            if events.is_empty() {
                return Err(no(action, "the cancel is on its way or done"));
            }
            events
        }
        OperatorAction::Pause if order.paused || order.state.is_terminal() => {
            return Err(no(action, "the order is paused or has ended"));
        }
        OperatorAction::Resume if !order.paused => {
            return Err(no(action, "the order is not paused"));
        }
        OperatorAction::Pause | OperatorAction::Resume => Vec::new(),
        OperatorAction::ResolveDiscrepancy if !has_something_to_resolve(order) => {
            return Err(no(action, "there is no discrepancy"));
        }
        OperatorAction::ResolveDiscrepancy => Vec::new(),
        OperatorAction::ErasePersonalData => {
            erase::request(order, By::Operator).map_err(|why| no(action, why))?
        }
    });
    Ok(events)
}

fn retry_now(order: &Order) -> Result<Vec<EventBody>, Rejection> {
    let action = OperatorAction::RetryNow;
    if order.paused {
        return Err(no(action, "the order is paused; resume it"));
    }
    if planted::is(Bug::EndedSentAgain) && order.state.is_terminal() {
        return Ok(failed(order, ended_by(FailureKind::OperatorFailed), None));
    }
    let phases: Vec<_> = [
        Purpose::CreateCard,
        Purpose::RenewIdvLink,
        Purpose::CancelCard,
    ]
    .into_iter()
    .filter_map(|purpose| order.submission(purpose))
    .map(|submission| &submission.phase)
    .collect();
    let retryable = |phase: &&Phase| match phase {
        Phase::Owed { .. } => true,
        // A refusal of the create call can be tried anew only when nothing of ours may be left at the provider.
        Phase::Refused { .. } => {
            order.is_refused_for_capacity() || order.submission(Purpose::CreateCard).is_none()
        }
        // Asking twice for a link, or twice for a cancel, makes no second card.
        Phase::Expired { .. } | Phase::Done => order.submission(Purpose::CreateCard).is_none(),
        Phase::InFlight { .. } => false,
    };
    if phases.iter().any(retryable) {
        return Ok(Vec::new());
    }
    Err(no(
        action,
        "nothing can be sent again safely; look it up instead",
    ))
}

/// Cancelling ends an order at once when nothing was ever sent; else the card's end is waited for, then cancelled.
pub(super) fn cancel(order: &Order, by: By) -> Result<Vec<EventBody>, Rejection> {
    if order.doubts_its_card() {
        return Err(no(
            OperatorAction::Cancel,
            "the card it knows may be another order's; resolve the discrepancy, or fail the order",
        ));
    }
    let in_hand = |cancel: &Compensation| !cancel.done || cancel.ended.is_some();
    if order.compensation.as_ref().is_some_and(in_hand) {
        return Ok(Vec::new());
    }
    let card_behind_failure =
        order.contradicted_by(|open| matches!(open, Discrepancy::LateSuccess { .. }));
    let nothing_there = match &order.state {
        State::Requested { submission } => {
            !submission.outcome_unknown() || planted::is(Bug::CancelWins)
        }
        State::Failed { failure, .. } if !card_behind_failure => {
            if failure.kind == FailureKind::Cancelled || order.compensation.is_some() {
                return Ok(Vec::new());
            }
            return Err(no(
                OperatorAction::Cancel,
                "the order has failed; there is no card",
            ));
        }
        State::Failed { .. }
        | State::Accepted { .. }
        | State::IdvPending { .. }
        | State::Active { .. } => false,
    };
    if nothing_there {
        return Ok(failed(order, ended_by(FailureKind::Cancelled), None));
    }
    Ok(vec![EventBody::CompensationStarted { by }])
}

fn no_call_in_flight(order: &Order, context: &Context<'_>) -> Result<(), Rejection> {
    let flying = order
        .submission(Purpose::CreateCard)
        .is_some_and(|submission| match submission.phase {
            Phase::InFlight { since } => since.after(context.policy.call_deadline) > context.now,
            Phase::Owed { .. } | Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => {
                false
            }
        });
    if flying && !planted::is(Bug::EndedUnderCall) {
        Err(Rejection::CallInFlight { order: order.id })
    } else {
        Ok(())
    }
}

fn in_hand(phase: &Phase) -> bool {
    matches!(phase, Phase::Owed { .. } | Phase::InFlight { .. })
}

/// What an operator can call dealt with. An ended order has no progress that would answer it.
fn has_something_to_resolve(order: &Order) -> bool {
    !order.discrepancies.is_empty()
        || (order.state.is_terminal()
            && !order.paused
            && !order.is_compensating()
            && order.attention.is_some())
}

pub(super) fn ended_by(kind: FailureKind) -> Failure {
    Failure {
        kind,
        code: None,
        missing_fields: Vec::new(),
        who: Who::Nobody,
        new_order_could_succeed: true,
    }
}

fn no(action: OperatorAction, why: &'static str) -> Rejection {
    Rejection::NotPossible {
        action: action.name(),
        why,
    }
}
