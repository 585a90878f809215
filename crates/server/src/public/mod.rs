//! What hosts and the provider call: orders, the event feed, webhooks, and how the process is.

mod events;
mod orders;
mod status;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use issuance::Engine;
use tokio::sync::Semaphore;

use crate::body::{BodyLimit, Room};
use crate::credentials::Access;
use crate::edge;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};

/// How the public router is to be.
#[derive(Debug, Clone)]
pub struct PublicOptions {
    /// Who may use `/v1` and `/metrics`. Webhooks prove themselves; `/healthz` and `/readyz` say nothing worth hiding.
    pub access: Access,
    /// What `/metrics` shows; without it there is no such route.
    pub metrics: Option<Metrics>,
    /// Largest order: it can carry identity images.
    pub max_order_bytes: usize,
    /// Largest webhook looked at.
    pub max_webhook_bytes: usize,
    /// Bytes of all bodies under way together; webhooks have as much again for themselves.
    pub max_body_bytes: usize,
    /// For a body to arrive.
    pub body_timeout: Duration,
    /// For an answer to begin, its request's body included.
    pub handler_timeout: Duration,
    /// Event feeds open at once.
    pub max_feeds: usize,
    /// Between signs of life on a quiet feed.
    pub heartbeat: Duration,
}

impl PublicOptions {
    /// The standard limits (reliability §5.2) for whoever may have access.
    #[must_use]
    pub fn standard(access: Access) -> Self {
        Self {
            access,
            metrics: None,
            max_order_bytes: 12 * 1024 * 1024,
            max_webhook_bytes: 256 * 1024,
            max_body_bytes: 64 * 1024 * 1024,
            body_timeout: Duration::from_secs(8),
            handler_timeout: Duration::from_secs(10),
            max_feeds: 64,
            heartbeat: Duration::from_secs(15),
        }
    }
}

/// What every handler has.
#[derive(Debug, Clone)]
struct App {
    engine: Engine,
    options: Arc<PublicOptions>,
    feeds: Arc<Semaphore>,
    host_room: Room,
    /// Apart, because anybody can send webhooks that turn out to be none.
    webhook_room: Room,
}

impl App {
    fn limit(&self, bytes: usize) -> BodyLimit {
        BodyLimit {
            bytes,
            timeout: self.options.body_timeout,
        }
    }
}

/// The routes hosts and the provider call.
pub fn public(engine: Engine, options: PublicOptions) -> Router {
    let handler_timeout = options.handler_timeout;
    let has_metrics = options.metrics.is_some();
    let app = App {
        engine,
        feeds: Arc::new(Semaphore::new(options.max_feeds)),
        host_room: Room::new(options.max_body_bytes),
        webhook_room: Room::new(options.max_body_bytes),
        options: Arc::new(options),
    };
    let mut hosts = Router::new()
        .route("/v1/orders", post(orders::place).get(orders::list))
        .route("/v1/orders/{id}", get(orders::show))
        .route("/v1/orders/{id}/events", get(orders::history))
        .route("/v1/orders/{id}/idv-link", get(orders::idv_link))
        .route("/v1/orders/{id}/cancel", post(orders::cancel))
        .route("/v1/events", get(events::feed));
    if has_metrics {
        hosts = hosts.route("/metrics", get(status::metrics));
    }
    let routes = hosts
        .route_layer(from_fn_with_state(app.clone(), only_hosts))
        .route("/webhooks/uqpay", post(webhook::receive))
        .route("/healthz", get(status::alive))
        .route("/readyz", get(status::ready))
        .with_state(app);
    edge::around(edge::completed(routes), handler_timeout)
}

async fn only_hosts(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match &app.options.access {
        Access::Open => {}
        Access::Tokens(keyring) if keyring.find(request.headers()).is_some() => {}
        Access::Tokens(_) => return Err(Code::Unauthenticated.into()),
    }
    Ok(next.run(request).await)
}
