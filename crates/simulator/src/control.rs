//! The simulator's own controls under `/_sim/`, a prefix the provider cannot have.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::rfc3339;
use crate::config::WebhookTarget;
use crate::faults::{FaultRule, IdvOutcome, parse_faults};
use crate::idv;
use crate::state::{CardStatus, IdvError, MoveError};
use crate::variants::Variants;
use crate::world::{Ticket, World};

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/_sim/health", get(async || Json(json!({"status": "ok"}))))
        .route("/_sim/ledger", get(ledger))
        .route("/_sim/clock", get(clock))
        .route("/_sim/clock/advance", post(advance))
        .route(
            "/_sim/faults",
            get(faults).post(add_faults).delete(clear_faults),
        )
        .route("/_sim/webhook", post(set_webhook).delete(unset_webhook))
        .route("/_sim/variants", get(variants).post(set_variants))
        .route("/_sim/cards/{card_id}", post(move_card))
        .route("/_sim/idv/{cardholder_id}", post(act))
        .route("/_sim/idv/page/{token}", get(idv::show).post(idv::choose))
}

#[derive(Deserialize)]
struct LedgerQuery {
    #[serde(default = "yes")]
    requests: bool,
}

fn yes() -> bool {
    true
}

async fn ledger(Shared(world): Shared<Arc<World>>, Query(query): Query<LedgerQuery>) -> Response {
    Json(world.read(|state, now| state.ledger(now, query.requests))).into_response()
}

async fn clock(Shared(world): Shared<Arc<World>>) -> Json<Value> {
    let now = world.clock.now();
    Json(json!({"now": now, "time": rfc3339(now), "advanced_seconds": world.clock.offset() / 1000}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(Shared(world): Shared<Arc<World>>, Json(by): Json<Advance>) -> Response {
    let ticket = world.advance(Duration::from_secs(by.seconds));
    if let Err(refusal) = durable(&world, ticket).await {
        return refusal;
    }
    clock(Shared(world)).await.into_response()
}

async fn faults(Shared(world): Shared<Arc<World>>) -> Json<Vec<FaultRule>> {
    Json(world.read(|state, _| state.faults.rules.clone()))
}

async fn add_faults(Shared(world): Shared<Arc<World>>, body: Bytes) -> Response {
    let rules = match parse_faults(&body) {
        Ok(rules) => rules,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let ticket = world.add_faults(rules);
    match durable(&world, ticket).await {
        Ok(()) => faults(Shared(world)).await.into_response(),
        Err(refusal) => refusal,
    }
}

async fn clear_faults(Shared(world): Shared<Arc<World>>) -> Response {
    let ticket = world.clear_faults();
    match durable(&world, ticket).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal,
    }
}

async fn set_webhook(
    Shared(world): Shared<Arc<World>>,
    Json(target): Json<WebhookTarget>,
) -> StatusCode {
    world.set_target(Some(target));
    StatusCode::NO_CONTENT
}

async fn unset_webhook(Shared(world): Shared<Arc<World>>) -> StatusCode {
    world.set_target(None);
    StatusCode::NO_CONTENT
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Varying {
    variants: Variants,
}

async fn variants(Shared(world): Shared<Arc<World>>) -> Json<Varying> {
    let variants = world.read(|state, _| state.variants);
    Json(Varying { variants })
}

async fn set_variants(
    Shared(world): Shared<Arc<World>>,
    Json(wanted): Json<Varying>,
) -> Json<Varying> {
    world.set_variants(wanted.variants);
    variants(Shared(world)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    outcome: IdvOutcome,
}

async fn act(
    Shared(world): Shared<Arc<World>>,
    Path(id): Path<Uuid>,
    Json(act): Json<Act>,
) -> Response {
    let (done, ticket) = world.change(|state, now| state.person_acts(id, act.outcome, now));
    if let Err(refusal) = durable(&world, ticket).await {
        return refusal;
    }
    match done {
        Ok(()) => Json(json!({"cardholder_id": id, "outcome": act.outcome})).into_response(),
        Err(error @ IdvError::Unknown) => problem(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => problem(StatusCode::CONFLICT, &error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    card_status: CardStatus,
}

async fn move_card(
    Shared(world): Shared<Arc<World>>,
    Path(id): Path<Uuid>,
    Json(to): Json<Move>,
) -> Response {
    let (done, ticket) = world.change(|state, now| state.move_card(id, to.card_status, now));
    if let Err(refusal) = durable(&world, ticket).await {
        return refusal;
    }
    match done {
        Ok(()) => Json(json!({"card_id": id, "card_status": to.card_status})).into_response(),
        Err(error @ MoveError::Unknown) => problem(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error @ MoveError::Illegal) => problem(StatusCode::CONFLICT, &error.to_string()),
    }
}

async fn durable(world: &World, ticket: Ticket) -> Result<(), Response> {
    world.settled(ticket).await.map_err(|_| {
        problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the simulator's file cannot be written",
        )
    })
}

fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({"error": detail}))).into_response()
}
