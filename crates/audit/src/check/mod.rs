//! The checker: judges a log, the provider's side and the outside history by the invariants of reliability §3.
//!
//! It is fed facts and answers with a [`Verdict`]. [`Checker::record`] takes the log's events in their order,
//! [`Checker::message`] and [`Checker::settled`] the inbox, [`Checker::provider`] what is so at the provider,
//! [`Checker::outside`] what the world was told, [`Checker::projection`] what a store derived. Each judges at once what
//! can be judged at once; [`Checker::report`] judges the rest, as often as wanted.
//!
//! Two ways to feed it. A simulation says [`Rules::as_it_happens`], feeds each fact when it happens (events when they are
//! durable) and looks at [`Checker::first`] after each step. Whoever has a finished world feeds the whole log first, then
//! the provider's side, then the outside history. What was not fed is reported as not judged, never as held.

mod basis;
mod cards;
mod ends;
mod inbox;
mod invariant;
mod keys;
mod ledger;
mod log;
mod order;
mod outside;
mod provider;
mod record;
mod refusal;
mod report;
mod rules;
mod standing;
mod verdicts;
mod violation;

use std::collections::HashMap;

use issuance_domain::{
    IdempotencyKey, MessageId, Order, OrderId, State, TaskId, Timestamp, outbox,
};
use issuance_store::{HostReference, Position};

pub use ends::{End, Ends};
pub use invariant::{Basis, Input, Invariant};
pub use ledger::{Ledger, LedgerError};
pub use outside::Outside;
pub use provider::{Call, Card, ProviderFact, Request};
pub use report::{Judgement, Outcome, Verdict};
pub use rules::Rules;
pub use violation::{Evidence, Violation};

use inbox::Delivered;
use keys::KeyUse;
use order::{Seen, Tracked};
use outside::Acknowledged;
use provider::Provider;
use verdicts::Verdicts;

/// How the world was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In the middle of something: nothing can be asked of what is still to come.
    Cut,
    /// Healed, and left alone until nothing happened any more: everything owed must have been done.
    AtRest,
}

/// Judges as it is fed.
#[derive(Debug, Clone)]
pub struct Checker {
    rules: Rules,
    verdicts: Verdicts,
    /// The newest position seen.
    head: Position,
    orders: HashMap<OrderId, Tracked>,
    keys: HashMap<IdempotencyKey, KeyUse>,
    references: HashMap<HostReference, OrderId>,
    messages: HashMap<MessageId, Delivered>,
    /// Messages whose first events are of the newest append: whose, the event, and whether it only notes them.
    applying: Vec<(MessageId, OrderId, Seen, bool)>,
    provider: Provider,
    outside: Acknowledged,
    /// The order and time of the newest append, while what it left was not judged.
    unjudged: Option<(OrderId, Timestamp)>,
}

impl Checker {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            verdicts: Verdicts::new(rules.seed),
            rules,
            head: Position::default(),
            orders: HashMap::new(),
            keys: HashMap::new(),
            references: HashMap::new(),
            messages: HashMap::new(),
            applying: Vec::new(),
            provider: Provider::default(),
            outside: Acknowledged::default(),
            unjudged: None,
        }
    }

    /// The newest position it has seen: where to go on reading.
    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    /// The first violation, if there is one yet.
    #[must_use]
    pub fn first(&self) -> Option<&Violation> {
        self.verdicts.violations.first()
    }

    /// The fold of an order's events.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id)?.order.as_ref()
    }

    /// What a store derived from the events seen so far: the order itself and what it owes (S10). Right after a start, and
    /// wherever the store stands still.
    pub fn projection(&mut self, derived: &Order, tasks: &[TaskId]) {
        self.verdicts.see(Input::Projections);
        let id = derived.id;
        let tracked = self.orders.get(&id);
        let fold = tracked.and_then(|tracked| tracked.order.as_ref());
        let facts = || tracked.map(Tracked::newest).unwrap_or_default();
        let same = fold == Some(derived);
        self.verdicts.hold(Invariant::S10, Some(id), same, || {
            let known = fold.map_or("nothing", |order| order.state.name());
            let what = format!(
                "the store has it at version {} in {}, its events make it {known}",
                derived.version,
                derived.state.name()
            );
            (what, facts())
        });
        let mut owed: Vec<_> = fold
            .map(|order| outbox(order, &self.rules.policy))
            .unwrap_or_default()
            .into_iter()
            .map(|task| task.id)
            .collect();
        let mut kept = tasks.to_vec();
        owed.sort_unstable();
        kept.sort_unstable();
        self.verdicts
            .hold(Invariant::S10, Some(id), owed == kept, || {
                let what = format!(
                    "the store keeps {} tasks, its events owe {}",
                    kept.len(),
                    owed.len()
                );
                (what, facts())
            });
    }

    /// The chain of the log was verified to its end, or was not (S20).
    pub fn chain(&mut self, whole: bool, why: &str) {
        self.verdicts.see(Input::Chain);
        self.verdicts
            .hold(Invariant::S20, None, whole, || (why.to_owned(), Vec::new()));
    }

    /// The verdict on everything seen so far.
    #[must_use]
    pub fn report(&self, ending: Ending) -> Verdict {
        let mut verdicts = self.verdicts.clone();
        let at_rest = ending == Ending::AtRest;
        if at_rest {
            verdicts.see(Input::Rest);
        }
        self.judge_unjudged(&mut verdicts);
        let mut orders: Vec<_> = self.orders.values().collect();
        orders.sort_unstable_by_key(|tracked| tracked.id);
        for tracked in &orders {
            self.provider
                .judge_order(tracked, &self.rules, &mut verdicts);
            if at_rest {
                self.provider.judge_contradiction(tracked, &mut verdicts);
                judge_rest(tracked, &self.rules, &mut verdicts);
            }
        }
        self.provider.judge_expiries(&self.rules, &mut verdicts);
        self.judge_messages(at_rest, &mut verdicts);
        Verdict::of(verdicts, orders.len())
    }
}

/// At the end of everything: ended, before a person, or waiting for the one who holds the card.
fn judge_rest(tracked: &Tracked, rules: &Rules, verdicts: &mut Verdicts) {
    let Some(order) = tracked.order.as_ref().filter(|_| !tracked.broken) else {
        return;
    };
    let person = matches!(&order.state, State::IdvPending { idv } if idv.link.is_some() && idv.renewal.is_none());
    let over = order.state.is_terminal() && !order.is_compensating();
    let pool = !tracked.is_unknown()
        && matches!(order.state, State::Requested { .. })
        && rules.without_cards.contains(&order.terms.product_id);
    let holds = over || order.attention.is_some() || person || pool;
    verdicts.hold(Invariant::L2, Some(tracked.id), holds, || {
        let cancelling = if order.is_compensating() {
            ", to be cancelled"
        } else {
            ""
        };
        let what = format!(
            "it is still {}{cancelling}, and nobody was called",
            order.state.name()
        );
        (what, tracked.newest())
    });
}
