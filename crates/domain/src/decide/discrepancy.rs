//! What contradicts the log, or is about another order: a person's, and never applied.

use crate::attention::{AttentionReason, Discrepancy};
use crate::command::Context;
use crate::echo::Mismatch;
use crate::event::EventBody;
use crate::fact::{Fact, ProviderIds, Source};
use crate::ids::CardId;
use crate::order::{Order, SilenceCause, State};

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
    let answered = match discrepancy {
        // One is enough to call a person; more of them would take turns for ever.
        Discrepancy::SecondCard { .. } => {
            matches!(order.discrepancy, Some(Discrepancy::SecondCard { .. }))
        }
        Discrepancy::Mismatched { .. } => {
            matches!(order.discrepancy, Some(Discrepancy::Mismatched { .. }))
        }
        Discrepancy::LateSuccess { .. } => order.is_compensating(),
        // Nobody wants that card any more, however it ended.
        Discrepancy::ActiveCardFailed
        | Discrepancy::ActivePersonRejected
        | Discrepancy::ActiveCardMissing { .. } => order.compensation.is_some(),
    };
    let resolved = order
        .resolved
        .iter()
        .any(|resolved| resolved.covers(&discrepancy));
    if answered || resolved || order.discrepancy.as_ref() == Some(&discrepancy) {
        return Vec::new();
    }
    vec![EventBody::DiscrepancyNoted {
        discrepancy,
        source,
    }]
}
