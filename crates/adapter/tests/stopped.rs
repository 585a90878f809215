//! A process that is stopped between the record of an intent and its first byte sends nothing when it wakes (F-023, S9).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use issuance_adapter::{ProviderOptions, UqpayProvider};
use issuance_domain::{
    CardRequest, Command, Context, Generation, Order, OrderId, Placement, Policy, Purpose,
    SilenceCause, Timestamp, decide, evolve,
};
use issuance_executor::{Budget, Clock, Moment, Outcome, Provider as _, WallWatch, Window};
use issuance_simulator::{Config, Endpoint, Running, Simulator, product};
use issuance_store::Salt;
use issuance_uqpay::{BaseUrl, Client, Config as ClientConfig};

/// Wall and steady time, each moved by hand.
#[derive(Debug)]
struct Hands {
    wall: AtomicI64,
    steady: AtomicI64,
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::Relaxed))
    }
    fn steady(&self) -> Duration {
        Duration::from_millis(self.steady.load(Ordering::Relaxed).unsigned_abs())
    }
    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
    fn jitter(&self) -> f64 {
        0.5
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

const BEGIN: i64 = 1_790_000_000_000;

struct Stage {
    simulator: Running,
    clock: Arc<Hands>,
    provider: UqpayProvider,
    order: Order,
    personal: issuance_domain::Personal,
}

impl Stage {
    /// Everything is ready and the intent is recorded.
    async fn set() -> Self {
        let simulator = Simulator::start(Config::default(), ([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let clock = Arc::new(Hands {
            wall: AtomicI64::new(BEGIN),
            steady: AtomicI64::new(0),
        });
        let client = Client::new(ClientConfig {
            base_url: BaseUrl::parse(&simulator.api_base(), true).unwrap(),
            client_id: "tests".into(),
            api_key: "tests-key".to_owned().into(),
            on_behalf_of: None,
            connect_timeout: Duration::from_secs(1),
            total_timeout: Duration::from_secs(5),
            max_answer: ClientConfig::MAX_ANSWER,
        })
        .unwrap();
        let options = ProviderOptions {
            idv_link_life: Duration::from_secs(86_400),
            search_pages: 5,
        };
        let budget = Arc::new(Budget::new(1_000));
        let watch = Arc::new(WallWatch::start(&*clock));
        let provider = UqpayProvider::new(client, clock.clone(), budget, watch, options);
        provider.warm_up().await.unwrap();
        let request: CardRequest = serde_json::from_value(serde_json::json!({
            "reference": "ref-1", "product_id": product::SIMPLIFIED, "currency": "USD",
            "cardholder": { "type": "new", "fields": {
                "email": "holder1@mail.example", "first_name": "Mina", "last_name": "Okafor", "country_code": "SG",
                "phone_number": "80000001",
            }},
        }))
        .unwrap();
        let (terms, personal) = request.split();
        let product = provider.product(&terms.product_id).await.unwrap();
        let personal_digest = issuance_domain::Digest("d0".into());
        let place = Command::Place(Box::new(Placement {
            terms,
            personal: personal.clone(),
            personal_digest,
            product,
        }));
        let body_digest = issuance_domain::Digest("body".into());
        let start = Command::StartSubmission {
            purpose: Purpose::CreateCard,
            generation: Generation(1),
            body_digest,
        };
        let id: OrderId = "01920000-0000-7000-8000-000000000001".parse().unwrap();
        let policy = Policy::standard();
        let context = Context {
            order_id: id,
            now: clock.now(),
            policy: &policy,
        };
        let order = [place, start]
            .into_iter()
            .fold(None, |order: Option<Order>, command| {
                let events = decide(order.as_ref(), command, &context).unwrap();
                events.iter().fold(order, |order, event| {
                    Some(evolve(id, order, event).unwrap())
                })
            });
        Self {
            simulator,
            clock,
            provider,
            order: order.unwrap(),
            personal,
        }
    }

    /// Stops the process for a while, by either clock, and wakes it right before the call.
    async fn send_after(&self, wall: i64, steady: i64) -> Outcome {
        let window = Window::open(
            self.clock.clone(),
            Moment::now(&*self.clock),
            self.clock.now().after(Duration::from_secs(30)),
        );
        let prepared = self
            .provider
            .prepare(&self.order, Purpose::CreateCard, &self.personal)
            .unwrap();
        self.clock.wall.fetch_add(wall, Ordering::Relaxed);
        self.clock.steady.fetch_add(steady, Ordering::Relaxed);
        let key = self.order.submission(Purpose::CreateCard).unwrap().key;
        self.provider
            .submit(&self.order, &prepared, key, &Salt::new([7; 32]), &window)
            .await
    }

    fn creates(&self) -> usize {
        self.simulator
            .ledger()
            .requests
            .iter()
            .filter(|asked| asked.endpoint == Endpoint::CreateCard)
            .count()
    }
}

#[tokio::test]
async fn f_023_stopped_between_record_and_send_nothing_leaves() {
    const HOURS: i64 = 5 * 3_600_000;
    for (wall, steady) in [
        (HOURS, HOURS),
        (HOURS, 0),
        (0, HOURS),
        (-HOURS, 0),
        (-HOURS, HOURS),
    ] {
        let stage = Stage::set().await;
        let outcome = stage.send_after(wall, steady).await;
        assert!(
            matches!(&outcome, Outcome::Silent(silence) if silence.cause == SilenceCause::NotSent),
            "{outcome:?}"
        );
        assert_eq!(stage.creates(), 0, "{wall} {steady}");
    }
    let stage = Stage::set().await;
    let outcome = stage.send_after(2_000, 2_000).await;
    assert!(matches!(outcome, Outcome::Heard(_)), "{outcome:?}");
    assert_eq!(stage.creates(), 1);
}
