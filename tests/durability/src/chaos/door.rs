//! The host's door: takes signed notices, now and then refuses one or takes its time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use issuance_server::NoticeSecret;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::host::{History, told};
use crate::random::Random;
use crate::server::NOTIFY_SECRET;

#[derive(Debug, Clone)]
struct Door {
    history: Arc<History>,
    secret: NoticeSecret,
    random: Arc<Mutex<Random>>,
}

/// Listens until the runtime ends.
pub(super) async fn open(history: Arc<History>, random: Random) -> std::net::SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("a port");
    let door = Door {
        history,
        secret: NoticeSecret::read(&NOTIFY_SECRET.into()).expect("a secret"),
        random: Arc::new(Mutex::new(random)),
    };
    let app = axum::Router::new()
        .route("/notices", axum::routing::post(hear))
        .with_state(door);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn hear(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).map_or(&[][..], |value| value.as_bytes());
    let signatures = std::str::from_utf8(header("webhook-signature")).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if !door.secret.verifies(id, timestamp, signatures, &body) {
        door.history
            .contradict("a notice came that is not signed".into());
        return StatusCode::UNAUTHORIZED;
    }
    let mood = door.random.lock().unwrap().below(20);
    match mood {
        0 => return StatusCode::INTERNAL_SERVER_ERROR,
        1 => sleep(Duration::from_millis(400)).await,
        _ => {}
    }
    let notice: Value = serde_json::from_slice(&body).unwrap_or_default();
    let order = notice["data"]["order_id"].as_str();
    let order = order.and_then(|id| id.parse().ok());
    match (order, notice["data"]["version"].as_u64()) {
        (Some(order), Some(version)) => told(&door.history, order, version),
        _ => door
            .history
            .contradict(format!("a notice that names no order: {notice}")),
    }
    StatusCode::NO_CONTENT
}
