//! The discipline of sending: intent before effect, one key with one body, never an old key.

use crate::command::{Context, Rejection};
use crate::event::EventBody;
use crate::ids::Digest;
use crate::key::{Generation, Purpose};
use crate::order::{AttentionReason, Order, Phase, SilenceCause, Submission};
use crate::time::Timestamp;

/// Whether this very call may leave now. Anything but `SubmissionStarted` in the answer means: do not send.
pub(super) fn start(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
    body_digest: Digest,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, Rejection> {
    let submission = owed(order, purpose, generation)?;
    match submission.phase {
        Phase::Owed { .. } => {}
        Phase::InFlight { since } if since.after(context.policy.call_deadline) <= context.now => {}
        Phase::InFlight { .. } => return Err(Rejection::CallInFlight { order: order.id }),
        Phase::Refused { .. } | Phase::Expired | Phase::Done => {
            return Err(Rejection::NoLongerOwed { order: order.id });
        }
    }
    if order.paused {
        return Err(Rejection::NoLongerOwed { order: order.id });
    }
    let too_old = submission
        .first_started_at
        .is_some_and(|first| context.now.since(first) >= context.policy.key_safe_age);
    let changed = submission.body_digest.as_ref().is_some_and(|recorded| *recorded != body_digest);
    if too_old || changed {
        let reason = if changed { AttentionReason::BodyChanged } else { AttentionReason::OutcomeUnknown };
        return Ok(vec![
            EventBody::KeyExpired { purpose, generation },
            EventBody::AttentionRaised { reason },
        ]);
    }
    Ok(vec![EventBody::SubmissionStarted {
        purpose,
        generation,
        attempt: submission.attempts.saturating_add(1),
        key: submission.key,
        body_digest,
    }])
}

pub(super) fn miss_data(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
) -> Result<Vec<EventBody>, Rejection> {
    owed(order, purpose, generation)?;
    Ok(vec![
        EventBody::KeyExpired { purpose, generation },
        EventBody::AttentionRaised { reason: AttentionReason::DataMissing },
    ])
}

/// Silence is recorded and never ends an order. A call that was answered by another road in the meantime is over.
pub(super) fn hear_nothing(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
    cause: SilenceCause,
    retry_at: Timestamp,
) -> Vec<EventBody> {
    match order.submission(purpose) {
        Some(submission) if submission.generation == generation => match submission.phase {
            Phase::InFlight { .. } => vec![EventBody::SubmissionUnanswered {
                purpose,
                generation,
                attempt: submission.attempts,
                cause,
                retry_at,
            }],
            Phase::Owed { .. } | Phase::Refused { .. } | Phase::Expired | Phase::Done => Vec::new(),
        },
        Some(_) | None => Vec::new(),
    }
}

fn owed(order: &Order, purpose: Purpose, generation: Generation) -> Result<&Submission, Rejection> {
    order
        .submission(purpose)
        .filter(|submission| submission.generation == generation)
        .ok_or(Rejection::NoLongerOwed { order: order.id })
}
