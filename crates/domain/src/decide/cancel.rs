//! What a fact makes of the cancelling of a card, and of any call but the create call that is refused (contract §2.7).

use crate::attention::AttentionReason;
use crate::command::Context;
use crate::event::EventBody;
use crate::fact::{CardStatus, Refusal, RefusalClass, Source};
use crate::key::{Generation, Purpose};
use crate::order::{Order, Phase};
use crate::planted::{self, Bug};

use super::attention;
use super::learn::unknown;

/// A refused renewal or cancel: a person decides; the order goes on being looked up.
pub(super) fn refused_other(order: &Order, refusal: Refusal, source: Source) -> Vec<EventBody> {
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

/// What a card's status says about the cancelling of it (contract §2.7).
pub(super) fn cancelling(
    order: &Order,
    status: CardStatus,
    source: &Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let read = source.is_read();
    match status {
        CardStatus::Frozen | CardStatus::Blocked if read && planted::is(Bug::FrozenIsCancelled) => {
            vec![EventBody::CompensationCompleted {
                status: Some(status),
            }]
        }
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

/// The cancel call was taken; the card's status says when it is done. A message that nothing came of it may be here
/// before the answer, which says nothing of the next key.
pub(super) fn cancel_taken(order: &Order, source: Source) -> Vec<EventBody> {
    let is_answered = |cancel: Generation| match &source {
        Source::Answer {
            purpose: Purpose::CancelCard,
            generation,
        } => *generation == cancel || planted::is(Bug::LateYesToNext),
        Source::Answer { .. } | Source::Webhook { .. } | Source::LookUp => false,
    };
    let flying =
        order
            .submission(Purpose::CancelCard)
            .filter(|submission| match submission.phase {
                Phase::Owed { .. } | Phase::InFlight { .. } => is_answered(submission.generation),
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
pub(super) fn cancel_failed(
    order: &Order,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let Some(cancel) = order.submission(Purpose::CancelCard) else {
        return Vec::new();
    };
    let spent = match cancel.phase {
        Phase::Owed { .. } => cancel.attempts > 0,
        Phase::InFlight { .. } => true,
        Phase::Done => !planted::is(Bug::VainCancelUnheard),
        Phase::Refused { .. } | Phase::Expired { .. } => false,
    };
    if !spent {
        return Vec::new();
    }
    if planted::is(Bug::VainCancelDone) {
        let status = Some(CardStatus::PreCancel);
        return vec![EventBody::CompensationCompleted { status }];
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
    } else if !planted::is(Bug::VainCancelUntold) {
        events.extend(attention(order, reason));
    }
    events
}
