//! The inbox nobody could settle, and how the engine is.

use axum::Json;
use axum::extract::State;
use issuance::Engine;
use serde::Deserialize;

use crate::listing::{self, MAX_LIMIT, Params};
use crate::problem::Problem;
use crate::views::{
    BreakerView, BudgetView, CountsView, HealthView, InboxView, MessageView, PoolView, TokenView,
    WebhookView,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxParams {
    limit: Option<String>,
}

/// Webhooks that stand parked or quarantined, oldest first.
pub(super) async fn inbox(
    State(engine): State<Engine>,
    Params(params): Params<InboxParams>,
) -> Result<Json<InboxView>, Problem> {
    let limit = listing::limit(params.limit.as_deref(), MAX_LIMIT)?;
    let found = engine.unsettled_messages(limit + 1).await?;
    let messages = found
        .iter()
        .take(limit)
        .map(|found| MessageView::of(found, engine.now()))
        .collect();
    Ok(Json(InboxView {
        messages,
        more: found.len() > limit,
    }))
}

pub(super) async fn health(State(engine): State<Engine>) -> Json<HealthView> {
    let health = engine.health().await;
    let (head, store_problem) = match health.store {
        Ok(head) => (Some(head), health.store_trouble),
        Err(error) => (None, Some(error.to_string())),
    };
    Json(HealthView {
        ready: health.ready,
        store_problem,
        head,
        breaker: health
            .breaker
            .map(|(reason, until)| BreakerView { reason, until }),
        products: health.pools.iter().map(PoolView::from).collect(),
        budget: BudgetView::from(health.budget),
        token: health.token.map(TokenView::from),
        webhooks: health.webhooks.map(WebhookView::from),
        orphaned_messages: health.orphans,
        counts: health.counts.map(CountsView::from),
    })
}
