//! What a fact makes of an order (contract §9). Outer match by state, inner by fact, so that a new fact or state cannot
//! slip through in silence. The order in which facts arrive must not matter once a look-up has followed them.

use std::borrow::Cow;

use crate::attention::{AttentionReason, Discrepancy};
use crate::command::Context;
use crate::echo::Mismatch;
use crate::event::{EventBody, LookUpCause};
use crate::evolve::evolve;
use crate::fact::{
    CardOrderStatus, CardStatus, CardholderStatus, Fact, Link, Observation, ProviderIds, Refusal,
    RefusalClass, Source,
};
use crate::failure::{Failure, FailureKind, Who};
use crate::ids::CardId;
use crate::key::Purpose;
use crate::order::{FailureClaim, Order, State};
use crate::outbox::Activation;
use crate::planted::{self, Bug};

use super::cancel::{cancel_failed, cancel_taken, refused_other};
use super::create::requested;
use super::discrepancy::{mismatched, note_discrepancy, second_card};
use super::ended::{active, failed_already};
use super::{attention, failed};

/// What one observation makes of an order.
pub(super) fn learn(
    order: &Order,
    observation: Observation,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let Observation {
        fact,
        ids,
        echo,
        source,
    } = observation;
    if let Some(mismatch) = Mismatch::of(order, &ids, &echo) {
        return mismatched(order, mismatch, ids.card, source, context);
    }
    if let Some(second) = second_card(order, &ids, &fact) {
        return note_discrepancy(order, second, source);
    }
    match &order.state {
        State::Requested { submission } => requested(order, submission, fact, ids, source, context),
        State::Accepted { .. }
        | State::IdvPending { .. }
        | State::Active { .. }
        | State::Failed { .. } => {
            let mut events = learn_ids(order, ids, &source);
            let known = fold(order, &events, context);
            events.extend(judge(&known, fact, source, context));
            events
        }
    }
}

fn learn_ids(order: &Order, heard: ProviderIds, source: &Source) -> Vec<EventBody> {
    let news = order.ids.news_in(&heard);
    if news.is_empty() {
        return Vec::new();
    }
    vec![EventBody::ProviderIdsLearned {
        ids: news,
        source: source.clone(),
    }]
}

/// The order as it will be after events that were just decided.
pub(super) fn fold<'a>(
    order: &'a Order,
    events: &[EventBody],
    context: &Context<'_>,
) -> Cow<'a, Order> {
    let mut known = Cow::Borrowed(order);
    for body in events {
        let event = crate::event::Event {
            at: context.now,
            body: body.clone(),
        };
        if let Ok(after) = evolve(order.id, Some(known.as_ref().clone()), &event) {
            known = Cow::Owned(after);
        }
    }
    known
}

pub(super) fn judge(
    order: &Order,
    fact: Fact,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let refuted = refutes(order, &fact, &source);
    let mut events = judge_by_state(order, fact, source, context);
    events.extend(refuted);
    events
}

/// A message said that the person was rejected, and the record has another verdict: what is true is read once more.
fn refutes(order: &Order, fact: &Fact, source: &Source) -> Option<EventBody> {
    let blamed = order
        .claim
        .as_ref()
        .is_some_and(FailureClaim::blames_person);
    let verdict = matches!(
        fact,
        Fact::Cardholder {
            status: CardholderStatus::Success
                | CardholderStatus::Pending
                | CardholderStatus::Incomplete,
            ..
        }
    );
    let source = source.clone();
    (blamed && verdict && source.is_read()).then_some(EventBody::LookUpRequested {
        cause: LookUpCause::Confirm { source },
    })
}

fn judge_by_state(
    order: &Order,
    fact: Fact,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match &order.state {
        State::Requested { .. } => Vec::new(),
        State::Accepted { .. } => accepted(order, fact, source, context),
        State::IdvPending { .. } => idv_pending(order, fact, source, context),
        State::Active { .. } => active(order, fact, source, context),
        State::Failed { .. } => failed_already(order, fact, source, context),
    }
}

