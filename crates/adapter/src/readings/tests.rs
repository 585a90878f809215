use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use issuance_domain::{
    CardRequest, CardStatus, Creation, Digest, Fact, Generation, IdempotencyKey, OrderId, Personal,
    Placement, Policy, Product, ProductId, ProviderIds, Purpose,
};
use issuance_executor::{PrepareError, Prepared, ProductError, Window, Worker, WorkerOptions};
use issuance_store::{Salt, SimulatedStore, Store as _};

use super::*;

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct Hands {
    now: AtomicI64,
    draws: AtomicU32,
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }

    async fn sleep(&self, wait: Duration) {
        let millis = i64::try_from(wait.as_millis()).unwrap();
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    fn jitter(&self) -> f64 {
        f64::from(self.draws.fetch_add(7_919, Ordering::Relaxed) % 1_000) / 1_000.0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Each look-up takes two calls, and begins anew when there is no room for the second.
#[derive(Debug)]
struct TwoCalls {
    clock: Arc<Hands>,
    budget: Arc<Budget>,
    looked_up: Mutex<BTreeSet<OrderId>>,
}

#[async_trait]
impl Provider for TwoCalls {
    fn prepare(&self, _: &Order, _: Purpose, _: &Personal) -> Result<Prepared, PrepareError> {
        unreachable!("nothing is sent here")
    }

    async fn submit(
        &self,
        _: &Order,
        _: &Prepared,
        _: IdempotencyKey,
        _: &Salt,
        _: &Window,
    ) -> Outcome {
        unreachable!("nothing is sent here")
    }

    async fn look_up(&self, order: &Order, _: Option<&SealedRequest>) -> Outcome {
        for _ in 0..2 {
            let now = self.clock.now();
            if let Err(opens) = self.budget.take(now, Urgency::Reading) {
                return Outcome::Silent(Silence::held_back(opens.since(now)));
            }
        }
        self.looked_up.lock().unwrap().insert(order.id);
        Outcome::Heard(Vec::new())
    }

    async fn product(&self, id: &ProductId) -> Result<Product, ProductError> {
        Err(ProductError::Unknown(id.clone()))
    }

    async fn warm_up(&self) -> Result<(), Silence> {
        Ok(())
    }
}

/// An order the provider has accepted.
async fn accepted(handler: &CommandHandler, number: u32, now: Timestamp) {
    let request: CardRequest = serde_json::from_value(serde_json::json!({
        "reference": format!("ref-{number}"), "product_id": "product-1", "currency": "USD",
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
    let id: OrderId = format!("01920000-0000-7000-8000-{number:012}")
        .parse()
        .unwrap();
    let place = Request {
        sealed: vec![asked.seal().unwrap()],
        ..Request::new(
            id,
            Command::Place(Box::new(Placement {
                terms,
                personal: asked.personal.clone(),
                personal_digest: asked.personal_digest().unwrap(),
                product,
            })),
            now,
        )
    };
    let start = Command::StartSubmission {
        purpose: Purpose::CreateCard,
        generation: Generation(1),
        body_digest: Digest("body".into()),
    };
    let hear = Command::Learn(Observation {
        fact: Fact::Created(Creation {
            card: CardStatus::Pending,
            order: None,
            cardholder: None,
            verification: None,
            link: None,
        }),
        ids: ProviderIds {
            card: format!("card-{number}").parse().ok(),
            ..ProviderIds::default()
        },
        echo: Box::default(),
        source: Source::Answer {
            purpose: Purpose::CreateCard,
            generation: Generation(1),
        },
    });
    handler.handle(place).await.unwrap();
    for command in [start, hear] {
        handler
            .handle(Request::new(id, command, now))
            .await
            .unwrap();
    }
}

/// Found by simulation (`0x62d66e79abdfa1ea`): each came back as soon as there was room for one call, spent it on its first
/// and was held back at its second, for hours.
#[tokio::test]
async fn look_ups_of_several_calls_that_find_no_room_all_get_their_turn() {
    const ORDERS: u32 = 150;
    let policy = Policy {
        notify_host: false,
        ..Policy::standard()
    };
    let clock = Arc::new(Hands {
        now: AtomicI64::new(1_790_000_000_000),
        draws: AtomicU32::new(1),
    });
    let budget = Arc::new(Budget::new(30));
    let store = Arc::new(SimulatedStore::new(policy.clone()));
    let handler = CommandHandler::new(store.clone(), Arc::new(policy));
    for number in 0..ORDERS {
        accepted(&handler, number, clock.now()).await;
    }
    // Others spent the minute, so that what becomes free does so call by call.
    while budget.take(clock.now(), Urgency::Submission).is_ok() {}
    let provider = Arc::new(TwoCalls {
        clock: clock.clone(),
        budget: budget.clone(),
        looked_up: Mutex::default(),
    });
    let retry = Retry {
        first: Duration::from_secs(2),
        cap: Duration::from_secs(300),
        jitter: 0.3,
    };
    let readings = Readings {
        handler: handler.clone(),
        provider: provider.clone(),
        clock: clock.clone(),
        budget,
        breaker: Arc::new(Breaker::new(retry.clone())),
        retry: retry.clone(),
        watch: Arc::new(WallWatch::start(&*clock)),
    };
    let options = WorkerOptions {
        concurrency: 64,
        deadline: Duration::from_secs(50),
        retry,
    };
    let worker = Worker::new(handler, clock.clone(), readings, options);
    let end = clock.now().after(Duration::from_secs(2 * 3_600));
    let served = || provider.looked_up.lock().unwrap().len();
    while served() < ORDERS as usize && clock.now() < end {
        if worker.step().await.unwrap() == 0 {
            let due = store.next_due(Kind::Readings).await.unwrap();
            let wait = due.map_or(Duration::ZERO, |due| due.since(clock.now()));
            clock
                .sleep(wait.clamp(Duration::from_millis(100), Duration::from_secs(30)))
                .await;
        }
    }
    assert_eq!(served(), ORDERS as usize, "looked up within two hours");
}
