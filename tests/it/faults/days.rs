//! The provider away for three days and back (F-045): the whole engine, the real client and the false provider in one
//! thread, on a clock that jumps to whatever is due next. No message ever comes; look-ups do it all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use issuance::domain::{AttentionReason, EventBody, OrderId, Policy, Purpose, State, Timestamp};
use issuance::uqpay::{
    BaseUrl, Client, Config as ClientConfig, NoReply, NotSentCause, Reply, Request, Transport,
    UnknownCause,
};
use issuance::{Clock, Engine, Limits};
use issuance_simulator::{Config, Endpoint, Local, LocalRequest, Served, product};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{request, simple};
use serde_json::json;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

const BEGIN: i64 = 1_790_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAYS: Duration = Duration::from_secs(3 * 86_400);
/// Calls a minute, as the provider counts and as we keep.
const LIMIT: u32 = 200;

/// Time that stands still while anybody is busy, and then jumps to what is due.
#[derive(Debug)]
struct Jumping {
    began: Instant,
    draws: AtomicU64,
}

#[async_trait]
impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN).after(self.began.elapsed())
    }

    fn steady(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, wait: Duration) {
        sleep(wait).await;
    }

    fn jitter(&self) -> f64 {
        f64::from(u16::try_from(self.draw() >> 48).unwrap()) / 65_536.0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.draw().to_le_bytes()[..part.len()]);
        }
    }
}

impl Jumping {
    /// SplitMix64.
    fn draw(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut drawn = self
            .draws
            .fetch_add(step, Ordering::Relaxed)
            .wrapping_add(step);
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fine,
    /// Calls leave and no answer comes; those of every other key never arrive.
    Deaf,
    /// Nobody listens.
    Gone,
}

/// The wire to the provider.
#[derive(Debug)]
struct Wire {
    clock: Arc<Jumping>,
    provider: Mutex<Local>,
    weather: AtomicU8,
    /// Calls tried while nobody listened.
    in_vain: AtomicU32,
}

impl Wire {
    fn set(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::Relaxed);
    }

    fn is(&self, weather: Weather) -> bool {
        self.weather.load(Ordering::Relaxed) == weather as u8
    }

    fn serve(&self, request: &Request) -> Served {
        let query = request.url.query().unwrap_or_default();
        let uri = format!("{}?{query}", request.url.path());
        let request = LocalRequest {
            method: &request.method,
            uri: &uri,
            headers: &request.headers,
            body: &request.body,
        };
        let now = self.clock.now().millis();
        self.provider.lock().unwrap().serve(&request, None, now)
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Reply, NoReply> {
        if self.is(Weather::Gone) {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
            return Err(NoReply::NotSent(NotSentCause::Refused));
        }
        sleep(Duration::from_millis(30)).await;
        let deaf = self.is(Weather::Deaf);
        if deaf && never_arrives(&request) {
            return Err(NoReply::Unknown(UnknownCause::ConnectionLost));
        }
        let Served::Answered(answer) = self.serve(&request) else {
            panic!("no fault is in force");
        };
        if deaf {
            return Err(NoReply::Unknown(UnknownCause::ConnectionLost));
        }
        Ok(Reply {
            status: answer.status,
            headers: Default::default(),
            body: Ok(Zeroizing::new(answer.body.into_bytes())),
        })
    }
}

/// The same key fares the same each time.
fn never_arrives(request: &Request) -> bool {
    let key = request.headers.get("x-idempotency-key");
    key.is_some_and(|key| key.as_bytes()[0] % 2 == 0)
}

struct World {
    clock: Arc<Jumping>,
    wire: Arc<Wire>,
    engine: Engine,
}

fn world() -> World {
    let clock = Arc::new(Jumping {
        began: Instant::now(),
        draws: AtomicU64::new(1),
    });
    let config = Config {
        rate_limit_per_minute: Some(LIMIT),
        token_limit_per_minute: Some(60),
        request_log_cap: 10_000_000,
        ..Config::default()
    };
    let wire = Arc::new(Wire {
        clock: clock.clone(),
        provider: Mutex::new(Local::new(config)),
        weather: AtomicU8::new(Weather::Fine as u8),
        in_vain: AtomicU32::new(0),
    });
    let config = ClientConfig {
        base_url: BaseUrl::parse("http://127.0.0.1:1/api", true).unwrap(),
        client_id: "tests".into(),
        api_key: "tests-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: ClientConfig::CONNECT_TIMEOUT,
        total_timeout: ClientConfig::TOTAL_TIMEOUT,
        max_answer: ClientConfig::MAX_ANSWER,
    };
    let policy = Policy {
        notify_host: false,
        ..Policy::standard()
    };
    let limits = Limits {
        calls_per_minute: LIMIT,
        reconcile_every: Duration::ZERO,
        ..Limits::standard()
    };
    let engine = Engine::builder()
        .store(Arc::new(SimulatedStore::new(policy.clone())))
        .uqpay(Client::over(wire.clone(), config).unwrap())
        .clock(clock.clone())
        .policy(policy)
        .limits(limits)
        .build()
        .unwrap();
    let running = engine.clone();
    tokio::spawn(async move { running.run().await });
    World {
        clock,
        wire,
        engine,
    }
}

impl World {
    async fn place(&self, numbers: std::ops::Range<u32>) -> Vec<OrderId> {
        let mut placed = Vec::new();
        for number in numbers {
            placed.push(self.engine.place(simple(number)).await.unwrap().order.id);
        }
        placed
    }

