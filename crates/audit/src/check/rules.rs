//! What a checker must be told before it can judge: the policy the orders lived under, and what may be compared with what.

use std::time::Duration;

use issuance_domain::{Policy, ProductId};

/// How to judge.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What the orders lived under.
    pub policy: Policy,
    /// It is not known, and `policy` is the mildest there can be.
    pub any_policy: bool,
    /// Of the run, to be named with every violation.
    pub seed: Option<u64>,
    /// Facts are fed as they happen, so that what comes first happened first. Otherwise a log is fed first, then the
    /// provider's side, then the outside history.
    pub as_it_happens: bool,
    /// The most by which the provider's clock can differ from the log's. None: their times are not compared.
    pub clocks: Option<Duration>,
    /// The most by which a key can be older at the provider than the policy lets it grow here (S9).
    pub key_age_slack: Duration,
    /// The client id whose requests are ours. None: all of them are.
    pub client: Option<Box<str>>,
    /// Every card that names an order names one of this log.
    pub sole: bool,
    /// Products of which the provider has no cards to give: their orders may wait, behind the one alarm of the pool (L2).
    pub without_cards: Vec<ProductId>,
    /// The most calls in any minute of the provider's clock (S26). None: not judged.
    pub calls_per_minute: Option<u32>,
}

impl Rules {
    /// For orders under a policy; clocks that cannot be compared, one log for all cards, no seed, no limit of calls.
    #[must_use]
    pub fn of(policy: Policy) -> Self {
        Self {
            policy,
            any_policy: false,
            seed: None,
            as_it_happens: false,
            clocks: None,
            key_age_slack: Duration::from_secs(2 * 3600),
            client: None,
            sole: true,
            without_cards: Vec::new(),
            calls_per_minute: None,
        }
    }

    /// For orders under a policy nobody names: its waits are judged by the least that UQPAY's own 24 hours leave (contract
    /// §6.4), so that no policy is accused of not being another.
    #[must_use]
    pub fn of_any_policy() -> Self {
        let policy = Policy {
            key_safe_age: Duration::from_secs(24 * 3600),
            call_deadline: Duration::ZERO,
            absence_scan_gap: Duration::ZERO,
            idv_grace: Duration::ZERO,
            ..Policy::standard()
        };
        Self {
            any_policy: true,
            ..Self::of(policy)
        }
    }
}
