//! What a fact makes of an order that has ended: it is recorded or shown, never silently applied (contract §9.2).

use crate::attention::Discrepancy;
use crate::command::Context;
use crate::event::{By, EventBody};
use crate::fact::{CardStatus, CardholderStatus, Fact, Source};
use crate::failure::FailureKind;
use crate::order::{Order, State};
use crate::outbox::LateSuccess;
use crate::planted::{self, Bug};

use super::cancel::{cancel_failed, cancel_taken, cancelling, refused_other};
use super::discrepancy::note_discrepancy;
use super::learn::{look, unknown};

pub(super) fn active(
    order: &Order,
    fact: Fact,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match fact {
        Fact::Card(status) if order.is_compensating() => {
            cancelling(order, status, &source, context)
        }
        Fact::Card(status) => match status {
            CardStatus::Failed if source.is_read() => {
                note_discrepancy(order, Discrepancy::ActiveCardFailed, source)
            }
            CardStatus::Failed => look_again(order, source, context),
            CardStatus::Active
            | CardStatus::Pending
            | CardStatus::Frozen
            | CardStatus::Blocked
            | CardStatus::PreCancel
            | CardStatus::Cancelled => Vec::new(),
            CardStatus::Unknown(word) => unknown(order, "card_status", word),
        },
        Fact::CardCreationFailed { .. } => look_again(order, source, context),
        Fact::Cardholder {
            status: CardholderStatus::Failed,
            ..
        } => note_discrepancy(order, Discrepancy::ActivePersonRejected, source),
        Fact::Refused(refusal) => refused_other(order, refusal, source),
        Fact::CancelTaken => cancel_taken(order, source),
        Fact::CancelFailed => cancel_failed(order, source, context),
        Fact::CardMissing if source.is_read() => card_missing(order, source, context),
        Fact::CardholderUpdated
        | Fact::Created(_)
        | Fact::CardMissing
        | Fact::CardAbsent(_)
        | Fact::CardOrder { .. }
        | Fact::Cardholder { .. } => Vec::new(),
    }
}

/// What is read or listed may lag behind a new card; an older one that is gone is a person's question.
fn card_missing(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    let State::Active { card, since } = &order.state else {
        return Vec::new();
    };
    if context.now.since(*since) < context.policy.card_missing_grace {
        return Vec::new();
    }
    let card = card.clone();
    note_discrepancy(order, Discrepancy::ActiveCardMissing { card }, source)
}

/// A message against an active card is read before it is believed, unless nobody wants that card any more.
fn look_again(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    if order.compensation.is_some() {
        Vec::new()
    } else {
        look(order, source, context)
    }
}

pub(super) fn failed_already(
    order: &Order,
    fact: Fact,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match fact {
        Fact::Card(status) if order.is_compensating() => {
            cancelling(order, status, &source, context)
        }
        Fact::Card(status) => match status {
            CardStatus::Active | CardStatus::Frozen | CardStatus::Blocked => {
                late_success(order, source, context)
            }
            CardStatus::Pending
            | CardStatus::Failed
            | CardStatus::PreCancel
            | CardStatus::Cancelled => Vec::new(),
            CardStatus::Unknown(word) => unknown(order, "card_status", word),
        },
        // The late answer of a call we no longer waited for: the ids it brought were learnt; a card may follow.
        Fact::Created(creation) if creation.card == CardStatus::Active => {
            late_success(order, source, context)
        }
        Fact::Refused(refusal) => refused_other(order, refusal, source),
        Fact::CancelTaken => cancel_taken(order, source),
        Fact::CancelFailed => cancel_failed(order, source, context),
        Fact::CardholderUpdated
        | Fact::Created(_)
        | Fact::CardCreationFailed { .. }
        | Fact::CardMissing
        | Fact::CardAbsent(_)
        | Fact::CardOrder { .. }
        | Fact::Cardholder { .. } => Vec::new(),
    }
}

/// A live card behind a failed order is money: never dropped, never silently applied.
fn late_success(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    let Some(card) = order.ids.card.clone() else {
        return Vec::new();
    };
    let cancelled = order
        .compensation
        .as_ref()
        .is_some_and(|over| over.ended.is_some());
    let by_others = matches!(&order.state, State::Failed { failure, .. }
        if failure.kind == FailureKind::CancelledByProvider);
    if (cancelled || by_others && !planted::is(Bug::OthersCancelForgotten)) && !source.is_read() {
        // An older message about the card that was cancelled since.
        return Vec::new();
    }
    let mut events = note_discrepancy(order, Discrepancy::LateSuccess { card }, source);
    // Whoever wanted the order cancelled before it failed wants this card cancelled too.
    let wanted = match &order.compensation {
        Some(over) => (!cancelled).then(|| over.by.clone()),
        None => (context.policy.late_success == LateSuccess::Cancel
            && !planted::is(Bug::LateCardKept)
            || planted::is(Bug::LateCardCancelled))
        .then_some(By::Policy),
    };
    if !events.is_empty() {
        events.extend(wanted.map(|by| EventBody::CompensationStarted { by }));
    }
    events
}