fn accepted(order: &Order, fact: Fact, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    let under_review = matches!(
        order.state,
        State::Accepted {
            under_review: true,
            ..
        }
    );
    match fact {
        Fact::Card(status) => open_card(order, status, source, context),
        Fact::CardCreationFailed { code } => report_failure(order, code, source),
        Fact::CardMissing => card_missing(order, source, context),
        Fact::CardOrder {
            status,
            failure_code,
        } => card_order(order, status, failure_code, source, context),
        Fact::Cardholder { status, link } => match (status, link) {
            (CardholderStatus::Failed, _) => person_rejected(order, source, context),
            // Only a read sends the person away again: a message may be older than the check they passed.
            (CardholderStatus::Incomplete, _) if !source.is_read() => look(order, source, context),
            (CardholderStatus::Incomplete, link) => vec![EventBody::IdvRequired { link, source }],
            (CardholderStatus::Pending, Some(link)) if source.is_read() => {
                vec![EventBody::IdvRequired {
                    link: Some(link),
                    source,
                }]
            }
            // The answer that would have told us of the review was lost.
            (CardholderStatus::Pending, None) if source.is_read() && !under_review => {
                vec![EventBody::IdvSubmitted { source }]
            }
            (CardholderStatus::Success, _) if under_review => vec![EventBody::IdvPassed { source }],
            (CardholderStatus::Success | CardholderStatus::Pending, _) => Vec::new(),
            (CardholderStatus::Unknown(word), _) => unknown(order, "cardholder_status", word),
        },
        // A replay of our own call: nothing new unless it names another card, which was caught before.
        Fact::Created(_) | Fact::Refused(_) | Fact::CardAbsent(_) => Vec::new(),
        Fact::CancelTaken => cancel_taken(order, source),
        Fact::CancelFailed => cancel_failed(order, source, context),
        // Worth a read only while the person is waited for.
        Fact::CardholderUpdated if under_review => look(order, source, context),
        Fact::CardholderUpdated => Vec::new(),
    }
}

fn idv_pending(order: &Order, fact: Fact, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    let State::IdvPending { idv } = &order.state else {
        return Vec::new();
    };
    match fact {
        Fact::Card(status) => open_card(order, status, source, context),
        Fact::CardCreationFailed { code } => report_failure(order, code, source),
        Fact::CardMissing => card_missing(order, source, context),
        Fact::CardOrder {
            status,
            failure_code,
        } => card_order(order, status, failure_code, source, context),
        Fact::Cardholder { status, link } => {
            // Asked again after they did their part: the same link is news to the person.
            let again = status == CardholderStatus::Incomplete
                && source.is_read()
                && idv.submitted_at.is_some();
            let still_open = link.is_some();
            let fresh = link.filter(|link| again || is_newer(idv.link.as_ref(), link));
            let answers_renewal = matches!(
                source,
                Source::Answer {
                    purpose: Purpose::RenewIdvLink,
                    ..
                }
            );
            match (status, fresh) {
                (CardholderStatus::Success, _) => vec![EventBody::IdvPassed { source }],
                (CardholderStatus::Failed, _) => person_rejected(order, source, context),
                (CardholderStatus::Incomplete | CardholderStatus::Pending, Some(link)) => {
                    vec![EventBody::IdvLinkIssued { link, source }]
                }
                (CardholderStatus::Unknown(word), Some(link)) => {
                    let mut events = vec![EventBody::IdvLinkIssued { link, source }];
                    let known = fold(order, &events, context);
                    events.extend(unknown(&known, "cardholder_status", word));
                    events
                }
                (_, None) if answers_renewal => renewal_without_link(order, source),
                (CardholderStatus::Incomplete, None) if source.is_read() => Vec::new(),
                // They have this link, or a newer one.
                (CardholderStatus::Incomplete, None)
                    if still_open && idv.submitted_at.is_none() =>
                {
                    Vec::new()
                }
                // More is wanted of the person; the link that goes with it is to be read.
                (CardholderStatus::Incomplete, None) => look(order, source, context),
                // A fresh link and a running review can both read `PENDING` (contract §4.5); only a message without a
                // link says so.
                (CardholderStatus::Pending, None)
                    if still_open || source.is_read() || idv.submitted_at.is_some() =>
                {
                    Vec::new()
                }
                (CardholderStatus::Pending, None) => vec![EventBody::IdvSubmitted { source }],
                (CardholderStatus::Unknown(word), None) => {
                    unknown(order, "cardholder_status", word)
                }
            }
        }
        Fact::Refused(refusal) => refused_other(order, refusal, source),
        Fact::Created(_) | Fact::CardAbsent(_) => Vec::new(),
        Fact::CancelTaken => cancel_taken(order, source),
        Fact::CancelFailed => cancel_failed(order, source, context),
        Fact::CardholderUpdated => look(order, source, context),
    }
}

