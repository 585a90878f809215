//! What a search that found no card makes of a create call whose key is spent (contract §6.5): proof, a leftover to go on
//! with, or a person's question.

use crate::absence::{Absence, Likeness, Scan};
use crate::attention::AttentionReason;
use crate::command::Context;
use crate::event::EventBody;
use crate::fact::{Refusal, RefusalClass, Source};
use crate::failure::{Failure, FailureKind, Who};
use crate::key::{Generation, Purpose};
use crate::order::{ExpiryCause, Order, Phase, State, Submission};
use crate::outbox::AbsencePolicy;
use crate::planted::{self, Bug};
use crate::time::Timestamp;

use super::operate::ended_by;
use super::{attention, failed};

/// A search found no card. While the key may still be sent, that proves nothing: the call may arrive.
pub(super) fn absent(
    order: &Order,
    submission: &Submission,
    scan: Scan,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match &submission.phase {
        Phase::Refused { refusal } if refusal.class == RefusalClass::Duplicate => {
            leftover(order, submission, refusal, scan, context)
        }
        Phase::Refused { refusal } if refusal.class == RefusalClass::KeyConflict => {
            prove(order, submission, scan, context)
        }
        Phase::Expired { .. } => prove(order, submission, scan, context),
        Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Refused { .. } | Phase::Done => {
            Vec::new()
        }
    }
}

/// Whether the create body makes a person.
pub(super) fn is_one_step(order: &Order, submission: &Submission) -> bool {
    order.terms.cardholder_id.is_none() && submission.cardholder.is_none()
}

/// E-mail or phone is taken: by ourselves, by somebody else, or by nobody that can be found.
fn leftover(
    order: &Order,
    submission: &Submission,
    refusal: &Refusal,
    scan: Scan,
    context: &Context<'_>,
) -> Vec<EventBody> {
    match scan.holder.as_ref().map(|holder| holder.likeness) {
        Some(Likeness::Ours) if is_one_step(order, submission) && !order.is_compensating() => {
            resubmission(order, submission, &scan, context.now)
        }
        Some(Likeness::Stranger) => {
            let failure = Failure {
                kind: FailureKind::Duplicate,
                code: Some(refusal.code.clone()),
                missing_fields: refusal.missing_fields.clone(),
                who: Who::Host,
                new_order_could_succeed: true,
            };
            failed(order, failure, Some(Source::LookUp))
        }
        Some(Likeness::Ours | Likeness::Unclear) | None => {
            let mut events = prove(order, submission, scan.clone(), context);
            let raised = attention(
                order,
                AttentionReason::PossibleLeftover {
                    code: refusal.code.clone(),
                },
            );
            if events.is_empty() && !raised.is_empty() {
                let generation = submission.generation;
                events.push(EventBody::AbsenceObserved {
                    generation,
                    scan,
                    counts: false,
                });
            }
            events.extend(raised);
            events
        }
    }
}

fn prove(
    order: &Order,
    submission: &Submission,
    scan: Scan,
    context: &Context<'_>,
) -> Vec<EventBody> {
    let generation = submission.generation;
    let Some(sent) = submission.last_started_at else {
        return Vec::new();
    };
    let arrival = sent.after(context.policy.call_deadline);
    match Absence::after(submission.absence.as_ref(), scan, arrival, context.policy) {
        None => Vec::new(),
        Some(Absence::Seen { scan }) => vec![EventBody::AbsenceObserved {
            generation,
            scan,
            counts: true,
        }],
        Some(Absence::Proved { first, second }) => {
            let mut events = vec![EventBody::AbsenceProved {
                generation,
                first,
                second: second.clone(),
            }];
            events.extend(proved(order, submission, &second, context));
            events
        }
    }
}

/// Nothing came of the key.
fn proved(
    order: &Order,
    submission: &Submission,
    scan: &Scan,
    context: &Context<'_>,
) -> Vec<EventBody> {
    if order.is_compensating() {
        return failed(order, ended_by(FailureKind::Cancelled), None);
    }
    match &submission.phase {
        Phase::Expired {
            because: Some(ExpiryCause::DataMissing),
        } => Vec::new(),
        // Where money is loaded, a second card would cost it (contract §6.5); where answers are mixed up, so may lists be.
        Phase::Expired { .. }
            if (order.prepaid
                || submission.mismatched
                || context.policy.absence == AbsencePolicy::Attention)
                && !planted::is(Bug::ProofAlone) =>
        {
            attention(order, AttentionReason::AbsenceProved)
        }
        Phase::Expired { .. } => resubmission(order, submission, scan, context.now),
        // Why it was refused stays a person's question.
        Phase::Refused { .. } | Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => {
            Vec::new()
        }
    }
}

/// The same under a new key, with the person an earlier one left behind.
fn resubmission(
    order: &Order,
    submission: &Submission,
    scan: &Scan,
    now: Timestamp,
) -> Vec<EventBody> {
    let found = scan
        .leftover()
        .filter(|_| is_one_step(order, submission))
        .cloned();
    let mut events: Vec<_> = found
        .iter()
        .map(|cardholder| EventBody::LeftoverFound {
            cardholder: cardholder.clone(),
            scan: scan.clone(),
        })
        .collect();
    events.push(EventBody::ResubmissionOwed {
        purpose: Purpose::CreateCard,
        generation: Generation(submission.generation.0 + 1),
        due: now,
        cardholder: found
            .or_else(|| submission.cardholder.clone())
            .filter(|_| !planted::is(Bug::PersonForgotten)),
    });
    events
}

/// Whether an operator may ask for a new key: with a proof, only a fresh one, and once.
pub(super) fn may_resubmit(order: &Order, context: &Context<'_>) -> Result<(), &'static str> {
    let (submission, _) = provably_nothing(order, context)?;
    match submission.resubmit_asked {
        Some(_) => Err("it is asked for already; a second person approves it"),
        None => Ok(()),
    }
}

/// Two people want it under a new key, and the proof is still fresh: it is sent.
pub(super) fn resubmit_by_two(
    order: &Order,
    second: &str,
    context: &Context<'_>,
) -> Result<Vec<EventBody>, &'static str> {
    let (submission, scan) = provably_nothing(order, context)?;
    match &submission.resubmit_asked {
        None => Err("nobody asked for it"),
        Some(asked) if &*asked.by == second && !planted::is(Bug::ApprovedByOne) => {
            Err("whoever asked for it cannot approve it; a second person can")
        }
        Some(_) => Ok(resubmission(order, submission, scan, context.now)),
    }
}

/// The spent create call and the fresh proof that nothing came of it.
fn provably_nothing<'a>(
    order: &'a Order,
    context: &Context<'_>,
) -> Result<(&'a Submission, &'a Scan), &'static str> {
    let State::Requested { submission } = &order.state else {
        return Err("the create call was answered");
    };
    match &submission.phase {
        Phase::Expired {
            because: Some(ExpiryCause::DataMissing),
        } => Err("the personal data for the call is gone"),
        Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => {
            Err("its key can still be sent")
        }
        Phase::Expired { .. } | Phase::Refused { .. } => submission
            .absence
            .as_ref()
            .and_then(|absence| absence.proof(context.now, context.policy))
            .map(|scan| (submission, scan))
            .ok_or("there is no fresh proof that nothing came of it; look it up, twice if need be"),
    }
}
