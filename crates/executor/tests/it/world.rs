//! A real worker and submitter on the simulated store, before a provider that counts its own minutes. Time is ours.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::{
    CardRequest, CardStatus, Command, Creation, Fact, IdempotencyKey, Order, OrderId, Personal,
    Placement, Policy, Product, ProductId, ProviderIds, Purpose, SilenceCause, Timestamp,
};
use issuance_executor::{
    Breaker, Budget, Clock, Heard, Outcome, PrepareError, Prepared, ProductBreaker, ProductError,
    Provider, Retry, Silence, Submitter, Window, Worker, WorkerOptions,
};
use issuance_store::{
    CommandHandler, Kind, Request, Salt, SealedRequest, SimulatedStore, Store as _, StoreError,
};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct Hands {
    now: AtomicI64,
    draws: AtomicU32,
}

impl Hands {
    pub(crate) fn forward(&self, wait: Duration) {
        let millis = i64::try_from(wait.as_millis()).unwrap();
        self.now.fetch_add(millis, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }

    async fn sleep(&self, wait: Duration) {
        self.forward(wait);
    }

    fn jitter(&self) -> f64 {
        f64::from(self.draws.fetch_add(7_919, Ordering::Relaxed) % 1_000) / 1_000.0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// A provider with a limit of its own, counted by the calendar minutes of a clock that is not ours.
#[derive(Debug)]
pub(crate) struct Counting {
    clock: Arc<Hands>,
    limit: u32,
    skew: i64,
    /// It gives no answer before this.
    pub(crate) dumb_until: Timestamp,
    /// Calls by minute.
    pub(crate) minutes: Mutex<BTreeMap<i64, u32>>,
    pub(crate) too_many: AtomicU32,
    pub(crate) cards: AtomicU32,
    /// In which form bodies are written.
    pub(crate) encoding: AtomicU32,
    /// What stands between a worker and the call.
    pub(crate) cold: Mutex<Option<Silence>>,
}

#[async_trait]
impl Provider for Counting {
    fn prepare(
        &self,
        order: &Order,
        purpose: Purpose,
        _: &Personal,
    ) -> Result<Prepared, PrepareError> {
        Ok(Prepared {
            purpose,
            body: Zeroizing::new(
                format!("{} {}", order.id, self.encoding.load(Ordering::Relaxed)).into_bytes(),
            ),
        })
    }

    async fn submit(
        &self,
        order: &Order,
        _: &Prepared,
        _: IdempotencyKey,
        _: &Salt,
        _: &Window,
    ) -> Outcome {
        // Calls go out side by side; one takes a few milliseconds of the worker's own time.
        self.clock.forward(Duration::from_millis(3));
        let now = self.clock.now();
        let count = {
            let mut minutes = self.minutes.lock().unwrap();
            let count = minutes
                .entry((now.millis() + self.skew).div_euclid(60_000))
                .or_default();
            *count += 1;
            *count
        };
        if count > self.limit {
            self.too_many.fetch_add(1, Ordering::Relaxed);
            return Outcome::Silent(Silence::new(SilenceCause::RateLimited));
        }
        if now < self.dumb_until {
            return Outcome::Silent(Silence::new(SilenceCause::TimedOut));
        }
        self.cards.fetch_add(1, Ordering::Relaxed);
        let creation = Creation {
            card: CardStatus::Pending,
            order: None,
            cardholder: None,
            verification: None,
            link: None,
        };
        let ids = ProviderIds {
            card: order.id.to_string().parse().ok(),
            ..ProviderIds::default()
        };
        Outcome::Heard(vec![Heard {
            fact: Fact::Created(creation),
            echo: Default::default(),
            ids,
            sealed: Vec::new(),
        }])
    }

    async fn look_up(&self, _: &Order, _: Option<&SealedRequest>) -> Outcome {
        Outcome::Heard(Vec::new())
    }

    async fn product(&self, id: &ProductId) -> Result<Product, ProductError> {
        Err(ProductError::Unknown(id.clone()))
    }

    async fn warm_up(&self) -> Result<(), Silence> {
        self.cold.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Counting {
    /// Every call that was made.
    pub(crate) fn calls(&self) -> u32 {
        self.minutes.lock().unwrap().values().sum()
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<Hands>,
    pub(crate) provider: Arc<Counting>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) pools: Arc<ProductBreaker>,
    pub(crate) store: Arc<SimulatedStore>,
    handler: CommandHandler,
    pub(crate) worker: Worker<Submitter>,
}

pub(crate) const BEGIN: i64 = 1_790_000_000_000;

impl World {
    pub(crate) fn new(budget: u32, limit: u32, skew: i64, dumb_for: Duration) -> Self {
        let policy = Policy {
            notify_host: false,
            ..Policy::standard()
        };
        let store = Arc::new(SimulatedStore::new(policy.clone()));
        let clock = Arc::new(Hands {
            now: AtomicI64::new(BEGIN),
            draws: AtomicU32::new(1),
        });
        let provider = Arc::new(Counting {
            clock: clock.clone(),
            limit,
            skew,
            dumb_until: clock.now().after(dumb_for),
            minutes: Mutex::default(),
            too_many: AtomicU32::new(0),
            cards: AtomicU32::new(0),
            encoding: AtomicU32::new(0),
            cold: Mutex::default(),
        });
        let shared = Arc::new(Budget::new(budget));
        let breaker = Arc::new(Breaker::new(Retry {
            first: Duration::from_secs(2),
            cap: Duration::from_secs(300),
            jitter: 0.3,
        }));
        let handler = CommandHandler::new(store.clone(), Arc::new(policy));
        let retry = Retry {
            first: Duration::from_secs(2),
            cap: Duration::from_secs(300),
            jitter: 0.3,
        };
        let pools = Arc::new(ProductBreaker::new(retry.clone()));
        let submitter = Submitter {
            handler: handler.clone(),
            provider: provider.clone(),
            clock: clock.clone(),
            budget: shared.clone(),
            breaker: breaker.clone(),
            pools: pools.clone(),
            retry: retry.clone(),
        };
        let options = WorkerOptions {
            concurrency: 64,
            deadline: Duration::from_secs(50),
            retry,
        };
        let worker = Worker::new(handler.clone(), clock.clone(), submitter, options);
        Self {
            clock,
            provider,
            budget: shared,
            breaker,
            pools,
            store,
            handler,
            worker,
        }
    }

    pub(crate) async fn place(&self, count: u32) {
        for number in 0..count {
            place(&self.handler, number, self.clock.now()).await;
        }
    }

    pub(crate) async fn place_one(&self) -> OrderId {
        place(&self.handler, 0, self.clock.now()).await
    }

    /// Works and waits, as the worker's own loop does, until so many cards are made or the time is over.
    pub(crate) async fn run(&self, cards: u32, at_most: Duration) -> Result<(), StoreError> {
        let end = self.clock.now().after(at_most);
        while self.provider.cards.load(Ordering::Relaxed) < cards && self.clock.now() < end {
            if self.worker.step().await? == 0 {
                let due = self.store.next_due(Kind::Submissions).await?;
                let wait = due.map_or(Duration::ZERO, |due| due.since(self.clock.now()));
                self.clock
                    .forward(wait.clamp(Duration::from_millis(100), Duration::from_secs(30)));
            }
        }
        Ok(())
    }
}

/// An order of the two-step road, by number.
pub(crate) async fn place(handler: &CommandHandler, number: u32, now: Timestamp) -> OrderId {
    let request: CardRequest = serde_json::from_value(json!({
        "reference": format!("ref-{number}"),
        "product_id": "product-1",
        "currency": "USD",
        "cardholder": { "type": "existing", "cardholder_id": format!("holder-{number}") },
    }))
    .unwrap();
    let (terms, personal) = request.split();
    let asked = SealedRequest {
        salt: Salt::new([3; 32]),
        personal,
    };
    let product = Product {
        id: terms.product_id.clone(),
        bin: "40963608".into(),
        enabled: true,
        is_virtual: true,
        currencies: vec!["USD".parse().unwrap()],
        prepaid: false,
        required: Vec::new(),
    };
    let placement = Placement {
        terms,
        personal: asked.personal.clone(),
        personal_digest: asked.personal_digest().unwrap(),
        product,
    };
    let id = OrderId(Uuid::from_u128(
        0x0199_0000_0000_7000_8000_0000_0000_0000 + u128::from(number),
    ));
    let request = Request {
        sealed: vec![asked.seal().unwrap()],
        ..Request::new(id, Command::Place(Box::new(placement)), now)
    };
    handler.handle(request).await.unwrap();
    id
}
