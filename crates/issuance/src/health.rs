//! How the engine is: what an operator should know before an order tells them.

use std::time::Duration;

use issuance_adapter::TokenHealth;
use issuance_domain::Timestamp;
use issuance_executor::{BudgetUse, OpenPool};
use issuance_store::{Counts, Message, Position, StoreError};

use crate::engine::Engine;

/// How the engine is.
#[derive(Debug, Clone)]
pub struct Health {
    /// Whether orders can be placed.
    pub ready: bool,
    /// Why not, if the store is the reason.
    pub store: Result<Position, StoreError>,
    /// What the store cannot do just now although it has not stopped, such as writing to a full disk.
    pub store_trouble: Option<String>,
    /// Why calls to the provider wait, and until when.
    pub breaker: Option<(String, Timestamp)>,
    /// Products whose orders wait for cards, money or quota.
    pub pools: Vec<OpenPool>,
    /// How much of the provider's budget is used.
    pub budget: BudgetUse,
    /// How the token is; none while one is minted, or when the provider has none.
    pub token: Option<TokenHealth>,
    /// How webhooks come; none when none are taken.
    pub webhooks: Option<WebhookFlow>,
    /// Our clock was set, or differs from the provider's time, by so much: no identity-check link expires meanwhile. None
    /// when it is to be believed.
    pub clock_doubt: Option<Duration>,
    /// Messages that found no order for a day; none if the store cannot say.
    pub orphans: Option<usize>,
    /// How many orders stand where; none if the store cannot say.
    pub counts: Option<Counts>,
}

/// How webhooks come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookFlow {
    /// When the last genuine one came; none since the process began.
    pub last_at: Option<Timestamp>,
    /// None came since then though orders are open: are they sent to us, and is the secret right?
    pub silent_since: Option<Timestamp>,
    /// Our clock seems to be ahead by so many milliseconds, behind if negative; none when it seems right.
    pub clock_ahead_millis: Option<i64>,
}

/// Without a webhook for this long while orders are open, somebody should look.
const SILENCE: Duration = Duration::from_secs(3_600);
/// A message that found no order for this long is an orphan (contract §9.4).
const ORPHAN: Duration = Duration::from_secs(24 * 3_600);
/// Messages looked at for orphans.
const MAX_ORPHANS: usize = 1_000;

impl Engine {
    /// How the engine is.
    pub async fn health(&self) -> Health {
        let now = self.clock().now();
        let store = self.store().head().await;
        let counts = self.store().counts().await.ok();
        let ready = store.is_ok() && counts.is_some() && !self.stop.is_cancelled();
        let parts = &self.parts;
        let is_open = |state: &str| !matches!(state, "active" | "failed");
        let open = counts.as_ref().is_some_and(|counts| {
            counts
                .states
                .iter()
                .any(|(state, count)| *count > 0 && is_open(state))
        });
        let webhooks = parts.webhooks.as_ref().map(|webhooks| {
            let health = webhooks.health();
            WebhookFlow {
                last_at: health.any.then_some(health.last_at),
                silent_since: (open && now.since(health.last_at) >= SILENCE)
                    .then_some(health.last_at),
                clock_ahead_millis: health.clock_ahead_millis,
            }
        });
        let parked = counts.as_ref().map(|counts| counts.parked_messages);
        let orphans = match parked {
            Some(0) => Some(0),
            Some(_) => self.orphans(now).await,
            None => None,
        };
        let health = Health {
            ready,
            store,
            store_trouble: self.store().trouble(),
            breaker: parts.breaker.why_open(),
            pools: parts.pools.open(),
            budget: parts.budget.usage(now),
            token: parts.uqpay.as_ref().and_then(|uqpay| uqpay.token_health()),
            webhooks,
            clock_doubt: parts.watch.doubt(&**self.clock()),
            orphans,
            counts,
        };
        measure(&health);
        health
    }

    async fn orphans(&self, now: Timestamp) -> Option<usize> {
        let parked = self.store().parked_messages(MAX_ORPHANS).await.ok()?;
        let is_orphan = |message: &&Message| now.since(message.received_at) >= ORPHAN;
        Some(parked.iter().filter(is_orphan).count())
    }
}

/// What only asking tells.
#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
fn measure(health: &Health) {
    let flag = |value: bool| f64::from(u8::from(value));
    metrics::gauge!("issuance_budget_per_minute").set(f64::from(health.budget.per_minute));
    metrics::gauge!("issuance_budget_spent").set(f64::from(health.budget.spent));
    metrics::gauge!("issuance_inbox_orphans").set(health.orphans.unwrap_or_default() as f64);
    metrics::gauge!("issuance_clock_doubted").set(flag(health.clock_doubt.is_some()));
    if let Some(token) = &health.token {
        metrics::gauge!("issuance_token_contested").set(flag(token.is_contested));
    }
    if let Some(webhooks) = &health.webhooks {
        metrics::gauge!("issuance_webhooks_silent").set(flag(webhooks.silent_since.is_some()));
    }
}
