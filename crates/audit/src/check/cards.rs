//! What an event says that its card is, the card was by then at the provider: not what it is now, since others may change it
//! at any time (contract §4.1).

use issuance_domain::{CardId, CardStatus, Discrepancy, EventBody, FailureKind, Source};

use super::basis;
use super::invariant::{Input, Invariant};
use super::order::{Seen, Tracked};
use super::provider::Provider;
use super::rules::Rules;
use super::verdicts::Verdicts;
use super::violation::Evidence;

/// Judges one event that was just folded in.
pub(super) fn judge(
    provider: &Provider,
    tracked: &Tracked,
    body: &EventBody,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) {
    let Some((invariant, card, wanted, what)) = claimed(tracked, body) else {
        return;
    };
    let until = rules.clocks.map(|clocks| seen.at.after(clocks));
    let was = provider.was(&card, &wanted, until);
    if !rules.as_it_happens || !verdicts.has_seen(Input::Cards) {
        return;
    }
    verdicts.hold(invariant, Some(tracked.id), was != Some(false), || {
        (what.to_owned(), vec![seen.into(), Evidence::Card { card }])
    });
}

type Claim = (Invariant, CardId, Vec<CardStatus>, &'static str);

/// What the card must have been for the event to be true.
fn claimed(tracked: &Tracked, body: &EventBody) -> Option<Claim> {
    let own = tracked.order.as_ref()?.ids.card.clone();
    let gone = vec![CardStatus::PreCancel, CardStatus::Cancelled];
    match body {
        EventBody::CardActivated { card, status, .. } => {
            let what = "it is called active by a status that its card never had by then";
            Some((Invariant::S18, card.clone(), vec![status.clone()], what))
        }
        EventBody::CompensationCompleted {
            status: Some(status),
        } => {
            let what = "its cancel is called done by a status that its card never had by then";
            Some((Invariant::S19, own?, vec![status.clone()], what))
        }
        EventBody::OrderFailed {
            failure,
            source: Some(source),
        } if basis::is_read(source) => {
            let by_others = failure.kind == FailureKind::CancelledByProvider;
            let what = "it failed as cancelled, and its card was not by then";
            (by_others || failure.kind == FailureKind::Cancelled).then_some((
                Invariant::S30,
                own?,
                gone,
                what,
            ))
        }
        EventBody::DiscrepancyNoted {
            discrepancy: Discrepancy::LateSuccess { card },
            source: Source::LookUp | Source::Webhook { .. },
        } => {
            let live = vec![CardStatus::Active, CardStatus::Frozen, CardStatus::Blocked];
            let what = "a person is called for a late card that never was usable by then";
            Some((Invariant::S19, card.clone(), live, what))
        }
        // Unless a message had reported that it failed.
        EventBody::DiscrepancyNoted {
            discrepancy: Discrepancy::ActiveCardFailed,
            ..
        } if tracked.standing.report.is_none() => {
            let what = "a person is called for a failed card that never failed by then";
            Some((Invariant::S19, own?, vec![CardStatus::Failed], what))
        }
        _ => None,
    }
}
