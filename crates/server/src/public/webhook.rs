//! Where the provider's webhooks come in. The bytes go to the engine as they came; the answer is a status and nothing
//! else (contract §5.8), so that it tells a forger nothing.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use issuance::WebhookError;

use super::App;
use crate::body;
use crate::problem::Problem;

const SIGNATURE: &str = "x-wk-signature";
const TIMESTAMP: &str = "x-wk-timestamp";

pub(super) async fn receive(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, StatusCode> {
    let bytes = body::read(
        body,
        app.limit(app.options.max_webhook_bytes),
        &app.webhook_room,
    )
    .await
    .map_err(|problem: Problem| {
        let status = problem.code().status();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            metrics::counter!("issuance_webhooks_total", "outcome" => "no_room").increment(1);
        }
        status
    })?;
    let values = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.as_bytes())
            .collect::<Vec<_>>()
    };
    match app
        .engine
        .receive_webhook(&values(SIGNATURE), &values(TIMESTAMP), &bytes)
        .await
    {
        Ok(_) => Ok(StatusCode::OK),
        Err(WebhookError::Unverified | WebhookError::Stale) => Err(StatusCode::UNAUTHORIZED),
        Err(WebhookError::TooLarge) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        // Counted, and the store says what is wrong with it once; the provider comes again.
        Err(WebhookError::Store(_)) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
