//! The host: places orders over HTTP until it hears that each is taken, clicks twice, reads, cancels. Everything it is told
//! goes into the outside history, and must be so ever after.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use issuance_audit::Outside;
use issuance_domain::{OrderId, Timestamp, Version};
use issuance_simulator::product;
use issuance_store::HostReference;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::random::Random;

/// What is known outside: all callers, operators and the door write here.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) facts: Mutex<Vec<Outside>>,
    pub(super) contradictions: Mutex<Vec<String>>,
    acknowledged: Mutex<BTreeMap<String, OrderId>>,
    /// The newest version that anybody saw of an order.
    seen: Mutex<BTreeMap<OrderId, u64>>,
}

impl History {
    pub(super) fn note(&self, fact: Outside) {
        self.facts.lock().unwrap().push(fact);
    }

    pub(super) fn contradict(&self, what: String) {
        self.contradictions.lock().unwrap().push(what);
    }

    /// How many orders hosts were told of.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub(super) fn seen(&self, order: OrderId) -> u64 {
        self.seen.lock().unwrap().get(&order).copied().unwrap_or(0)
    }

    /// An order as it was shown, to somebody who had seen `before` when they asked.
    pub(super) fn saw(&self, view: &Value, before: u64) {
        let (Some(order), Some(version)) = (id_of(view), view["version"].as_u64()) else {
            return self.contradict(format!("an answer that shows no order: {view}"));
        };
        if version < before {
            self.contradict(format!(
                "order {order} was shown at version {version} after {before}"
            ));
        }
        let mut seen = self.seen.lock().unwrap();
        let newest = seen.entry(order).or_default();
        *newest = version.max(*newest);
    }

    fn placed(&self, reference: &str, view: &Value) -> Option<OrderId> {
        let order = id_of(view)?;
        self.saw(view, 0);
        let mut acknowledged = self.acknowledged.lock().unwrap();
        let first = *acknowledged.entry(reference.to_owned()).or_insert(order);
        if first != order {
            self.contradict(format!("{reference} was order {first} and is {order}"));
        }
        self.note(Outside::Placed {
            order,
            reference: Some(HostReference {
                account: None,
                reference: reference.parse().expect("a reference"),
            }),
            at: now(),
        });
        Some(order)
    }
}

pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    Timestamp::from_millis(since.expect("after 1970").as_millis() as i64)
}

pub(super) fn id_of(view: &Value) -> Option<OrderId> {
    view["id"].as_str()?.parse().ok()
}

/// What every caller shares.
#[derive(Debug)]
pub(super) struct Host {
    client: Client,
    /// Through the link.
    orders: String,
    history: Arc<History>,
    seed: u64,
    next: AtomicU64,
    most: u64,
    /// No new orders; what was begun is seen through.
    pub(super) over: AtomicBool,
}

impl Host {
    pub(super) fn new(
        client: Client,
        orders: String,
        history: &Arc<History>,
        seed: u64,
        most: u64,
    ) -> Self {
        Self {
            client,
            orders,
            history: Arc::clone(history),
            seed,
            next: AtomicU64::new(1),
            most,
            over: AtomicBool::new(false),
        }
    }

