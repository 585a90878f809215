//! Where orders ended, by the host's names for them, so that two runs of the same orders can be compared (L4).

use std::collections::BTreeMap;

use issuance_domain::{FailureKind, State};
use issuance_store::HostReference;
use serde::Serialize;

use super::Checker;
use super::invariant::{Input, Invariant};
use super::report::Verdict;
use super::verdicts::Verdicts;

/// Where one order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct End {
    /// The state's name.
    pub state: &'static str,
    /// Why it failed, if it did.
    pub failure: Option<FailureKind>,
    /// Whether its card was cancelled.
    pub cancelled: bool,
}

/// Where each order stands, by the host's name.
pub type Ends = BTreeMap<String, End>;

impl Checker {
    /// Where each order stands now.
    #[must_use]
    pub fn ends(&self) -> Ends {
        let orders = self
            .orders
            .values()
            .filter_map(|tracked| tracked.order.as_ref());
        orders
            .map(|order| {
                let reference = HostReference {
                    account: order.terms.account.clone(),
                    reference: order.terms.reference.clone(),
                };
                let failure = match &order.state {
                    State::Failed { failure, .. } => Some(failure.kind),
                    State::Requested { .. }
                    | State::Accepted { .. }
                    | State::IdvPending { .. }
                    | State::Active { .. } => None,
                };
                let end = End {
                    state: order.state.name(),
                    failure,
                    cancelled: order.compensation.as_ref().is_some_and(|over| over.done),
                };
                (reference.key(), end)
            })
            .collect()
    }

    /// Holds two runs of the same orders against each other: one with all webhooks, one without any (L4).
    #[must_use]
    pub fn compare(with: &Ends, without: &Ends, seed: Option<u64>) -> Verdict {
        let mut verdicts = Verdicts::new(seed);
        verdicts.see(Input::OtherRun);
        let names: std::collections::BTreeSet<_> = with.keys().chain(without.keys()).collect();
        for name in &names {
            let (one, other) = (with.get(*name), without.get(*name));
            verdicts.hold(Invariant::L4, None, one == other, || {
                let show = |end: Option<&End>| {
                    end.map_or_else(
                        || "nowhere".to_owned(),
                        |end| {
                            let why = end
                                .failure
                                .map_or(String::new(), |kind| format!(" ({kind:?})"));
                            format!("{}{why}", end.state)
                        },
                    )
                };
                let what = format!(
                    "{} ends {} with webhooks and {} without",
                    name.trim(),
                    show(one),
                    show(other)
                );
                (what, Vec::new())
            });
        }
        Verdict::of(verdicts, names.len())
    }
}
