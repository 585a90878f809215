//! The host of the demo: it places orders over HTTP, and is told how they go by signed webhooks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use issuance_server::NoticeSecret;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::exit::{Exit, Failure};

/// What the host was told last, by order id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Arc<Mutex<HashMap<String, u64>>>);

impl Told {
    /// How many orders the host was told of.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Listens for notices. Its address, and what it was told.
pub(crate) async fn listen(secret: NoticeSecret) -> Result<(String, Told), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, "cannot listen as the host").because(&error)
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let told = Told::default();
    let app = axum::Router::new()
        .route("/notices", axum::routing::post(hear))
        .with_state((told.clone(), secret));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((format!("http://{address}/notices"), told))
}

/// A host takes only what is signed, and takes a repeat for what it is.
async fn hear(
    State((told, secret)): State<(Told, NoticeSecret)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name: &str| {
        headers
            .get(name)
            .map(|value| value.as_bytes())
            .unwrap_or_default()
    };
    let signatures = std::str::from_utf8(header("webhook-signature")).unwrap_or_default();
    if !secret.verifies(
        header("webhook-id"),
        header("webhook-timestamp"),
        signatures,
        &body,
    ) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(notice) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let data = notice.get("data").unwrap_or(&notice);
    let order = data
        .get("order_id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let version = data
        .get("version")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let mut known = told.lock();
    let newest = known.entry(order).or_default();
    *newest = version.max(*newest);
    StatusCode::NO_CONTENT
}

/// What the server said to a request for a card.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// An order, new or known.
    Order(String),
    /// Refused, for these paths.
    Refused(Vec<String>),
}

/// Places one order. The server may be busy; then it is asked again, a bounded number of times.
pub(crate) async fn place(http: &Client, base: &str, request: &Value) -> Result<Answer, Failure> {
    const TRIES: u32 = 20;
    for attempt in 1..=TRIES {
        let answer = http
            .post(format!("{base}/v1/orders"))
            .json(request)
            .send()
            .await;
        let answer = answer.map_err(|error| {
            Failure::new(Exit::Failed, "the server does not answer").because(&error)
        })?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_else(|_| json!({}));
        match status {
            200 | 201 => {
                let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
                return Ok(Answer::Order(id.to_owned()));
            }
            409 | 422 => {
                let errors = body
                    .get("errors")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default();
                let path =
                    |error: &Value| error.get("path").and_then(Value::as_str).map(str::to_owned);
                return Ok(Answer::Refused(errors.iter().filter_map(path).collect()));
            }
            429 | 503 if attempt < TRIES => {
                tokio::time::sleep(std::time::Duration::from_millis(250)).await
            }
            _ => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("the server answered {status}: {body}"),
                ));
            }
        }
    }
    Err(Failure::new(Exit::Unavailable, "the server stays busy"))
}
