//! What a fact makes of an order (contract §9). Outer match by state, inner by fact, so that a new fact or state cannot
//! slip through in silence. The order in which facts arrive must not matter once a look-up has followed them.

use crate::attention::{AttentionReason, Discrepancy};
use crate::command::Context;
use crate::event::{By, EventBody, LookUpCause};
use crate::evolve::evolve;
use crate::fact::{
    CardOrderStatus, CardStatus, CardholderStatus, Creation, Fact, Link, Observation, ProviderIds,
    Refusal, RefusalClass, Source, Verification,
};
use crate::ids::CardId;
use crate::key::{Generation, Purpose};
use crate::order::{Failure, FailureKind, Order, Phase, State, Submission, Who};
use crate::outbox::{Activation, LateSuccess};

use super::{absence, attention, failed};

/// What one observation makes of an order.
pub(super) fn learn(
    order: &Order,
    observation: Observation,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let Observation { fact, ids, source } = observation;
    if let Some(other) = other_card(order, &ids) {
        return note_discrepancy(order, Discrepancy::SecondCard { card: other }, source);
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

/// A different card for the same order: maybe two were made.
fn other_card(order: &Order, heard: &ProviderIds) -> Option<CardId> {
    match (&order.ids.card, &heard.card) {
        (Some(known), Some(heard)) if known != heard => Some(heard.clone()),
        (Some(_) | None, Some(_) | None) => None,
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
fn fold(order: &Order, events: &[EventBody], context: &Context<'_>) -> Order {
    events.iter().fold(order.clone(), |order, body| {
        let event = crate::event::Event {
            at: context.now,
            body: body.clone(),
        };
        evolve(order.id, Some(order.clone()), &event).unwrap_or(order)
    })
}

fn judge(order: &Order, fact: Fact, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    match &order.state {
        State::Requested { .. } => Vec::new(),
        State::Accepted { .. } => accepted(order, fact, source, context),
        State::IdvPending { .. } => idv_pending(order, fact, source, context),
        State::Active { .. } => active(order, fact, source, context),
        State::Failed { .. } => failed_already(order, fact, source, context),
    }
}

fn requested(
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
        | Fact::CancelFailed => Vec::new(),
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
    let ours_perhaps =
        absence::is_one_step(order, submission) && (submission.maybe_sent || generation.0 > 1);
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
        RefusalClass::Duplicate if ours_perhaps => vec![EventBody::LookUpRequested {
            cause: LookUpCause::Leftover,
        }],
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
            events.extend(attention(order, reason));
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
    events.push(EventBody::ResubmissionOwed {
        purpose: Purpose::CreateCard,
        generation: Generation(submission.generation.0 + 1),
        due: context.now.after(context.policy.capacity_retry),
        cardholder: submission.cardholder.clone(),
    });
    events
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
    let read = source.is_read();
    match status {
        CardStatus::Active if read || is_believed(order, &source, context) => {
            activated(order, card, status, source)
        }
        // It was active in between; what follows is card management.
        CardStatus::Frozen | CardStatus::Blocked if read => activated(order, card, status, source),
        CardStatus::Failed if read => creation_failed(order, source),
        CardStatus::PreCancel | CardStatus::Cancelled if read => cancelled_early(order, source),
        CardStatus::Pending if read => match &order.claim {
            Some(claim) if context.now.since(claim.at) >= context.policy.failure_confirmation => {
                creation_failed(order, source)
            }
            Some(_) | None => Vec::new(),
        },
        CardStatus::Pending => Vec::new(),
        CardStatus::Active
        | CardStatus::Frozen
        | CardStatus::Blocked
        | CardStatus::Failed
        | CardStatus::PreCancel
        | CardStatus::Cancelled => look(order, source, context),
        CardStatus::Unknown(word) => unknown(order, "card_status", word),
    }
}

/// The one message that is enough by itself (contract §9.2), unless another one contradicted it or policy wants a read.
fn is_believed(order: &Order, source: &Source, context: &Context<'_>) -> bool {
    let announced = matches!(source, Source::Webhook { event_type, .. } if &**event_type == "card.create.succeeded");
    announced && order.claim.is_none() && context.policy.activation == Activation::Webhook
}

/// A card that was reported failed and reads active is shown to a person as well (contract §9.2).
fn activated(order: &Order, card: CardId, status: CardStatus, source: Source) -> Vec<EventBody> {
    let mut events = vec![EventBody::CardActivated {
        card,
        status,
        source: source.clone(),
    }];
    if order.claim.is_some() {
        events.extend(note_discrepancy(
            order,
            Discrepancy::ActiveCardFailed,
            source,
        ));
    }
    events
}

fn creation_failed(order: &Order, source: Source) -> Vec<EventBody> {
    let code = order.claim.as_ref().and_then(|claim| claim.code.clone());
    failed(order, creation_failure(code), Some(source))
}

fn creation_failure(code: Option<Box<str>>) -> Failure {
    Failure {
        kind: FailureKind::CreationFailed,
        code,
        missing_fields: Vec::new(),
        who: Who::Provider,
        new_order_could_succeed: true,
    }
}

fn cancelled_early(order: &Order, source: Source) -> Vec<EventBody> {
    let kind = if order.is_compensating() {
        FailureKind::Cancelled
    } else {
        FailureKind::CancelledByProvider
    };
    let failure = Failure {
        kind,
        code: None,
        missing_fields: Vec::new(),
        who: Who::Operator,
        new_order_could_succeed: true,
    };
    let mut events = failed(order, failure, Some(source));
    if kind == FailureKind::CancelledByProvider {
        events.extend(attention(
            order,
            AttentionReason::Refused {
                code: "cancelled_by_provider".into(),
            },
        ));
    }
    events
}

/// A message says the card could not be made: read before believing it.
fn report_failure(order: &Order, code: Option<Box<str>>, source: Source) -> Vec<EventBody> {
    let known = order
        .claim
        .as_ref()
        .is_some_and(|claim| claim.code.is_some() || code.is_none());
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
        .is_some_and(|claim| context.now.since(claim.at) >= patience);
    if !old || order.state.is_terminal() || order.paused {
        return Vec::new();
    }
    let code = order.claim.as_ref().and_then(|claim| claim.code.clone());
    failed(order, creation_failure(code), None)
}

fn card_missing(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    if order.claim.is_some() {
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
        return look(order, source, context);
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
    known.is_none_or(|known| known.digest != heard.digest && heard.expires_at > known.expires_at)
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

/// A refused renewal or cancel: a person decides; the order goes on being looked up.
fn refused_other(order: &Order, refusal: Refusal, source: Source) -> Vec<EventBody> {
    let Source::Answer {
        purpose,
        generation,
    } = &source
    else {
        return Vec::new();
    };
    let (purpose, generation) = (*purpose, *generation);
    let Some(submission) = order
        .submission(purpose)
        .filter(|submission| submission.generation == generation)
    else {
        return Vec::new();
    };
    match submission.phase {
        Phase::Owed { .. } | Phase::InFlight { .. } => {}
        Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => return Vec::new(),
    }
    let reason = AttentionReason::behind(purpose, &refusal);
    let mut events = vec![EventBody::SubmissionRefused {
        purpose,
        generation,
        refusal,
        source,
    }];
    events.extend(attention(order, reason));
    events
}

fn active(order: &Order, fact: Fact, source: Source, context: &Context<'_>) -> Vec<EventBody> {
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
        Fact::Created(_)
        | Fact::CardMissing
        | Fact::CardAbsent(_)
        | Fact::CardOrder { .. }
        | Fact::Cardholder { .. } => Vec::new(),
    }
}

/// A message against an active card is read before it is believed, unless nobody wants that card any more.
fn look_again(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    if order.compensation.is_some() {
        Vec::new()
    } else {
        look(order, source, context)
    }
}

fn failed_already(
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
        Fact::Created(_)
        | Fact::CardCreationFailed { .. }
        | Fact::CardMissing
        | Fact::CardAbsent(_)
        | Fact::CardOrder { .. }
        | Fact::Cardholder { .. } => Vec::new(),
    }
}

/// What a card's status says about the cancelling of it (contract §2.7).
fn cancelling(
    order: &Order,
    status: CardStatus,
    source: &Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let read = source.is_read();
    match status {
        CardStatus::PreCancel | CardStatus::Cancelled => {
            vec![EventBody::CompensationCompleted {
                status: Some(status),
            }]
        }
        // Nothing left to cancel.
        CardStatus::Failed if read => vec![EventBody::CompensationCompleted {
            status: Some(status),
        }],
        // The call was taken long ago and had no effect.
        CardStatus::Active | CardStatus::Frozen | CardStatus::Blocked if read => order
            .submission(Purpose::CancelCard)
            .filter(|cancel| cancel.phase == Phase::Done)
            .and_then(|cancel| cancel.first_started_at)
            .filter(|sent| context.now.since(*sent) >= context.policy.outcome_unknown_alarm)
            .map(|_| {
                attention(
                    order,
                    AttentionReason::CancelRefused {
                        code: "no_effect".into(),
                    },
                )
            })
            .unwrap_or_default(),
        CardStatus::Active
        | CardStatus::Frozen
        | CardStatus::Blocked
        | CardStatus::Failed
        | CardStatus::Pending => Vec::new(),
        CardStatus::Unknown(word) => unknown(order, "card_status", word),
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
    if cancelled && !source.is_read() {
        // An older message about the card that was cancelled since.
        return Vec::new();
    }
    let mut events = note_discrepancy(order, Discrepancy::LateSuccess { card }, source);
    // Whoever wanted the order cancelled before it failed wants this card cancelled too.
    let wanted = match &order.compensation {
        Some(over) => (!cancelled).then(|| over.by.clone()),
        None => (context.policy.late_success == LateSuccess::Cancel).then_some(By::Policy),
    };
    if !events.is_empty() {
        events.extend(wanted.map(|by| EventBody::CompensationStarted { by }));
    }
    events
}

/// A cancel answers every contradiction but a second card.
fn note_discrepancy(order: &Order, discrepancy: Discrepancy, source: Source) -> Vec<EventBody> {
    let answered = match discrepancy {
        Discrepancy::SecondCard { .. } => false,
        Discrepancy::LateSuccess { .. } => order.is_compensating(),
        // Nobody wants that card any more, however it ended.
        Discrepancy::ActiveCardFailed | Discrepancy::ActivePersonRejected => {
            order.compensation.is_some()
        }
    };
    if answered || order.discrepancy.as_ref() == Some(&discrepancy) {
        return Vec::new();
    }
    vec![EventBody::DiscrepancyNoted {
        discrepancy,
        source,
    }]
}

/// The cancel call was taken; the card's status says when it is done.
fn cancel_taken(order: &Order, source: Source) -> Vec<EventBody> {
    let flying =
        order
            .submission(Purpose::CancelCard)
            .filter(|submission| match submission.phase {
                Phase::Owed { .. } | Phase::InFlight { .. } => true,
                Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => false,
            });
    flying
        .map(|submission| EventBody::SubmissionAnswered {
            purpose: Purpose::CancelCard,
            generation: submission.generation,
            source,
        })
        .into_iter()
        .collect()
}

/// The cancel call was taken, and then nothing came of it: the next one needs a new key. What was not sent yet cannot
/// have failed.
fn cancel_failed(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
    let Some(cancel) = order.submission(Purpose::CancelCard) else {
        return Vec::new();
    };
    let spent = match cancel.phase {
        Phase::Owed { .. } => cancel.attempts > 0,
        Phase::InFlight { .. } | Phase::Done => true,
        Phase::Refused { .. } | Phase::Expired { .. } => false,
    };
    if !spent {
        return Vec::new();
    }
    let refusal = Refusal {
        class: RefusalClass::Unknown,
        code: "card_status_update_failed".into(),
        http_status: 200,
        missing_fields: Vec::new(),
    };
    let reason = AttentionReason::behind(Purpose::CancelCard, &refusal);
    let generation = cancel.generation;
    let mut events = vec![EventBody::SubmissionRefused {
        purpose: Purpose::CancelCard,
        generation,
        refusal,
        source,
    }];
    if generation.0 <= context.policy.cancel_retries {
        events.push(EventBody::ResubmissionOwed {
            purpose: Purpose::CancelCard,
            generation: Generation(generation.0 + 1),
            due: context.now.after(context.policy.cancel_retry),
            cardholder: None,
        });
    } else {
        events.extend(attention(order, reason));
    }
    events
}

/// Asks for a read. One asked for moments ago covers this too; what was heard then and now will both show in it.
fn look(order: &Order, source: Source, context: &Context<'_>) -> Vec<EventBody> {
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

fn unknown(order: &Order, field: &str, word: Box<str>) -> Vec<EventBody> {
    attention(
        order,
        AttentionReason::UnknownWord {
            field: field.into(),
            word,
        },
    )
}
