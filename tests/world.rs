//! A world: simulator, store, engine and a webhook door, all real, all on loopback.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use issuance::domain::{Order, OrderId, Policy, Timestamp};
use issuance::store::Store;
use issuance::uqpay::webhook::{Verifier, WebhookSecret};
use issuance::uqpay::{BaseUrl, Client, Config as ClientConfig};
use issuance::{Clock, Engine, Limits, Retry, SystemClock};
use issuance_audit::Invariant;
use issuance_simulator::{
    Config, Endpoint, Fault, FaultMatch, FaultRule, Running, Simulator, WebhookTarget,
};
use serde_json::Value;

use crate::judge::{CLIENT, Known, clocks, judge};

pub const SECRET: &str = "whsec_tests_0123456789";

pub struct World {
    pub simulator: Running,
    pub engine: Engine,
    store: Arc<dyn Store>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    untrue: Mutex<BTreeSet<Invariant>>,
    forgotten: AtomicBool,
    shared: AtomicBool,
}

/// Every world ends before the checker: it finds what the test made untrue on purpose, and nothing else.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let known = Known {
            clocks: clocks(self.clock.now(), &self.simulator),
            shared: self.shared.load(Ordering::Relaxed),
            ..Known::default()
        };
        let provider = (!self.forgotten.load(Ordering::Relaxed)).then_some(&self.simulator);
        let verdict = judge(&*self.store, provider, &self.policy, &known);
        let untrue = self.untrue.lock().unwrap();
        let found: BTreeSet<_> = verdict
            .violations
            .iter()
            .map(|found| found.invariant)
            .collect();
        assert_eq!(found, *untrue, "{verdict}");
    }
}

/// Waits short enough for a test.
pub fn policy() -> Policy {
    let millis = Duration::from_millis;
    Policy {
        call_deadline: millis(2_500),
        look_up_first: millis(700),
        look_up_cap: millis(1_500),
        look_up_person_first: millis(700),
        idv_grace: millis(300),
        failure_confirmation: millis(500),
        activation_alarm: millis(6_000),
        idv_renewals: 1,
        // Nobody listens for notices in these worlds; the store must know, as the engine does.
        notify_host: false,
        ..Policy::standard()
    }
}

pub fn limits() -> Limits {
    let millis = Duration::from_millis;
    Limits {
        calls_per_minute: 100_000,
        task_deadline: millis(2_000),
        retry: Retry {
            first: millis(200),
            cap: millis(1_000),
            jitter: 0.3,
        },
        breaker: Retry {
            first: millis(200),
            cap: millis(1_000),
            jitter: 0.2,
        },
        ..Limits::standard()
    }
}

/// The machine's clock, set by a test.
#[derive(Debug, Default)]
pub struct Hands(AtomicI64);

impl Hands {
    /// Sets it this many seconds ahead of the machine's, or behind.
    pub fn set_by(&self, seconds: i64) {
        self.0.store(seconds * 1000, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().millis() + self.0.load(Ordering::Relaxed))
    }
    fn steady(&self) -> Duration {
        SystemClock.steady()
    }
    async fn sleep(&self, wait: Duration) {
        SystemClock.sleep(wait).await;
    }
    fn jitter(&self) -> f64 {
        SystemClock.jitter()
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        SystemClock.fill_random(bytes);
    }
}

pub fn client(simulator: &Running) -> Client {
    client_of(simulator, CLIENT)
}

/// A client with a credential of its own.
pub fn client_of(simulator: &Running, id: &str) -> Client {
    Client::new(ClientConfig {
        base_url: BaseUrl::parse(&simulator.api_base(), true).unwrap(),
        client_id: id.into(),
        api_key: "tests-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: Duration::from_millis(500),
        total_timeout: Duration::from_millis(1_200),
        max_answer: ClientConfig::MAX_ANSWER,
    })
    .unwrap()
}

pub fn verifier() -> Verifier {
    let secret = WebhookSecret {
        secret: SECRET.to_owned().into(),
        valid_until: None,
    };
    Verifier::new(vec![secret], Duration::from_secs(900)).unwrap()
}

