//! How the engine is.

use axum::Json;
use axum::extract::State;
use issuance::Engine;

use crate::views::{
    BreakerView, BudgetView, CountsView, HealthView, PoolView, TokenView, WebhookView,
};

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
        clock_doubt_millis: health
            .clock_doubt
            .map(|doubt| u64::try_from(doubt.as_millis()).unwrap_or(u64::MAX)),
        orphaned_messages: health.orphans,
        counts: health.counts.map(CountsView::from),
    })
}
