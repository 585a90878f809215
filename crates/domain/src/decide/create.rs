//! What the answer to the create call makes of an order (contract §9.1), and messages that overtake it (§9.2).

use crate::attention::AttentionReason;
use crate::command::Context;
use crate::event::{EventBody, LookUpCause};
use crate::fact::{
    CardOrderStatus, CardStatus, CardholderStatus, Creation, Fact, ProviderIds, Refusal,
    RefusalClass, Source, Verification,
};
use crate::failure::{Failure, FailureKind, Who};
use crate::key::{Generation, Purpose};
use crate::order::{Order, Phase, Submission};
use crate::planted::{self, Bug};

use super::learn::{fold, judge, unknown};
use super::{absence, attention, failed};

pub(super) fn requested(
    order: &Order,
    submission: &Submission,
    fact: Fact,
    ids: ProviderIds,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match fact {
        Fact::Created(creation) => accept(order, Some(creation), None, ids, source, context),
        Fact::Refused(refusal) => refused_create(order, submission, refusal, source, context),
        // Any word on a card of ours means the provider has the order, whatever became of our call.
        Fact::Card(_) | Fact::CardCreationFailed { .. } | Fact::CardOrder { .. } => {
            if ids.card.is_none() && ids.card_order.is_none() {
                return Vec::new();
            }
            accept(order, None, Some(fact), ids, source, context)
        }
        // A person of the two-step road has a life of its own.
        Fact::CardAbsent(scan) if source.is_read() => {
            absence::absent(order, submission, scan, context)
        }
        Fact::CardAbsent(_)
        | Fact::Cardholder { .. }
        | Fact::CardMissing
        | Fact::CancelTaken
        | Fact::CancelFailed
        | Fact::CardholderUpdated => Vec::new(),
    }
}

/// Acceptance, and what the same fact says beyond it.
fn accept(
    order: &Order,
    creation: Option<Creation>,
    fact: Option<Fact>,
    ids: ProviderIds,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let under_review = creation.as_ref().is_some_and(is_under_review);
    let mut events = vec![EventBody::OrderAccepted {
        ids,
        under_review,
        source: source.clone(),
    }];
    let known = fold(order, &events, context);
    if let Some(creation) = creation {
        events.extend(created(&known, creation, &source));
    }
    if let Some(fact) = fact {
        events.extend(judge(&known, fact, source, context));
    }
    events
}

fn is_under_review(creation: &Creation) -> bool {
    let reviewing = creation.verification == Some(Verification::UnderReview)
        || creation.cardholder == Some(CardholderStatus::Pending);
    reviewing
        && creation.link.is_none()
        && creation.verification != Some(Verification::ActionRequired)
}

/// The branches of a 2xx to the create call (contract §9.1).
fn created(order: &Order, creation: Creation, source: &Source) -> Vec<EventBody> {
    let mut events = Vec::new();
    let confirm = || EventBody::LookUpRequested {
        cause: LookUpCause::Confirm {
            source: source.clone(),
        },
    };
    let ended = matches!(creation.card, CardStatus::Active | CardStatus::Failed)
        || creation.order == Some(CardOrderStatus::Failed)
        || creation.cardholder == Some(CardholderStatus::Failed);
    if creation.link.is_some() || creation.verification == Some(Verification::ActionRequired) {
        events.push(EventBody::IdvRequired {
            link: creation.link,
            source: source.clone(),
        });
    }
    if ended {
        events.push(confirm());
    }
    let words = [
        ("card_status", creation.card.unknown_word()),
        (
            "order_status",
            creation
                .order
                .as_ref()
                .and_then(CardOrderStatus::unknown_word),
        ),
        (
            "cardholder_status",
            creation
                .cardholder
                .as_ref()
                .and_then(CardholderStatus::unknown_word),
        ),
        (
            "verification_status",
            creation
                .verification
                .as_ref()
                .and_then(Verification::unknown_word),
        ),
    ];
    let first = words
        .into_iter()
        .find_map(|(field, word)| Some((field, word?)));
    events.extend(
        first
            .into_iter()
            .flat_map(|(field, word)| unknown(order, field, word.into())),
    );
    events
}

fn refused_create(
    order: &Order,
    submission: &Submission,
    refusal: Refusal,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match submission.phase {
        Phase::Owed { .. } | Phase::InFlight { .. } => {}
        Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => return Vec::new(),
    }
    let generation = submission.generation;
    // A late answer to a spent key says nothing about this one.
    if source
        != (Source::Answer {
            purpose: Purpose::CreateCard,
            generation,
        })
    {
        return Vec::new();
    }
    // An earlier send of the one-step road may have left its cardholder behind (contract §6.5).
    let ours_perhaps = absence::is_one_step(order, submission)
        && (submission.maybe_sent || generation.0 > 1)
        && !planted::is(Bug::LeftoverFails);
    let reason = AttentionReason::behind(Purpose::CreateCard, &refusal);
    let end = |kind, who| Failure {
        kind,
        code: Some(refusal.code.clone()),
        missing_fields: refusal.missing_fields.clone(),
        who,
        new_order_could_succeed: true,
    };
    let consequence = match refusal.class {
        RefusalClass::KeyConflict => attention(order, reason),
        RefusalClass::Duplicate
            if ours_perhaps
                && (submission.maybe_sent && !planted::is(Bug::TakenEmailEnds)
                    || !order.is_compensating()) =>
        {
            vec![EventBody::LookUpRequested {
                cause: LookUpCause::Leftover,
            }]
        }
        // There is no card, and nobody wants one any more.
        _ if order.is_compensating() => failed(
            order,
            end(FailureKind::Cancelled, Who::Nobody),
            Some(source.clone()),
        ),
        RefusalClass::Input => failed(
            order,
            end(FailureKind::Refused, Who::Host),
            Some(source.clone()),
        ),
        RefusalClass::Duplicate => failed(
            order,
            end(FailureKind::Duplicate, Who::Host),
            Some(source.clone()),
        ),
        RefusalClass::Capacity => park(order, submission, reason, context),
        RefusalClass::Configuration | RefusalClass::Unknown => {
            let mut events = failed(
                order,
                end(FailureKind::Refused, Who::Operator),
                Some(source.clone()),
            );
            // Of the order as its end leaves it: what it was paused for is over with it.
            if !planted::is(Bug::OwnFaultUntold) {
                events.extend(attention(&fold(order, &events, context), reason));
            }
            events
        }
    };
    let mut events = vec![EventBody::SubmissionRefused {
        purpose: Purpose::CreateCard,
        generation,
        refusal: refusal.clone(),
        source,
    }];
    events.extend(consequence);
    events
}

/// What is wanting now may be there later: the order stands on the list and tries again by itself.
fn park(
    order: &Order,
    submission: &Submission,
    reason: AttentionReason,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let mut events = attention(order, reason);
    events.retain(|_| !planted::is(Bug::ParkedUnlisted));
    let due = if planted::is(Bug::PoolAtOnce) {
        context.now
    } else {
        context.now.after(context.policy.capacity_retry)
    };
    events.push(EventBody::ResubmissionOwed {
        purpose: Purpose::CreateCard,
        generation: Generation(submission.generation.0 + 1),
        due,
        cardholder: submission.cardholder.clone(),
    });
    events
}
