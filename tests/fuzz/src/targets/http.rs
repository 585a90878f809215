//! What anybody can send to the listeners: requests into both routers, and raw bytes into the accept loop.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use issuance::Engine;
use issuance_domain::{Event, EventBody, OrderId, Policy, Timestamp, Version};
use issuance_server::{
    Access, AdminCredentials, ApiCredentials, Credential, PublicOptions, Role, ServeOptions,
    Server, TokenDigest, admin, public,
};
use issuance_store::{Append, Projection, SimulatedStore, Store};
use issuance_uqpay::webhook::{Verifier, WebhookSecret};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use super::provider::client_that_hears;

const HOST: &str = "host-token-0123456789abcdef0123456789";
const APPROVER: &str = "approver-token-0123456789abcdef012345";
const SECRET: &str = "whsec_fuzz_0123456789";
/// Largest answer read.
const ANSWER: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

fn credential<R>(name: &str, token: &str, role: R) -> Credential<R> {
    Credential {
        name: name.into(),
        token: TokenDigest::of(&token.into()).unwrap(),
        role,
    }
}

/// Both routers before a store that has one order, and a provider that has no time.
async fn routers() -> (Router, Router) {
    let policy = Policy {
        notify_host: false,
        ..Policy::standard()
    };
    let store = Arc::new(SimulatedStore::new(policy.clone()));
    let id: OrderId = "01920000-0000-7000-8000-000000000001".parse().unwrap();
    let body: EventBody = serde_json::from_value(json!({ "name": "order_requested", "body": {
        "personal_digest": "00", "terms": { "reference": "ref-1", "product_id": "product-1",
        "currency": "USD", "usage": "normal", "kyc": "none" } } }))
    .unwrap();
    let at: Timestamp = "2026-10-03T00:00:00Z".parse().unwrap();
    let events = vec![Event { at, body }];
    let append = Append {
        order: id,
        expected: Version::NONE,
        projection: Projection::after(id, None, &events, &policy)
            .unwrap()
            .unwrap(),
        events,
        sealed: Vec::new(),
        settles: None,
    };
    store.append(append).await.unwrap();
    let secret = WebhookSecret {
        secret: SECRET.to_owned().into(),
        valid_until: None,
    };
    let engine = Engine::builder()
        .store(store)
        .uqpay(client_that_hears(503, b"", b""))
        .policy(policy)
        .webhooks(Verifier::new(vec![secret], Duration::from_secs(300)).unwrap())
        .build()
        .unwrap();
    let hosts = ApiCredentials::new([credential("host", HOST, ())]).unwrap();
    let operators = [credential("anna", APPROVER, Role::Approver)];
    let options = PublicOptions::standard(Access::Tokens(hosts));
    (
        public(engine.clone(), options),
        admin(engine, AdminCredentials::new(operators).unwrap()),
    )
}

/// Requests, parted by a line `---`: each a line `METHOD TARGET`, header lines, an empty line, the body. They come one after
/// the other to the same world, with the right credential unless they bring one. No answer is an error of ours, a refusal
/// is a problem with a code, and no answer shows a secret.
pub(super) fn request(data: &[u8]) {
    runtime().block_on(async {
        let (public, admin) = routers().await;
        for part in parts(data).take(8) {
            let Some((request, for_operators)) = read(part) else {
                continue;
            };
            let router = if for_operators { &admin } else { &public };
            let answer = router.clone().oneshot(request).await.unwrap();
            let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE));
            let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
            let kind = kind.unwrap_or_default();
            // The provider is away; everything else is for the caller to mend.
            assert!(
                !status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE,
                "{status}"
            );
            if kind.starts_with("text/event-stream") {
                continue;
            }
            let said = axum::body::to_bytes(answer.into_body(), ANSWER)
                .await
                .unwrap();
            let text = String::from_utf8_lossy(&said);
            for secret in [HOST, APPROVER, SECRET] {
                assert!(!text.contains(secret), "an answer shows a secret");
            }
            if status.is_client_error() && !said.is_empty() {
                let problem: Value = serde_json::from_slice(&said).unwrap();
                assert!(problem["code"].is_string(), "{status}: {text}");
            }
        }
    });
}

fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    const PART: &[u8] = b"\n---\n";
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let all = rest?;
        let end = all.windows(PART.len()).position(|window| window == PART);
        rest = end.map(|end| &all[end + PART.len()..]);
        Some(&all[..end.unwrap_or(all.len())])
    })
}

/// A request, and whether it goes to the operators' listener.
fn read(part: &[u8]) -> Option<(Request<Body>, bool)> {
    let end = part.windows(2).position(|window| window == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&part[..end], &part[end + 2..]),
        None => (part, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let for_operators = target.starts_with("/admin");
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    let mut request = request.body(Body::from(body.to_vec())).ok()?;
    if !request.headers().contains_key(header::AUTHORIZATION) {
        let token = if for_operators { APPROVER } else { HOST };
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
    }
    Some((request, for_operators))
}

fn listener() -> SocketAddr {
    static LISTENER: OnceLock<SocketAddr> = OnceLock::new();
    *LISTENER.get_or_init(|| {
        runtime().block_on(async {
            let (public, _) = routers().await;
            let any = ([127, 0, 0, 1], 0).into();
            let server = Server::bind(any, public, ServeOptions::standard());
            let server = server.await.unwrap();
            let address = server.address();
            tokio::spawn(server.run(tokio_util::sync::CancellationToken::new()));
            address
        })
    })
}

/// All of it on one connection, then nothing more. The connection ends in time; what was answered is HTTP, and none of it
/// an error of ours.
pub(super) fn bytes(data: &[u8]) {
    let address = listener();
    runtime().block_on(async {
        let mut caller = TcpStream::connect(address).await.unwrap();
        // No port waits for stragglers afterwards.
        caller.set_zero_linger().unwrap();
        let mut said = Vec::new();
        let spoken = async {
            // It may have heard enough before the end.
            let _ = caller.write_all(data).await;
            let _ = caller.shutdown().await;
            let _ = (&mut caller)
                .take(ANSWER as u64)
                .read_to_end(&mut said)
                .await;
        };
        let ended = tokio::time::timeout(PATIENCE, spoken).await;
        assert!(ended.is_ok(), "the connection stays open");
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "no HTTP");
        let ours = b"HTTP/1.1 500";
        assert!(!said.windows(ours.len()).any(|window| window == ours));
    });
}
