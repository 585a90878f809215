//! What operators call, on a listener of its own: what is stuck and why, one order's story, and the acts that free it.
//!
//! Nothing is answered without a credential, not even that a path does not exist; what changes something needs the role.

mod actions;
mod inbox;
mod orders;
mod reconciliation;
mod status;
mod vault;

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use issuance::Engine;

use crate::body::{BodyLimit, Room};
use crate::credentials::{AdminCredentials, Role};
use crate::edge;
use crate::problem::{Code, Problem};

/// Bytes of all bodies under way together.
const ROOM: usize = 4 * 1024 * 1024;
/// Limits of every admin request.
const BODY: BodyLimit = BodyLimit {
    bytes: 64 * 1024,
    timeout: Duration::from_secs(8),
};
const HANDLER_TIMEOUT: Duration = Duration::from_secs(10);

/// Who asks.
#[derive(Debug, Clone)]
struct Principal {
    name: String,
    role: Role,
}

/// What handlers have.
#[derive(Debug, Clone)]
struct App {
    engine: Engine,
    room: Room,
}

impl FromRef<App> for Engine {
    fn from_ref(app: &App) -> Self {
        app.engine.clone()
    }
}

/// The routes operators call.
pub fn admin(engine: Engine, credentials: AdminCredentials) -> Router {
    let acts = Router::new()
        .route("/admin/v1/reconciliation", post(reconciliation::start))
        .route("/admin/v1/inbox/{id}/dismiss", post(inbox::dismiss))
        .route("/admin/v1/vault/compaction", post(vault::compact))
        .route_layer(from_fn(only_operators));
    let routes = Router::new()
        .route("/admin/v1/attention", get(orders::attention))
        .route("/admin/v1/orders", get(orders::list))
        .route("/admin/v1/orders/{id}", get(orders::show))
        // Who may depends on the action.
        .route("/admin/v1/orders/{id}/actions/{action}", post(actions::act))
        .route("/admin/v1/inbox", get(inbox::list))
        .route("/admin/v1/health", get(status::health))
        .route("/admin/v1/reconciliation", get(reconciliation::last))
        .route("/admin/v1/vault/compaction", get(vault::last))
        .merge(acts);
    let routes = edge::completed(routes)
        .layer(from_fn_with_state(credentials, authenticate))
        .with_state(App {
            engine,
            room: Room::new(ROOM),
        });
    edge::around(routes, HANDLER_TIMEOUT)
}

async fn authenticate(
    State(credentials): State<AdminCredentials>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let found = credentials
        .find(request.headers())
        .ok_or(Code::Unauthenticated)?;
    // Every role reads; see `only_operators` for the rest.
    if !found.role.allows(Role::Viewer) {
        return Err(Code::Forbidden.into());
    }
    let principal = Principal {
        name: found.name.clone(),
        role: found.role,
    };
    request.extensions_mut().insert(principal);
    Ok(next.run(request).await)
}

async fn only_operators(request: Request, next: Next) -> Result<Response, Problem> {
    let principal = request
        .extensions()
        .get::<Principal>()
        .ok_or(Code::Unauthenticated)?;
    if !principal.role.allows(Role::Operator) {
        return Err(Code::Forbidden.into());
    }
    Ok(next.run(request).await)
}