/// Reads that fail delay the belief in a reported failure by so many times the usual wait.
const UNREAD_FAILURE: u32 = 10;

/// A card's status while the order is open (contract §9.2, §9.3).
fn open_card(
    order: &Order,
    status: CardStatus,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let Some(card) = order.ids.card.clone() else {
        return look(order, source, context);
    };
    if order.doubts_its_card() {
        return Vec::new();
    }
    let read = source.is_read();
    match status {
        CardStatus::Active if read || is_believed(order, &source, context) => {
            activated(order, card, status, source)
        }
        CardStatus::Frozen | CardStatus::Blocked if read && planted::is(Bug::FrozenNeverActive) => {
            Vec::new()
        }
        // It was active in between; what follows is card management.
        CardStatus::Frozen | CardStatus::Blocked if read => activated(order, card, status, source),
        CardStatus::Failed if read => creation_failed(order, source),
        CardStatus::PreCancel | CardStatus::Cancelled if read => {
            cancelled_early(order, status, source, context)
        }
        CardStatus::Pending if read => match &order.claim {
            Some(claim)
                if !claim.contradicted
                    && claim.blames_card()
                    && context.now.since(claim.at) >= context.policy.failure_confirmation =>
            {
                creation_failed(order, source)
            }
            Some(_) | None => Vec::new(),
        },
        CardStatus::Pending => Vec::new(),
        // One message says failed, another usable: from here only the provider's record decides.
        CardStatus::Active if contradicts(order, &source) => {
            vec![EventBody::LookUpRequested {
                cause: LookUpCause::Confirm { source },
            }]
        }
        CardStatus::Active
        | CardStatus::Frozen
        | CardStatus::Blocked
        | CardStatus::Failed
        | CardStatus::PreCancel
        | CardStatus::Cancelled => look(order, source, context),
        CardStatus::Unknown(word) => unknown(order, "card_status", word),
    }
}

fn contradicts(order: &Order, source: &Source) -> bool {
    source.announces_card()
        && order
            .claim
            .as_ref()
            .is_some_and(|claim| !claim.contradicted)
}

/// The one message that is enough by itself (contract §9.2), unless another one contradicted it or policy wants a read.
fn is_believed(order: &Order, source: &Source, context: &Context<'_>) -> bool {
    source.announces_card()
        && order.claim.is_none()
        && context.policy.activation == Activation::Webhook
}

/// A card that was reported failed and reads active is shown to a person as well (contract §9.2).
fn activated(order: &Order, card: CardId, status: CardStatus, source: Source) -> Vec<EventBody> {
    let mut events = vec![EventBody::CardActivated {
        card,
        status,
        source: source.clone(),
    }];
    if let Some(claim) = &order.claim {
        let discrepancy = if claim.blames_card() {
            Discrepancy::ActiveCardFailed
        } else {
            Discrepancy::ActivePersonRejected
        };
        events.extend(note_discrepancy(order, discrepancy, source));
    }
    events
}

fn creation_failed(order: &Order, source: Source) -> Vec<EventBody> {
    failed(order, claimed_failure(order), Some(source))
}

/// What the messages said of it: a person who was rejected is the reason of a card that failed.
fn claimed_failure(order: &Order) -> Failure {
    let claim = order.claim.as_ref();
    let (kind, who) = if claim.is_some_and(FailureClaim::blames_person) {
        (FailureKind::KycRejected, Who::Host)
    } else {
        (FailureKind::CreationFailed, Who::Provider)
    };
    Failure {
        kind,
        code: claim.and_then(|claim| claim.code.clone()),
        missing_fields: Vec::new(),
        who,
        new_order_could_succeed: true,
    }
}

/// It is gone before we heard that it was there: by whoever's hand, a cancel that was wanted is done.
fn cancelled_early(
    order: &Order,
    status: CardStatus,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let end = |kind| EventBody::OrderFailed {
        failure: Failure {
            kind,
            code: None,
            missing_fields: Vec::new(),
            who: Who::Operator,
            new_order_could_succeed: true,
        },
        source: Some(source),
    };
    if order.is_compensating() {
        let done = EventBody::CompensationCompleted {
            status: Some(status),
        };
        return vec![end(FailureKind::Cancelled), done];
    }
    let mut events = vec![end(FailureKind::CancelledByProvider)];
    let reason = AttentionReason::Refused {
        code: "cancelled_by_provider".into(),
    };
    let known = fold(order, &events, context);
    if !planted::is(Bug::OthersCancelUntold) {
        events.extend(attention(&known, reason));
    }
    events
}