    /// One caller, until the storm is over and everything it began is known.
    pub(super) async fn call(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number > self.most {
                return;
            }
            let mut random = Random::new(self.seed, number);
            self.see_through(number, &mut random).await;
            sleep(random.millis(0..60)).await;
        }
    }

    /// One order: placed until it is known to be taken, and what comes to a host's mind afterwards.
    pub(super) async fn see_through(&self, number: u64, random: &mut Random) {
        let reference = format!("chaos-{number}");
        let request = request(number, &reference, random);
        let order = match random.chance(0.2) {
            true => {
                let twice = (
                    self.place(&reference, &request),
                    self.place(&reference, &request),
                );
                tokio::join!(twice.0, twice.1).0
            }
            false => self.place(&reference, &request).await,
        };
        let Some(order) = order else { return };
        if random.chance(0.1) {
            self.change_its_mind(&reference, &request).await;
        }
        if random.chance(0.3) {
            sleep(random.millis(0..500)).await;
            self.look(order).await;
        }
        if random.chance(0.12) {
            sleep(random.millis(0..1_500)).await;
            self.cancel(order).await;
            if random.chance(0.5) {
                self.cancel(order).await;
            }
        }
    }

    async fn place(&self, reference: &str, request: &Value) -> Option<OrderId> {
        loop {
            let (status, said) = self
                .ask(|| self.client.post(&self.orders).json(request))
                .await;
            if status.is_success() {
                match self.history.placed(reference, &said) {
                    None => continue,
                    known => return known,
                }
            }
            self.history
                .contradict(format!("{reference} was refused with {status}: {said}"));
            return None;
        }
    }

    /// The same reference with other content is another order, and refused.
    async fn change_its_mind(&self, reference: &str, request: &Value) {
        let mut other = request.clone();
        other["currency"] = "SGD".into();
        let (status, said) = self
            .ask(|| self.client.post(&self.orders).json(&other))
            .await;
        if said["code"] != "reference_taken" {
            self.history
                .contradict(format!("{reference} with other content: {status}: {said}"));
        }
    }

    async fn look(&self, order: OrderId) {
        let before = self.history.seen(order);
        let url = format!("{}/{order}", self.orders);
        let (status, said) = self.ask(|| self.client.get(&url)).await;
        match status {
            StatusCode::OK => self.history.saw(&said, before),
            status => self
                .history
                .contradict(format!("order {order} is not shown: {status}: {said}")),
        }
    }

    async fn cancel(&self, order: OrderId) {
        let before = self.history.seen(order);
        let url = format!("{}/{order}/cancel", self.orders);
        let (status, said) = self.ask(|| self.client.post(&url)).await;
        match status {
            StatusCode::OK => self.history.saw(&said, before),
            // It ended meanwhile.
            StatusCode::CONFLICT => {}
            status => self
                .history
                .contradict(format!("cancel of {order}: {status}: {said}")),
        }
    }

    /// Until there is a whole answer that is not "later".
    async fn ask(&self, request: impl Fn() -> reqwest::RequestBuilder) -> (StatusCode, Value) {
        loop {
            if let Ok(answer) = request().send().await {
                let status = answer.status();
                let later = status.is_server_error()
                    || status == StatusCode::TOO_MANY_REQUESTS
                    || status == StatusCode::REQUEST_TIMEOUT;
                if let (false, Ok(said)) = (later, answer.json::<Value>().await) {
                    return (status, said);
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A person nobody else is, but for one in forty, who comes twice.
fn request(number: u64, reference: &str, random: &mut Random) -> Value {
    let person = if random.chance(0.025) {
        number.saturating_sub(1)
    } else {
        number
    };
    let fates = ["passes", "passes", "is_rejected", "hesitates", "waits"];
    let checked = random.chance(0.3);
    let fate = match (checked, random.chance(0.05)) {
        (_, true) => "no_card",
        (true, false) => fates[random.below(fates.len())],
        (false, false) => "simple",
    };
    let mut fields = json!({
        "email": format!("holder{person}@mail.example"),
        "first_name": "Mina",
        "last_name": "Okafor",
        "country_code": "SG",
        "phone_number": format!("8{person:07}"),
    });
    if checked {
        fields["residential_address"] =
            json!({ "country": "SG", "city": "Singapore", "line1": "17 Keppel Bay Drive" });
    }
    let mut request = json!({
        "reference": reference,
        "product_id": if checked { product::ENHANCED } else { product::SIMPLIFIED },
        "currency": "USD",
        "metadata": { "fate": fate },
        "cardholder": { "type": "new", "fields": fields },
    });
    if checked {
        request["kyc"] = json!({ "method": "sumsub_redirect" });
    }
    request
}

/// A notice that the door took.
pub(super) fn told(history: &History, order: OrderId, version: u64) {
    history.note(Outside::Told {
        order,
        version: Version(version),
        at: now(),
    });
}
