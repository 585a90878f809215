//! The host: places orders over HTTP, again under the same reference until it hears that one is taken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use issuance_simulator::product;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// What every caller shares.
#[derive(Debug)]
pub(super) struct Host {
    client: reqwest::Client,
    orders: String,
    next: AtomicU64,
    /// One permit an order.
    allowed: Semaphore,
    over: AtomicBool,
    /// Reference to id, of everything that was answered 2xx.
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// Answers that contradict an earlier one.
    contradictions: Mutex<Vec<String>>,
}

impl Host {
    pub(super) fn new(client: reqwest::Client, orders: String) -> Arc<Self> {
        Arc::new(Self {
            client,
            orders,
            next: AtomicU64::new(1),
            allowed: Semaphore::new(0),
            over: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            contradictions: Mutex::default(),
        })
    }

    /// Lets so many more orders be placed.
    pub(super) fn allow(&self, orders: usize) {
        // What was not used in one life is not saved up.
        let used = orders.saturating_sub(self.allowed.available_permits());
        self.allowed.add_permits(used);
    }

    pub(super) fn acknowledged(&self) -> BTreeMap<String, String> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub(super) fn contradictions(&self) -> Vec<String> {
        self.contradictions.lock().unwrap().clone()
    }

    /// No more orders; what is asked is asked to its end.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.allowed.close();
    }

    /// One caller, until the end.
    pub(super) async fn call(self: Arc<Self>) {
        while let Ok(permit) = self.allowed.acquire().await {
            permit.forget();
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            // Every fifth is told twice: the same reference is the same order.
            let times = if number.is_multiple_of(5) { 2 } else { 1 };
            for _ in 0..times {
                self.place(number).await;
            }
        }
    }

    async fn place(&self, number: u64) {
        loop {
            let answer = self
                .client
                .post(&self.orders)
                .json(&request(number))
                .send()
                .await;
            let Ok(answer) = answer else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let status = answer.status();
            if status.is_success() {
                // Half an answer acknowledges too, but does not say which order it is: ask again.
                if let Ok(order) = answer.json::<Value>().await {
                    return self.note(&reference(number), order["id"].as_str().unwrap_or_default());
                }
            } else if status.is_client_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS {
                let said = answer.text().await.unwrap_or_default();
                return self.contradict(format!("{} was refused: {said}", reference(number)));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn note(&self, reference: &str, id: &str) {
        let before = self
            .acknowledged
            .lock()
            .unwrap()
            .insert(reference.into(), id.into());
        if let Some(before) = before.filter(|before| before != id) {
            self.contradict(format!("{reference} was {before} and is {id}"));
        }
    }

    fn contradict(&self, what: String) {
        self.contradictions.lock().unwrap().push(what);
    }
}

fn reference(number: u64) -> String {
    format!("kill-{number}")
}

fn request(number: u64) -> Value {
    json!({
        "reference": reference(number),
        "product_id": product::SIMPLIFIED,
        "currency": "USD",
        "metadata": { "number": number.to_string() },
        "cardholder": { "type": "new", "fields": {
            "email": format!("holder{number}@mail.example"),
            "first_name": "Mina",
            "last_name": "Okafor",
            "country_code": "SG",
            "phone_number": format!("8{number:07}"),
        } },
    })
}
