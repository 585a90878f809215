//! Builds an engine from its parts. Nothing has a hidden default: waits and limits come in whole.

use std::sync::Arc;
use std::time::Duration;

use issuance_adapter::{Inbox, ProviderOptions, Readings, Reconciler, UqpayProvider, Webhooks};
use issuance_domain::{Policy, duration};
use issuance_executor::{
    Breaker, Budget, Clock, Notices, Notifier, ProductBreaker, Provider, Retry, Submitter,
    SystemClock, WallWatch, Worker, WorkerOptions,
};
use issuance_store::{CommandHandler, Store};
use issuance_uqpay::webhook::Verifier;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Parts};
use crate::erasing::Compacting;
use crate::reconciling::Reconciling;

/// How much at once, and how often again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls to the provider in one calendar minute, all kinds together (contract §1.6).
    pub calls_per_minute: u32,
    /// Submissions under way at once.
    pub submissions: usize,
    /// Look-ups under way at once.
    pub readings: usize,
    /// Notices under way at once.
    pub notices: usize,
    /// The longest one task may take; longer than the client's time-out.
    #[serde(with = "duration")]
    pub task_deadline: Duration,
    /// Between sends of one key, and after a look-up that brought nothing.
    pub retry: Retry,
    /// How long the breaker stays open.
    pub breaker: Retry,
    /// Pages of one list read at most in search of orders nobody named a card for; a longer list proves no absence.
    pub search_pages: u32,
    /// Our orders against the provider's lists so often; zero for never by itself.
    #[serde(with = "duration")]
    pub reconcile_every: Duration,
    /// What was erased leaves the disk so often; zero for never by itself.
    #[serde(with = "duration")]
    pub compact_every: Duration,
}

impl Limits {
    /// The standard values (contract §1.6, §9.4).
    #[must_use]
    pub fn standard() -> Self {
        let seconds = Duration::from_secs;
        Self {
            calls_per_minute: 200,
            submissions: 64,
            readings: 64,
            notices: 32,
            task_deadline: seconds(50),
            retry: Retry {
                first: seconds(2),
                cap: seconds(300),
                jitter: 0.3,
            },
            breaker: Retry {
                first: seconds(5),
                cap: seconds(300),
                jitter: 0.2,
            },
            search_pages: 10_000,
            reconcile_every: seconds(6 * 3_600),
            compact_every: seconds(3_600),
        }
    }
}

/// An engine in the making.
#[derive(Debug, Default)]
pub struct Builder {
    store: Option<Arc<dyn Store>>,
    provider: Option<Source>,
    notifier: Option<Arc<dyn Notifier>>,
    clock: Option<Arc<dyn Clock>>,
    policy: Option<Policy>,
    limits: Option<Limits>,
    webhooks: Option<Verifier>,
}

#[derive(Debug)]
enum Source {
    Uqpay(issuance_uqpay::Client),
    Other(Arc<dyn Provider>),
}

/// What an engine cannot be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Nowhere to keep the log.
    #[error("an engine needs a store")]
    NoStore,
    /// Nobody to make the cards.
    #[error("an engine needs a provider")]
    NoProvider,
    /// A task would be given up before its call is.
    #[error("`task_deadline` must be shorter than the policy's `call_deadline`")]
    Deadlines,
    /// A number that lets nothing through.
    #[error("`{0}` must be above zero")]
    Zero(&'static str),
}

impl Builder {
    /// Where the log is kept.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// UQPAY makes the cards.
    #[must_use]
    pub fn uqpay(mut self, client: issuance_uqpay::Client) -> Self {
        self.provider = Some(Source::Uqpay(client));
        self
    }