    async fn count(&self, state: &str) -> u64 {
        let counts = self.engine.health().await.counts.unwrap();
        counts.states.get(state).copied().unwrap_or_default()
    }

    /// Every send of a create call, by key.
    async fn sends(&self, id: OrderId) -> BTreeMap<String, Vec<Timestamp>> {
        let mut sends: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
        for record in self.engine.history(id).await.unwrap() {
            if let EventBody::SubmissionStarted {
                purpose: Purpose::CreateCard,
                key,
                ..
            } = record.event.body
            {
                sends
                    .entry(key.to_string())
                    .or_default()
                    .push(record.event.at);
            }
        }
        sends
    }
}

#[tokio::test(start_paused = true)]
async fn f_045_an_outage_of_three_days_with_thousands_of_orders_loses_and_doubles_nothing() {
    let world = world();
    let mut orders = world.place(0..100).await;
    sleep(10 * MINUTE).await;
    assert_eq!(world.count("active").await, 100, "all is well");

    // Calls leave and nothing is heard of them, whether they arrived or not.
    world.wire.set(Weather::Deaf);
    let unknown = world.place(300..500).await;
    let mut prepaid = Vec::new();
    for number in 700..712 {
        let asked = request(
            number,
            json!({ "product_id": product::PREPAID, "limit": "10.00" }),
        );
        prepaid.push(world.engine.place(asked).await.unwrap().order.id);
    }
    sleep(10 * MINUTE).await;

    // Nobody is there any more, and hosts go on placing.
    world.wire.set(Weather::Gone);
    orders.extend(world.place(1_000..2_500).await);
    sleep(DAYS / 2).await;
    orders.extend(world.place(3_000..6_200).await);
    sleep(DAYS / 2).await;
    let in_vain = world.wire.in_vain.load(Ordering::Relaxed);
    assert_eq!(world.count("failed").await, 0);
    // A probe from time to time, however many wait: the wait between two grows to five minutes, less jitter.
    let probes = 3 * 24 * 12 * 10 / 8;
    assert!(in_vain <= probes + 50, "{in_vain} calls to nobody");

    // Back again, with everything at once to do.
    world.wire.set(Weather::Fine);
    let healed = world.clock.now();
    while world.count("requested").await + world.count("accepted").await > 20 {
        sleep(MINUTE).await;
        assert!(world.clock.now().since(healed) < 4 * HOUR, "it never ends");
    }
    sleep(20 * MINUTE).await;
    orders.extend(unknown.iter().copied());
    judge(&world, &orders, &unknown, &prepaid, healed).await;
}

async fn judge(
    world: &World,
    orders: &[OrderId],
    unknown: &[OrderId],
    prepaid: &[OrderId],
    healed: Timestamp,
) {
    let ledger = world
        .wire
        .provider
        .lock()
        .unwrap()
        .ledger(world.clock.now().millis());
    let made = ledger.cards_by_metadata("issuance_order");
    for id in orders {
        let order = world.engine.order(*id).await.unwrap().unwrap();
        assert_eq!(
            (order.state.name(), &order.attention),
            ("active", &None),
            "{order:#?}"
        );
        assert_eq!(
            made.get(&id.to_string()).map(Vec::len),
            Some(1),
            "one card for {id}"
        );
    }
    // What arrived was adopted under its key; what did not was proved absent first.
    let mut generations = BTreeMap::<usize, u32>::new();
    for id in unknown {
        let sends = world.sends(*id).await;
        *generations.entry(sends.len()).or_default() += 1;
        for (key, times) in &sends {
            let (first, last) = (times[0], times[times.len() - 1]);
            assert!(
                last.since(first) < Policy::standard().key_safe_age,
                "{key}: {times:?}"
            );
        }
        let story = world.engine.history(*id).await.unwrap();
        let proved = story
            .iter()
            .any(|record| record.event.body.name() == "absence_proved");
        assert_eq!(proved, sends.len() == 2, "{id}: a new key only with proof");
    }
    assert_eq!(
        generations.keys().copied().collect::<Vec<_>>(),
        [1, 2],
        "{generations:?}"
    );
    assert!(
        generations.values().all(|count| *count > 60),
        "{generations:?}"
    );
    // Where money is loaded, a person decides with the proof.
    let mut asked = 0;
    for id in prepaid {
        let order = world.engine.order(*id).await.unwrap().unwrap();
        match &order.state {
            State::Active { .. } => assert_eq!(made[&id.to_string()].len(), 1),
            State::Requested { .. } => {
                let reason = order.attention.as_ref().map(|called| &called.reason);
                assert_eq!(reason, Some(&AttentionReason::AbsenceProved));
                assert!(!made.contains_key(&id.to_string()));
                asked += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(asked > 0);
    assert_eq!(
        made.len(),
        orders.len() + prepaid.len() - asked,
        "no card of nobody's"
    );

    assert!(ledger.requests.iter().all(|request| request.status != 429));
    let minute = |at: i64| at.div_euclid(60_000);
    let mut minutes = BTreeMap::<i64, u32>::new();
    let mut sent = BTreeMap::<Option<String>, i64>::new();
    for request in &ledger.requests {
        *minutes.entry(minute(request.at)).or_default() += 1;
        if request.endpoint == Endpoint::CreateCard && request.at > healed.millis() {
            sent.entry(request.idempotency_key.clone())
                .or_insert(minute(request.at));
        }
    }
    // Each is created and read; what is searched for and what is read in vain comes to little beside.
    let calls = ledger
        .requests
        .iter()
        .filter(|request| request.at > healed.millis())
        .count();
    assert!(calls < 2 * orders.len(), "{calls}");
    let mut sends = BTreeMap::<i64, u32>::new();
    for at in sent.values() {
        *sends.entry(*at).or_default() += 1;
    }
    // Orders that were proved absent first are sent long after the others.
    let busy = || {
        sends
            .iter()
            .filter(|(_, sent)| **sent > 100)
            .map(|(at, _)| *at)
    };
    let (first, last) = (busy().min().unwrap(), busy().max().unwrap());
    // While there are orders to send, all of it is used, but for the minute that pays for the first burst.
    let draining: Vec<_> = (first..last)
        .map(|at| minutes.get(&at).copied().unwrap_or_default())
        .collect();
    assert!(draining.len() >= 20, "{draining:?}");
    assert!(
        draining
            .iter()
            .skip(3)
            .all(|calls| calls * 20 >= LIMIT * 19),
        "{draining:?}"
    );
}
