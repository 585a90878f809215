//! How the process is, for load balancers and dashboards.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use crate::problem::{Code, Problem};

#[derive(Debug, Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    store: &'static str,
    provider: &'static str,
}

/// The process answers.
pub(super) async fn alive() -> impl IntoResponse {
    Json(Alive { status: "alive" })
}

/// Orders can be placed. An open breaker does not make it unready: orders wait, durable.
pub(super) async fn ready(State(app): State<App>) -> impl IntoResponse {
    let health = app.engine.health().await;
    let status = if health.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let ready = Ready {
        ready: health.ready,
        store: if health.store.is_ok() {
            "ok"
        } else {
            "unavailable"
        },
        provider: if health.breaker.is_none() {
            "ok"
        } else {
            "waiting"
        },
    };
    (status, Json(ready))
}

pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let metrics = app.options.metrics.as_ref().ok_or(Code::NotFound)?;
    let text = metrics.render(&app.engine.health().await);
    Ok((
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}
