//! An engine with both listeners on free loopback ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use issuance::Engine;
use issuance::domain::Policy;
use issuance::uqpay::webhook::{Verifier, WebhookSecret};
use issuance_server::{
    Access, AdminCredentials, ApiCredentials, Credential, PublicOptions, Role, ServeOptions,
    Server, TokenDigest, admin, public,
};
use issuance_store::SimulatedStore;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::provider::SmallProvider;

pub(crate) const WEBHOOK_SECRET: &str = "whsec_server_tests_0123";
pub(crate) const HOST: &str = "host-token-0123456789abcdef0123456789";
pub(crate) const VIEWER: &str = "viewer-token-0123456789abcdef01234567";
pub(crate) const OPERATOR: &str = "operator-token-0123456789abcdef012345";
pub(crate) const APPROVER: &str = "approver-token-0123456789abcdef012345";

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<SimulatedStore>,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: Vec<JoinHandle<()>>,
    pub(crate) http: Client,
}

fn digest(token: &str) -> TokenDigest {
    TokenDigest::of(&token.into()).unwrap()
}

pub(crate) fn operators() -> AdminCredentials {
    let of = |name: &str, token, role| Credential {
        name: name.into(),
        token: digest(token),
        role,
    };
    AdminCredentials::new([
        of("vera", VIEWER, Role::Viewer),
        of("olaf", OPERATOR, Role::Operator),
        of("anna", APPROVER, Role::Approver),
    ])
    .unwrap()
}

pub(crate) fn tokens() -> Access {
    let credential = Credential {
        name: "host".into(),
        token: digest(HOST),
        role: (),
    };
    Access::Tokens(ApiCredentials::new([credential]).unwrap())
}

/// Limits short enough to be waited for.
pub(crate) fn quick() -> ServeOptions {
    ServeOptions {
        header_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_secs(6),
        write_timeout: Duration::from_millis(500),
        grace: Duration::from_millis(600),
        ..ServeOptions::standard()
    }
}

pub(crate) fn request(reference: &str) -> Value {
    json!({
        "reference": reference,
        "product_id": "product-1",
        "currency": "USD",
        "limit": "120.50",
        "cardholder": { "type": "new", "fields": {
            "email": "mina.okafor@mail.example", "first_name": "Mina", "last_name": "Okafor",
            "country_code": "SG", "phone_number": "81230947",
        }},
    })
}

impl World {
    /// The engine works, access is open, limits are the standard ones.
    pub(crate) async fn start() -> Self {
        let world = Self::with(
            PublicOptions::standard(Access::Open),
            ServeOptions::standard(),
        )
        .await;
        world.work();
        world
    }

    /// Nothing works behind it: orders stay as placed.
    pub(crate) async fn with(options: PublicOptions, limits: ServeOptions) -> Self {
        let secret = WebhookSecret {
            secret: WEBHOOK_SECRET.into(),
            valid_until: None,
        };
        let store = Arc::new(SimulatedStore::new(Policy {
            notify_host: false,
            ..Policy::standard()
        }));
        let engine = Engine::builder()
            .store(store.clone())
            .provider(Arc::new(SmallProvider))
            .webhooks(Verifier::new(vec![secret], Duration::from_secs(300)).unwrap())
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let hosts = Server::bind(any, public(engine.clone(), options), limits.clone())
            .await
            .unwrap();
        let operators = Server::bind(any, admin(engine.clone(), operators()), limits)
            .await
            .unwrap();
        let (public, admin) = (hosts.address(), operators.address());
        let serving = vec![
            tokio::spawn(hosts.run(stop.clone())),
            tokio::spawn(operators.run(stop.clone())),
        ];
        let http = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            engine,
            store,
            public,
            admin,
            stop,
            serving,
            http,
        }
    }

    pub(crate) fn work(&self) {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.run().await });
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("http://{}{path}", self.public))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("http://{}{path}", self.public))
    }

    pub(crate) fn admin(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}/admin/v1{path}", self.admin))
            .bearer_auth(token)
    }

    /// Places an order; its id.
    pub(crate) async fn place(&self, reference: &str) -> String {
        let answer = self
            .post("/v1/orders")
            .json(&request(reference))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        body(answer).await["id"].as_str().unwrap().to_owned()
    }

    /// Reads an order until it is as wished.
    pub(crate) async fn until(&self, id: &str, wished: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..400 {
            let order = body(self.get(&format!("/v1/orders/{id}")).send().await.unwrap()).await;
            if wished(&order) {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("order {id} never was as wished");
    }

    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Value {
        self.until(id, |order| order["state"] == state).await
    }
}

pub(crate) async fn body(answer: Response) -> Value {
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text:?}"))
}

/// A problem of this code, whole and with its request's id.
pub(crate) async fn problem(answer: Response, code: issuance_server::Code) -> Value {
    assert_eq!(answer.status().as_u16(), code.status().as_u16());
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let problem = body(answer).await;
    assert_eq!(problem["code"], code.word());
    assert_eq!(problem["type"], code.uri());
    assert_eq!(problem["title"], code.title());
    assert_eq!(problem["hint"], code.hint());
    assert_eq!(problem["request_id"], id);
    problem
}
