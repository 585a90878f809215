//! What contradicts the log, or is about another order: a person's, and never applied.

use crate::attention::{AttentionReason, Discrepancy};
use crate::command::Context;
use crate::echo::Mismatch;
use crate::event::EventBody;
use crate::fact::{Fact, ProviderIds, Source};
use crate::ids::CardId;
use crate::order::{Order, SilenceCause, State};
use crate::planted::{self, Bug};

use super::{attention, submit};

/// Another order's: nothing of it is adopted. Of our own call it says no more than silence would, so the same key is
/// tried again, slowly, since the provider may keep this very answer under it, and its lists are searched.
pub(super) fn mismatched(
    order: &Order,
    mismatch: Mismatch,
    card: Option<CardId>,
    source: Source,
    context: &Context<'_>,
) -> Vec<EventBody> {
    if let (
        State::Requested { .. },
        Source::Answer {
            purpose,
            generation,
        },
    ) = (&order.state, &source)
    {
        let cause = SilenceCause::Mismatched {
            mismatch: mismatch.clone(),
            card,
        };
        let retry_at = context.now.after(context.policy.look_up_cap);
        // An answer is about the key, whichever send of it brought it.
        let newest = order.submission(*purpose).map_or(0, |sent| sent.attempts);
        let mut events =
            submit::hear_nothing(order, *purpose, *generation, newest, cause, retry_at);
        if !events.is_empty() {
            let reason = AttentionReason::AnswerMismatched { mismatch };
            events.extend(attention(order, reason));
        }
        return events;
    }
    note_discrepancy(order, Discrepancy::Mismatched { mismatch, card }, source)
}

/// A different card for the same order: maybe two were made.
pub(super) fn second_card(order: &Order, heard: &ProviderIds, fact: &Fact) -> Option<Discrepancy> {
    let (known, heard) = (order.ids.card.as_ref()?, heard.card.as_ref()?);
    let status = if let Fact::Card(status) = fact {
        Some(status.clone())
    } else {
        None
    };
    let second = Discrepancy::SecondCard {
        card: heard.clone(),
        status,
    };
    (known != heard).then_some(second)
}

/// A cancel answers every contradiction but a second card.
pub(super) fn note_discrepancy(
    order: &Order,
    discrepancy: Discrepancy,
    source: Source,
) -> Vec<EventBody> {
    let enough = order.discrepancies.len() >= Discrepancy::MAX_OPEN;
    let answered = match &discrepancy {
        // Once for each card, whatever becomes of it before a person has looked.
        Discrepancy::SecondCard { card, .. } => enough
            || order.contradicted_by(
                |open| matches!(open, Discrepancy::SecondCard { card: known, .. } if known == card),
            ),
        Discrepancy::Mismatched { card, .. } => enough
            || order.contradicted_by(
                |open| matches!(open, Discrepancy::Mismatched { card: known, .. } if known == card),
            ),
        Discrepancy::LateSuccess { .. } => {
            order.is_compensating()
                || planted::is(Bug::LateCardOverlooked) && order.compensation.is_some()
        }
        // Nobody wants that card any more, however it ended.
        Discrepancy::ActiveCardFailed
        | Discrepancy::ActivePersonRejected
        | Discrepancy::ActiveCardMissing { .. } => order.compensation.is_some(),
    };
    let resolved = order
        .resolved
        .iter()
        .any(|resolved| resolved.covers(&discrepancy));
    if answered || resolved || order.discrepancies.contains(&discrepancy) {
        return Vec::new();
    }
    vec![EventBody::DiscrepancyNoted {
        discrepancy,
        source,
    }]
}