impl World {
    pub async fn start(store: Arc<dyn Store>) -> Self {
        Self::with(store, Config::default(), policy()).await
    }

    pub async fn with(store: Arc<dyn Store>, config: Config, policy: Policy) -> Self {
        Self::by(Arc::new(SystemClock), store, config, policy).await
    }

    /// By a clock of the test's own.
    pub async fn by(
        clock: Arc<dyn Clock>,
        store: Arc<dyn Store>,
        config: Config,
        policy: Policy,
    ) -> Self {
        let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let engine = Engine::builder()
            .store(store.clone())
            .uqpay(client(&simulator))
            .clock(clock.clone())
            .policy(policy.clone())
            .limits(limits())
            .webhooks(verifier())
            .build()
            .unwrap();
        let door = door(engine.clone()).await;
        simulator.set_webhook(Some(WebhookTarget {
            url: door,
            secret: Some(SECRET.into()),
        }));
        let running = engine.clone();
        tokio::spawn(async move { running.run().await });
        Self {
            simulator,
            engine,
            store,
            policy,
            clock,
            untrue: Mutex::default(),
            forgotten: AtomicBool::default(),
            shared: AtomicBool::default(),
        }
    }

    /// What this test makes untrue on purpose, by playing the provider or by hiding from it: the checker must find it.
    pub fn makes_untrue(&self, invariant: Invariant) {
        self.untrue.lock().unwrap().insert(invariant);
    }

    /// Others issue cards at the same provider, under credentials of their own.
    pub fn shares_its_provider(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    /// The simulator it began with is gone with all it knew: the log is judged alone.
    pub fn forgets_its_provider(&self) {
        self.forgotten.store(true, Ordering::Relaxed);
    }

    /// A fault for the card whose metadata has `test` = this.
    pub fn fault(&self, test: u32, times: Option<u32>, fault: Fault) {
        self.fault_at(test, times, None, fault);
    }

    pub fn fault_at(
        &self,
        test: u32,
        times: Option<u32>,
        endpoint: Option<Endpoint>,
        fault: Fault,
    ) {
        let metadata = [("test".to_owned(), Value::from(test.to_string()))]
            .into_iter()
            .collect();
        let applies_to = FaultMatch {
            metadata,
            endpoint,
            ..FaultMatch::default()
        };
        let rule = FaultRule {
            id: String::new(),
            applies_to,
            fault,
            times,
            probability: None,
            used: 0,
        };
        self.simulator.add_faults([rule]);
    }

    /// Waits until the order is as wished; panics with its story when it does not come to that.
    pub async fn until(
        &self,
        id: OrderId,
        what: &str,
        wished: impl Fn(&Order) -> bool,
    ) -> Arc<Order> {
        for _ in 0..600 {
            let order = self.engine.order(id).await.unwrap().unwrap();
            if wished(&order) {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let story: Vec<_> = self
            .engine
            .history(id)
            .await
            .unwrap()
            .into_iter()
            .map(|record| record.event)
            .collect();
        panic!("the order never was {what}: {story:#?}");
    }

    pub async fn until_state(&self, id: OrderId, state: &str) -> Arc<Order> {
        self.until(id, state, |order| order.state.name() == state)
            .await
    }

    /// How many cards the provider made for an order.
    pub fn cards_of(&self, id: OrderId) -> usize {
        let ledger = self.simulator.ledger_without_requests();
        ledger
            .cards_by_metadata("issuance_order")
            .get(&id.to_string())
            .map_or(0, Vec::len)
    }
}

/// A webhook door of the smallest kind; the server's own is tested with the server.
async fn door(engine: Engine) -> String {
    use axum::body::Bytes;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};

    async fn receive(State(engine): State<Engine>, headers: HeaderMap, body: Bytes) -> StatusCode {
        let all = |name: &str| {
            headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes())
                .collect::<Vec<_>>()
        };
        match engine
            .receive_webhook(&all("x-wk-signature"), &all("x-wk-timestamp"), &body)
            .await
        {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::UNAUTHORIZED,
        }
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}/webhooks/uqpay", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/webhooks/uqpay", axum::routing::post(receive))
        .with_state(engine);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}
