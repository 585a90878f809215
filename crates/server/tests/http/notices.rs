//! Notices to the host, as a receiver of Standard Webhooks checks them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use issuance::domain::{OrderId, Version};
use issuance::{Notice, Notifier, SystemClock};
use issuance_server::{HttpNotifier, NotifierError, NotifierOptions, ServeOptions, Server};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const KEY: [u8; 32] = [7; 32];

fn secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(KEY))
}

fn notice() -> Notice {
    Notice {
        order_id: "01920000-0000-7000-8000-000000000001"
            .parse::<OrderId>()
            .unwrap(),
        reference: "r-1".parse().unwrap(),
        version: Version(4),
        occurred_at: "2026-10-03T00:00:00Z".parse().unwrap(),
        state: "active".into(),
        card_id: Some("card-1".parse().unwrap()),
        idv_expires_at: None,
        failure: None,
        cancelled: false,
    }
}

type Seen = mpsc::Sender<(HeaderMap, Bytes)>;

/// A host: takes what comes to `/ok`, and is difficult elsewhere.
async fn host() -> (String, mpsc::Receiver<(HeaderMap, Bytes)>) {
    let (seen, received) = mpsc::channel(8);
    let take = |State(seen): State<Seen>, headers: HeaderMap, body: Bytes| async move {
        seen.send((headers, body)).await.unwrap();
        StatusCode::NO_CONTENT
    };
    let app = axum::Router::new()
        .route("/ok", post(take))
        .route("/no", post(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/elsewhere", post(|| async { Redirect::temporary("/ok") }))
        .route("/never", post(std::future::pending::<StatusCode>))
        .with_state(seen);
    let server = Server::bind(([127, 0, 0, 1], 0).into(), app, ServeOptions::standard())
        .await
        .unwrap();
    let base = format!("http://{}", server.address());
    tokio::spawn(server.run(CancellationToken::new()));
    (base, received)
}

fn notifier(url: &str) -> Result<HttpNotifier, NotifierError> {
    let options = NotifierOptions {
        timeout: Duration::from_millis(400),
        ..NotifierOptions::standard(url, secret().into())
    };
    HttpNotifier::new(options, Arc::new(SystemClock))
}

#[tokio::test]
async fn a_receiver_can_check_it_and_tell_repeats() {
    let (base, mut received) = host().await;
    let notifier = notifier(&format!("{base}/ok")).unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        notifier.notify(notice()).await.unwrap();
        let (headers, body) = received.recv().await.unwrap();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body].concat();
        let given = header("webhook-signature");
        let given = BASE64_STANDARD
            .decode(given.strip_prefix("v1,").unwrap())
            .unwrap();
        Hmac::<Sha256>::new_from_slice(&KEY)
            .unwrap()
            .chain_update(signed)
            .verify_slice(&given)
            .unwrap();
        let json: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["type"], "order.active");
        assert_eq!(json["data"]["card_id"], "card-1");
        assert_eq!(json["data"]["version"], 4);
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], "01920000-0000-7000-8000-000000000001_4");
}

#[tokio::test]
async fn only_a_2xx_of_the_very_address_is_told() {
    let (base, mut received) = host().await;
    for (path, why) in [
        ("no", "answered 500"),
        ("elsewhere", "answered 307"),
        ("never", "not answer in time"),
    ] {
        let error = notifier(&format!("{base}/{path}"))
            .unwrap()
            .notify(notice())
            .await
            .unwrap_err();
        assert!(error.why.contains(why), "{path}: {error}");
    }
    assert!(received.try_recv().is_err(), "a redirect is not followed");
    let error = notifier("http://127.0.0.1:1/")
        .unwrap()
        .notify(notice())
        .await
        .unwrap_err();
    assert!(error.why.contains("cannot be reached"), "{error}");
}

#[test]
fn addresses_and_secrets_are_judged_at_the_start() {
    for url in [
        "",
        "ftp://a.example",
        "http://a.example/",
        "https://me:pw@a.example/",
        "http://10.0.0.1/",
        "https://a.example/#x",
    ] {
        assert!(matches!(notifier(url), Err(NotifierError::Url)), "{url}");
    }
    for secret in ["", "whsec_", "whsec_AAAA", "plain", "whsec_!!"] {
        let options = NotifierOptions::standard("http://127.0.0.1:1/", secret.into());
        let made = HttpNotifier::new(options, Arc::new(SystemClock));
        assert!(matches!(made, Err(NotifierError::Secret)), "{secret}");
    }
    let shown = format!(
        "{:?}",
        notifier("http://127.0.0.1:1/path-with-token").unwrap()
    );
    assert!(
        !shown.contains("token") && !shown.contains("whsec"),
        "{shown}"
    );
}
