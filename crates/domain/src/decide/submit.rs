//! The discipline of sending: intent before effect, one key with one body, never an old key.

use crate::attention::AttentionReason;
use crate::command::{Context, Rejection};
use crate::event::EventBody;
use crate::fact::{Fact, Observation, Source};
use crate::failure::FailureKind;
use crate::ids::Digest;
use crate::key::{Generation, IdempotencyKey, Purpose};
use crate::order::{ExpiryCause, Order, Phase, SilenceCause, Submission};
use crate::planted::{self, Bug};
use crate::time::Timestamp;

use super::operate::ended_by;
use super::{attention, failed};

/// Whether this very call may leave now. Anything but `SubmissionStarted` in the answer means: do not send.
pub(super) fn start(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
    body_digest: Digest,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, Rejection> {
    let submission = sendable(order, purpose, generation, context)?;
    // A clock that went back would make every key young again.
    if let Some(sent) = submission
        .last_started_at
        .filter(|sent| *sent > context.now)
    {
        return Err(Rejection::ClockBehind {
            order: order.id,
            sent,
        });
    }
    let counts_from = if planted::is(Bug::AgeFromLastSend) {
        submission.last_started_at
    } else {
        submission.first_started_at
    };
    let too_old = counts_from
        .is_some_and(|first| context.now.since(first) >= context.policy.key_safe_age)
        && !planted::is(Bug::KeyOfAnyAge);
    let changed = submission
        .body_digest
        .as_ref()
        .is_some_and(|recorded| *recorded != body_digest);
    if too_old || changed {
        let (because, reason) = if changed {
            (ExpiryCause::BodyChanged, AttentionReason::BodyChanged)
        } else {
            (ExpiryCause::TooOld, AttentionReason::OutcomeUnknown)
        };
        return Ok(give_up(order, purpose, generation, because, reason));
    }
    Ok(vec![EventBody::SubmissionStarted {
        purpose,
        generation,
        attempt: submission.attempts.saturating_add(1),
        key: if planted::is(Bug::KeyPerAttempt) {
            let nth = Generation(generation.0 + submission.attempts);
            IdempotencyKey::derive(order.id, purpose, nth)
        } else {
            submission.key
        },
        body_digest,
    }])
}

pub(super) fn miss_data(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, Rejection> {
    sendable(order, purpose, generation, context)?;
    Ok(give_up(
        order,
        purpose,
        generation,
        ExpiryCause::DataMissing,
        AttentionReason::DataMissing,
    ))
}

/// The key is never sent again.
fn give_up(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
    because: ExpiryCause,
    reason: AttentionReason,
) -> Vec<EventBody> {
    let mut events = vec![EventBody::KeyExpired {
        purpose,
        generation,
        because: Some(because),
    }];
    events.extend(attention(order, reason));
    events
}

/// Silence is recorded and never ends an order. A call that was answered by another road in the meantime is over, and one
/// that was sent again since is not known by what became of the send before: that it may have arrived was noted then.
pub(super) fn hear_nothing(
    order: &Order,
    purpose: Purpose,
    generation: Generation,
    attempt: u32,
    cause: SilenceCause,
    retry_at: Timestamp,
) -> Vec<EventBody> {
    match order.submission(purpose) {
        Some(submission) if submission.generation == generation => match submission.phase {
            Phase::InFlight { .. } if submission.attempts != attempt => Vec::new(),
            Phase::InFlight { .. } => {
                // Nothing ever arrived and nobody wants the card any more: a retry would make it only to cancel it.
                let nothing_there =
                    purpose == Purpose::CreateCard && !submission.maybe_sent && !cause.maybe_sent();
                let mut events = vec![EventBody::SubmissionUnanswered {
                    purpose,
                    generation,
                    attempt,
                    cause,
                    retry_at,
                }];
                if nothing_there && order.is_compensating() || planted::is(Bug::TimeoutFails) {
                    events.extend(failed(order, ended_by(FailureKind::Cancelled), None));
                }
                events
            }
            Phase::Owed { .. } | Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => {
                Vec::new()
            }
        },
        Some(_) | None => Vec::new(),
    }
}

/// Whether it refuses a send after which the same was sent again: what came of the later one is not known by it. If the
/// key is refused, the next replay hears so again.
pub(super) fn is_overtaken(order: &Order, attempt: u32, observation: &Observation) -> bool {
    let (
        Fact::Refused(_),
        Source::Answer {
            purpose,
            generation,
        },
    ) = (&observation.fact, &observation.source)
    else {
        return false;
    };
    order.submission(*purpose).is_some_and(|submission| {
        submission.generation == *generation && submission.attempts > attempt
    })
}

/// The submission, if it may be sent now. A call in flight is lost once its deadline is over.
fn sendable<'a>(
    order: &'a Order,
    purpose: Purpose,
    generation: Generation,
    context: &Context<'_>,
) -> Result<&'a Submission, Rejection> {
    let no_longer_owed = Rejection::NoLongerOwed { order: order.id };
    let owed = order
        .submission(purpose)
        .filter(|submission| submission.generation == generation)
        .filter(|_| !order.paused || planted::is(Bug::SentWhilePaused))
        .filter(|_| purpose != Purpose::CancelCard || !order.doubts_its_card());
    let Some(submission) = owed else {
        return Err(no_longer_owed);
    };
    match submission.phase {
        Phase::Owed { .. } => Ok(submission),
        Phase::InFlight { since } if since.after(context.policy.call_deadline) <= context.now => {
            Ok(submission)
        }
        Phase::InFlight { .. } => Err(Rejection::CallInFlight { order: order.id }),
        Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => Err(no_longer_owed),
    }
}