    /// Somebody else makes the cards.
    #[must_use]
    pub fn provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.provider = Some(Source::Other(provider));
        self
    }

    /// Who is told how orders go. Without one, the host reads the feed.
    #[must_use]
    pub fn notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifier = Some(notifier);
        self
    }

    /// Time; the machine's own unless told otherwise.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Waits and choices; [`Policy::standard`] unless told otherwise. The store must be opened with the same.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// How much at once; [`Limits::standard`] unless told otherwise.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Who signs webhooks. Without one, none is taken and look-ups do all the work.
    #[must_use]
    pub fn webhooks(mut self, verifier: Verifier) -> Self {
        self.webhooks = Some(verifier);
        self
    }

    /// Joins the parts. Nothing runs yet; see [`Engine::run`].
    ///
    /// # Errors
    /// When a part is missing or two do not fit.
    pub fn build(self) -> Result<Engine, BuildError> {
        let store = self.store.ok_or(BuildError::NoStore)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let limits = self.limits.unwrap_or_else(Limits::standard);
        let mut policy = self.policy.unwrap_or_else(Policy::standard);
        policy.notify_host = self.notifier.is_some();
        check(&limits, &policy)?;

        let budget = Arc::new(Budget::new(limits.calls_per_minute));
        let breaker = Arc::new(Breaker::new(limits.breaker.clone()));
        // One order finds out for all of its product, each wait twice the one before, as long as one order waits at most.
        let cap = policy.capacity_retry;
        let pools = Arc::new(ProductBreaker::new(Retry {
            first: limits.retry.cap.min(cap),
            cap,
            ..limits.breaker.clone()
        }));
        let options = ProviderOptions {
            idv_link_life: policy.idv_link_life,
            search_pages: limits.search_pages,
        };
        let watch = Arc::new(WallWatch::start(&*clock));
        let (provider, uqpay): (Arc<dyn Provider>, _) =
            match self.provider.ok_or(BuildError::NoProvider)? {
                Source::Uqpay(client) => {
                    let uqpay = Arc::new(UqpayProvider::new(
                        client,
                        clock.clone(),
                        budget.clone(),
                        watch.clone(),
                        options,
                    ));
                    (uqpay.clone(), Some(uqpay))
                }
                Source::Other(provider) => (provider, None),
            };
        let handler = CommandHandler::new(store.clone(), Arc::new(policy));
        let options = |concurrency| WorkerOptions {
            concurrency,
            deadline: limits.task_deadline,
            retry: limits.retry.clone(),
        };
        let submitter = Submitter {
            handler: handler.clone(),
            provider: provider.clone(),
            clock: clock.clone(),
            budget: budget.clone(),
            breaker: breaker.clone(),
            pools: pools.clone(),
            retry: limits.retry.clone(),
        };
        let readings = Readings {
            handler: handler.clone(),
            provider: provider.clone(),
            clock: clock.clone(),
            budget: budget.clone(),
            breaker: breaker.clone(),
            watch: watch.clone(),
            retry: limits.retry.clone(),
        };
        let reconciler = |uqpay: &Arc<UqpayProvider>| {
            Reconciler::new(uqpay.clone(), handler.clone(), clock.clone())
        };
        let reconciliation = Reconciling::new(
            uqpay.as_ref().map(reconciler),
            limits.reconcile_every,
            clock.clone(),
        );
        let notices = self.notifier.map(|notifier| Notices {
            handler: handler.clone(),
            notifier,
            clock: clock.clone(),
            retry: limits.retry.clone(),
        });
        Ok(Engine::new(Parts {
            submitter: Worker::new(
                handler.clone(),
                clock.clone(),
                submitter,
                options(limits.submissions),
            ),
            readings: Worker::new(
                handler.clone(),
                clock.clone(),
                readings,
                options(limits.readings),
            ),
            notices: notices.map(|notices| {
                Worker::new(
                    handler.clone(),
                    clock.clone(),
                    notices,
                    options(limits.notices),
                )
            }),
            inbox: Inbox::new(handler.clone(), clock.clone()),
            webhooks: self.webhooks.map(|verifier| {
                Webhooks::new(verifier, handler.clone(), clock.clone(), watch.clone())
            }),
            reconciliation,
            compacting: Compacting::default(),
            compact_every: limits.compact_every,
            handler,
            provider,
            uqpay,
            clock,
            budget,
            breaker,
            pools,
            watch,
        }))
    }
}

fn check(limits: &Limits, policy: &Policy) -> Result<(), BuildError> {
    let counts = [
        ("calls_per_minute", u64::from(limits.calls_per_minute)),
        ("submissions", limits.submissions as u64),
        ("readings", limits.readings as u64),
        ("notices", limits.notices as u64),
    ];
    if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
        return Err(BuildError::Zero(name));
    }
    if limits.task_deadline >= policy.call_deadline {
        return Err(BuildError::Deadlines);
    }
    Ok(())
}