/// A message says the card could not be made: read before believing it.
fn report_failure(order: &Order, code: Option<Box<str>>, source: Source) -> Vec<EventBody> {
    let known = order
        .claim
        .as_ref()
        .is_some_and(|claim| claim.blames_card() && (claim.code.is_some() || code.is_none()));
    if known {
        Vec::new()
    } else {
        vec![EventBody::FailureReported { code, source }]
    }
}

/// A failure that messages report and no read can confirm or deny is believed in the end; a card that turns up all the
/// same is a discrepancy.
pub(super) fn look_in_vain(order: &Order, context: &Context<'_>) -> Vec<EventBody> {
    let patience = context.policy.failure_confirmation * UNREAD_FAILURE;
    let old = order
        .claim
        .as_ref()
        .is_some_and(|claim| !claim.contradicted && context.now.since(claim.at) >= patience);
    if !old || order.state.is_terminal() || order.paused {
        return Vec::new();
    }
    failed(order, claimed_failure(order), None)
}

fn card_missing(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    if order.claim.as_ref().is_some_and(FailureClaim::blames_card) {
        return creation_failed(order, source);
    }
    let young = context.now.since(order.watch.since) < context.policy.card_missing_grace;
    if young {
        Vec::new()
    } else {
        attention(order, AttentionReason::CardNotFound)
    }
}

fn card_order(
    order: &Order,
    status: CardOrderStatus,
    code: Option<Box<str>>,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match status {
        CardOrderStatus::Failed if order.ids.card.is_none() && source.is_read() => {
            let events = report_failure(order, code, source.clone());
            let known = fold(order, &events, context);
            events
                .into_iter()
                .chain(creation_failed(&known, source))
                .collect()
        }
        CardOrderStatus::Failed => report_failure(order, code, source),
        CardOrderStatus::Success if source.is_read() && is_overdue(order, context) => {
            attention(order, AttentionReason::ActivationOverdue)
        }
        CardOrderStatus::Pending | CardOrderStatus::Processing | CardOrderStatus::Success => {
            Vec::new()
        }
        CardOrderStatus::Unknown(word) => unknown(order, "order_status", word),
    }
}

/// Its card order is done and its card is not (contract §9.3). Whoever was called for another reason will see it too.
fn is_overdue(order: &Order, context: &Context<'_>) -> bool {
    let State::Accepted {
        since,
        under_review: false,
    } = order.state
    else {
        return false;
    };
    order.attention.is_none() && context.now.since(since) >= context.policy.order_success_alarm
}

/// Rejected, unless the card says otherwise: a look-up reads the card before the person.
fn person_rejected(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    if !source.is_read() {
        let known = order
            .claim
            .as_ref()
            .is_some_and(FailureClaim::blames_person);
        return if known || !source.judges_person() {
            look(order, source, context)
        } else {
            vec![EventBody::FailureReported { code: None, source }]
        };
    }
    let failure = Failure {
        kind: FailureKind::KycRejected,
        code: None,
        missing_fields: Vec::new(),
        who: Who::Host,
        new_order_could_succeed: true,
    };
    failed(order, failure, Some(source))
}

fn is_newer(known: Option<&Link>, heard: &Link) -> bool {
    known.is_none_or(|known| {
        let is_later = heard.expires_at > known.expires_at || planted::is(Bug::OlderLink);
        known.digest != heard.digest && is_later
    })
}

fn renewal_without_link(order: &Order, source: Source) -> Vec<EventBody> {
    let refusal = Refusal {
        class: RefusalClass::Unknown,
        code: "no_link_in_answer".into(),
        http_status: 200,
        missing_fields: Vec::new(),
    };
    refused_other(order, refusal, source)
}

/// Asks for a read. One asked for moments ago covers this too; what was heard then and now will both show in it.
pub(super) fn look(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    let asked = order.look_up.as_ref().is_some_and(|owed| {
        owed.at_once && context.now.since(owed.at) < context.policy.look_up_first
    });
    if asked || source.is_read() {
        return Vec::new();
    }
    vec![EventBody::LookUpRequested {
        cause: LookUpCause::Confirm { source },
    }]
}

pub(super) fn unknown(order: &Order, field: &str, word: Box<str>) -> Vec<EventBody> {
    attention(
        order,
        AttentionReason::UnknownWord {
            field: field.into(),
            word,
        },
    )
}
