//! What an event may rest on: an answer to its own key, a record that was read, a wish that somebody had.

use issuance_domain::{
    By, CardStatus, Discrepancy, EventBody, LateSuccess, OperatorAction, Phase, SilenceCause,
    Source, State,
};

use super::invariant::Invariant;
use super::order::{Seen, Tracked};
use super::rules::Rules;
use super::verdicts::Verdicts;

/// Judges one event against the order as it was before.
pub(super) fn judge(
    tracked: &Tracked,
    body: &EventBody,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) {
    let broken = |invariant, holds: bool, what: &str, verdicts: &mut Verdicts| {
        verdicts.hold(invariant, Some(tracked.id), holds, || {
            let facts = [tracked.newest(), vec![seen.into()]].concat();
            (what.to_owned(), facts)
        });
    };
    let order = tracked.order.as_ref();
    match body {
        EventBody::SubmissionRefused {
            purpose,
            generation,
            source,
            ..
        }
        | EventBody::SubmissionAnswered {
            purpose,
            generation,
            source,
        } => {
            let is_its_own = match source {
                Source::Answer {
                    purpose: of,
                    generation: key,
                } => (of, key) == (purpose, generation),
                Source::Webhook { .. } | Source::LookUp => true,
            };
            let what = "what was said of one key is recorded of another";
            broken(Invariant::S30, is_its_own, what, verdicts);
        }
        EventBody::IdvRequired { source, .. } => {
            let is_told = !matches!(source, Source::Webhook { .. });
            let what = "a person is sent to an identity check on the word of a message alone";
            broken(Invariant::S30, is_told, what, verdicts);
        }
        EventBody::IdvLinkExpired { .. } => {
            let is_wanted = !order.is_some_and(issuance_domain::Order::is_compensating);
            let what = "a fresh link is asked for, and nobody wants the card any more";
            broken(Invariant::S24, is_wanted, what, verdicts);
        }
        EventBody::OperatorActed { act } if act.action == OperatorAction::RefreshIdvLink => {
            let in_hand = order.is_some_and(|order| match &order.state {
                State::IdvPending { idv } => idv.renewal.as_ref().is_some_and(|renewal| {
                    matches!(renewal.phase, Phase::Owed { .. } | Phase::InFlight { .. })
                }),
                State::Requested { .. }
                | State::Accepted { .. }
                | State::Active { .. }
                | State::Failed { .. } => false,
            });
            let what = "a fresh link is asked for while one is on its way";
            broken(Invariant::S25, !in_hand, what, verdicts);
        }
        EventBody::CompensationStarted { by: By::Policy } if rules.as_it_happens => {
            let is_wanted = rules.policy.late_success == LateSuccess::Cancel;
            let what = "a card is cancelled that the policy leaves to a person";
            broken(Invariant::S19, is_wanted, what, verdicts);
        }
        EventBody::CardActivated { status, .. } => {
            let usable = matches!(
                status,
                CardStatus::Active | CardStatus::Frozen | CardStatus::Blocked
            );
            let what = "it is called active, and its card is gone or not there yet";
            broken(Invariant::S18, usable, what, verdicts);
        }
        EventBody::CompensationCompleted {
            status: Some(status),
        } => {
            let is_over = matches!(
                status,
                CardStatus::PreCancel | CardStatus::Cancelled | CardStatus::Failed
            );
            let what = "a cancel is called done while its card lives";
            broken(Invariant::S19, is_over, what, verdicts);
        }
        EventBody::DiscrepancyNoted {
            discrepancy: Discrepancy::LateSuccess { .. },
            source: Source::Webhook { .. },
        } => {
            let what = "an older message about a card that was cancelled since calls a person";
            broken(Invariant::S19, !tracked.standing.gone, what, verdicts);
        }
        _ => {}
    }
}

/// Whether the provider may have acted on a call of which this was heard, by contract §6.3 and §6.4 and not by the table
/// that the engine shares.
pub(super) fn may_have_arrived(cause: &SilenceCause) -> bool {
    match cause {
        SilenceCause::NotSent
        | SilenceCause::TokenRefused
        | SilenceCause::Blocked { .. }
        | SilenceCause::RateLimited => false,
        SilenceCause::Processing
        | SilenceCause::TimedOut
        | SilenceCause::ConnectionLost
        | SilenceCause::ServerError { .. }
        | SilenceCause::Unreadable { .. }
        | SilenceCause::Mismatched { .. } => true,
    }
}

/// Whether it is the message that announces a card (contract §9.2).
pub(super) fn announces_card(source: &Source) -> bool {
    matches!(source, Source::Webhook { event_type, .. } if **event_type == *"card.create.succeeded")
}

/// Whether the provider's own record was read.
pub(super) fn is_read(source: &Source) -> bool {
    match source {
        Source::LookUp => true,
        Source::Answer { .. } | Source::Webhook { .. } => false,
    }
}
