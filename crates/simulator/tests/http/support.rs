//! A simulator, a caller with a token, and a receiver of webhooks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use issuance_simulator::{CardStatus, Config, Ledger, Running, Simulator, WebhookTarget, product};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

pub(crate) const SECRET: &str = "whsec_test";
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) simulator: Running,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

pub(crate) fn quick() -> Config {
    Config {
        processing_delay: Duration::from_millis(20),
        review_delay: Duration::from_millis(20),
        webhook_retry_unit: Duration::from_millis(1),
        ..Config::default()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(quick()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let mut world = Self {
            simulator,
            http,
            token: String::new(),
        };
        world.token = world.mint("test").await;
        world
    }

    pub(crate) async fn mint(&self, client: &str) -> String {
        let (status, body) = answer(self.mint_as(client, "key").await).await;
        assert_eq!(status, 200, "{body}");
        format!("Bearer {}", body["auth_token"].as_str().unwrap())
    }

    pub(crate) async fn mint_as(&self, client: &str, key: &str) -> reqwest::Response {
        self.http
            .post(self.url("/v1/connect/token"))
            .header("x-client-id", client)
            .header("x-api-key", key)
            .send()
            .await
            .unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.api_base())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(
            self.http
                .get(self.url(path))
                .header("x-auth-token", &self.token)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn try_post(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        self.http
            .post(self.url(path))
            .header("x-auth-token", &self.token)
            .header("x-idempotency-key", key)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_keyed(path, &key(), body).await
    }

    pub(crate) async fn post_keyed(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        answer(self.try_post(path, key, body).await.unwrap()).await
    }

    /// Creates a card and expects it to be accepted.
    pub(crate) async fn create(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/v1/issuing/cards", body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Creates a card and expects it to be refused; answers the body.
    pub(crate) async fn refused(&self, body: &Value, code: &str) -> Value {
        let (status, answer) = self.post("/v1/issuing/cards", body).await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (400, Some(code)),
            "{answer}"
        );
        answer
    }

    pub(crate) async fn control(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("http://{}/_sim{path}", self.simulator.addr());
        answer(self.http.post(url).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn fault(&self, rule: Value) {
        let (status, body) = self.control("/faults", &rule).await;
        assert_eq!(status, 200, "{body}");
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.simulator.ledger()
    }

    pub(crate) fn status_of(&self, card: &Value) -> CardStatus {
        let id: Uuid = card["card_id"].as_str().unwrap().parse().unwrap();
        self.ledger()
            .cards
            .iter()
            .find(|card| card.card_id == id)
            .unwrap()
            .status
    }

    /// Reads the card until it has this status.
    pub(crate) async fn until(&self, card: &Value, status: &str) -> Value {
        let path = format!("/v1/issuing/cards/{}", card["card_id"].as_str().unwrap());
        for _ in 0..1000 {
            let (_, body) = self.get(&path).await;
            if body["card_status"] == status {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("card never became {status}");
    }
}

pub(crate) async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

pub(crate) fn key() -> String {
    Uuid::new_v4().to_string()
}

/// A person nobody else in this process is.
pub(crate) fn person() -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    json!({
        "email": format!("p{number}@mail.example"), "first_name": "Mina", "last_name": "Okafor",
        "country_code": "SG", "phone_number": format!("8{number:07}")
    })
}

pub(crate) fn simple() -> Value {
    with_product(product::SIMPLIFIED, person())
}

pub(crate) fn with_product(product: Uuid, person: Value) -> Value {
    json!({
        "card_product_id": product, "card_currency": "USD", "card_limit": 120.5,
        "metadata": {"order": "o-1"}, "cardholder_required_fields": person
    })
}

pub(crate) fn enhanced(verification: Value) -> Value {
    let mut person = person();
    person["residential_address"] =
        json!({"country": "SG", "city": "Singapore", "line1": "1 Example Road"});
    person["kyc_verification"] = verification;
    with_product(product::ENHANCED, person)
}

pub(crate) fn redirect() -> Value {
    enhanced(json!({"method": "SUMSUB_REDIRECT"}))
}

pub(crate) fn rule(fault: Value) -> Value {
    json!({"match": {"endpoint": "create_card"}, "fault": fault, "times": 1})
}

#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) body: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Delivered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The far end of the webhooks.
pub(crate) struct Receiver {
    pub(crate) url: String,
    /// What it answers.
    pub(crate) status: Arc<AtomicU16>,
    deliveries: Mutex<mpsc::Receiver<Delivered>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (sender, deliveries) = mpsc::channel(1000);
        let status = Arc::new(AtomicU16::new(200));
        let app = Router::new()
            .route(
                "/hook",
                post(
                    |State((sender, status)): State<(mpsc::Sender<Delivered>, Arc<AtomicU16>)>,
                     headers: HeaderMap,
                     body: Bytes| async move {
                        let headers = headers
                            .iter()
                            .map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned()))
                            .collect();
                        let body = String::from_utf8(body.to_vec()).unwrap();
                        sender.send(Delivered { body, headers }).await.unwrap();
                        StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap()
                    },
                ),
            )
            .with_state((sender, Arc::clone(&status)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            status,
            deliveries: Mutex::new(deliveries),
        }
    }

    pub(crate) fn target(&self) -> WebhookTarget {
        WebhookTarget {
            url: self.url.clone(),
            secret: Some(SECRET.into()),
        }
    }

    /// The next delivery, whatever it is.
    pub(crate) async fn next(&self) -> Delivered {
        let mut deliveries = self.deliveries.lock().await;
        tokio::time::timeout(PATIENCE, deliveries.recv())
            .await
            .expect("a webhook arrives")
            .unwrap()
    }

    pub(crate) async fn event(&self, name: &str) -> Value {
        let event = self.next().await.json();
        assert_eq!(event["event_type"], name, "{event}");
        event
    }

    /// What has arrived until now.
    pub(crate) async fn arrived(&self) -> usize {
        let mut deliveries = self.deliveries.lock().await;
        std::iter::from_fn(|| deliveries.try_recv().ok()).count()
    }
}
