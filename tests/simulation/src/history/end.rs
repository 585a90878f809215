//! When all is quiet: the last judgement, and whether it is quiet.

use futures_util::FutureExt;
use issuance_audit::Ending;
use issuance_domain::{
    AttentionReason, METADATA_ORDER_KEY, Order, Phase, Policy, Purpose, State, Timestamp, outbox,
};
use issuance_simulator::{CardEntry, CardStatus, Endpoint, Local, product};
use issuance_store::{Alias, SimulatedStore, Store};

use super::inbox::is_known;
use super::{History, told};
use crate::rows;

/// What is due is taken up within this.
const OVERDUE: i64 = 120_000;
/// Nothing is on its way for longer.
const LATE: i64 = 600_000;

impl History {
    /// Long after the world healed, with room for every call: nothing that is due lies about (L6).
    pub(crate) fn judge_overdue(&mut self, store: &SimulatedStore, now: i64) {
        for id in self.orders.clone() {
            let Some(Ok(tasks)) = store.tasks(id).now_or_never() else {
                continue;
            };
            let lies = |at: Timestamp| now - at.millis() > OVERDUE;
            let late = tasks
                .iter()
                .find(|row| lies(row.due) && row.leased_until.is_none_or(lies));
            if let Some(task) = late {
                let what = format!("its {} is overdue", task.id.action.name());
                return self.violate("L6", Some(id), what);
            }
        }
    }

    /// Whether a card is live that no order is known to have: the next reconciliation finds it.
    pub(crate) fn is_unreconciled(&self) -> bool {
        let verdict = self.checker.report(Ending::AtRest);
        let broken = |violation: &issuance_audit::Violation| violation.invariant.id() == "S19";
        verdict.violations.iter().any(broken)
    }

    /// What was read of a card after all was well again, its order knows: an open one waits for no card that is there or
    /// gone, and no cancel for one that is over.
    pub(crate) fn judge_cards(&mut self, provider: &Local, healed: i64) {
        for card in provider.cards_beyond(|_| None) {
            let Some((order, status)) = self.known_by(&card) else {
                continue;
            };
            let open = !order.state.is_terminal() && status != CardStatus::Pending;
            let over = matches!(
                status,
                CardStatus::PreCancel | CardStatus::Cancelled | CardStatus::Failed
            );
            let what = if open {
                "it still waits for its card"
            } else if over && order.is_compensating() {
                "its cancel still goes on"
            } else {
                continue;
            };
            let since = card.history.last().map_or(0, |(at, _)| *at);
            let from = since.max(healed + LATE);
            let was_read = provider.requests_from(0).any(|request| {
                let about = request.card_id == Some(card.card_id) && request.at >= from;
                about && request.endpoint == Endpoint::GetCard && request.status == 200
            });
            if was_read {
                let (id, what) = (order.id, format!("{what}, which is {status:?}"));
                self.violate("L2", Some(id), what);
            }
        }
    }

    /// The order that knows a card for its own, and what it is.
    fn known_by(&self, card: &CardEntry) -> Option<(&Order, CardStatus)> {
        let mark = card.metadata.get(METADATA_ORDER_KEY)?.as_str()?;
        let order = self.order(mark.parse().ok()?)?;
        let own = order.ids.card.as_ref()?.as_str() == card.card_id.to_string();
        let (_, status) = card.history.last()?;
        (own && !order.paused && !order.doubts_its_card()).then_some((order, *status))
    }

    /// The last judgement, once all is quiet.
    pub(crate) fn judge(&mut self, store: &SimulatedStore, calm: bool) {
        for id in self.orders.clone() {
            let Some(order) = self.checker.order(id) else {
                continue;
            };
            let poor = order.terms.product_id.as_str() == product::EMPTY_POOL.to_string();
            let well = !calm || poor || matches!(order.state, State::Active { .. });
            let broken = self.watch.at_rest(order);
            let heeded = |message: &str| self.watch.is_heeded(message);
            let broken = broken.or_else(|| self.evidence.in_vain(order, heeded));
            let broken = broken.or_else(|| {
                let what = format!("nothing went wrong, and it is {}", order.state.name());
                (!well).then_some(("L2", Some(id), what))
            });
            self.take(broken);
        }
        let verdict = self.checker.report(Ending::AtRest);
        let ours = verdict.violations.iter().find(|other| self.is_ours(other));
        if let (Some(first), None) = (ours, &self.violation) {
            self.violation = Some(told(first));
        }
        let orders = self.orders.iter().filter_map(|id| self.checker.order(*id));
        let broken = rows::all(store, &orders.collect::<Vec<_>>());
        self.take(broken);
        if matches!(store.pending_messages(1).now_or_never(), Some(Ok(left)) if !left.is_empty()) {
            self.violate("L3", None, "a message lies unread in the inbox".into());
        }
        for id in self.orders.clone() {
            let is_erased = self.order(id).is_some_and(Order::is_erased);
            let sealed = store.sealed_of(id);
            if is_erased && sealed > 0 {
                let what = format!("its data was erased, and {sealed} things are sealed of it");
                self.violate("S21", Some(id), what);
            }
        }
        let parked = store.parked_messages(usize::MAX).now_or_never();
        for message in parked.into_iter().flatten().flatten() {
            let known = |alias: &Alias| {
                let found = store.find(alias).now_or_never();
                !matches!(alias, Alias::Cardholder(_))
                    && matches!(found, Some(Ok(orders)) if !orders.is_empty())
            };
            if message.aliases.iter().any(known) {
                let what = format!("message {} is parked, and its order is known", message.id);
                self.violate("L3", None, what);
            }
        }
        self.judge_bodies();
        for id in std::mem::take(&mut self.acknowledged) {
            if !is_known(store, &id) {
                self.violate(
                    "S4",
                    None,
                    format!("webhook {id} was acknowledged and is not there"),
                );
            }
        }
    }
}

/// The first order that still moves: neither ended and told, nor before a person, nor waiting behind an alarm of its pool.
pub(crate) fn restless<'a>(
    orders: impl Iterator<Item = &'a Order> + Clone,
    policy: &Policy,
    now: i64,
) -> Option<&'a Order> {
    orders
        .clone()
        .find(|order| !is_settled(order, policy, now) && !is_behind(order, orders.clone()))
}

/// Nothing on its way; or a person's to decide, and shown to one.
fn is_settled(order: &Order, policy: &Policy, now: i64) -> bool {
    if order.state.is_terminal() && outbox(order, policy).is_empty() {
        return true;
    }
    let shown = order
        .attention
        .as_ref()
        .is_some_and(|attention| now - attention.since.millis() > 3_600_000);
    // A call on its way may bring an end yet.
    let flies = order
        .submission(Purpose::CreateCard)
        .is_some_and(|submission| matches!(submission.phase, Phase::InFlight { .. }));
    shown && order.notice.told >= order.notice.owed && !flies
}

/// One cause raises one alarm (design §5): whoever waits until the pool has cards again needs none of its own.
fn is_behind<'a>(order: &Order, mut others: impl Iterator<Item = &'a Order>) -> bool {
    // What became of a call that may have arrived must be known all the same.
    let waits = matches!(&order.state, State::Requested { submission }
        if matches!(submission.phase, Phase::Owed { .. }) && !submission.outcome_unknown());
    waits
        && others.any(|other| {
            let reason = other.attention.as_ref().map(|called| &called.reason);
            other.terms.product_id == order.terms.product_id
                && *order.terms.product_id.as_str() == *product::EMPTY_POOL.to_string()
                && matches!(reason, Some(AttentionReason::Capacity { .. }))
        })
}
