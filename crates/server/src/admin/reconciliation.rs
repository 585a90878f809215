//! Our orders against the provider's lists: the last report, and one more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use issuance::Engine;

use crate::views::ReconciliationView;

/// What the last one found, and whether one is under way.
pub(super) async fn last(State(engine): State<Engine>) -> Json<ReconciliationView> {
    Json(view(&engine, engine.reconciliation_runs()))
}

/// Begins one, unless one is under way; ask for the report until it is done.
pub(super) async fn start(State(engine): State<Engine>) -> (StatusCode, Json<ReconciliationView>) {
    let started = engine.start_reconciliation();
    let is_running = started || engine.reconciliation_runs();
    let status = if is_running {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    (status, Json(view(&engine, is_running)))
}

fn view(engine: &Engine, is_running: bool) -> ReconciliationView {
    let last = engine.last_reconciliation();
    ReconciliationView {
        is_running,
        last: last.map(|last| (*last).clone()),
    }
}
