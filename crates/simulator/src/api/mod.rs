//! The provider's API under `/api/v1`: routes here, one file per resource, and the exchange every call goes through.

mod cardholders;
mod cards;
mod exchange;
mod incoming;
mod operation;
mod outcome;
mod outgoing;
mod products;
mod replay;
mod simulation;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State as Shared};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};

pub(crate) use self::outgoing::CutConnection;
use self::outgoing::Outgoing;
use crate::errors;
use crate::faults::Endpoint;
use crate::world::World;

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v1/connect/token", post(Endpoint::Token))
        .route("/api/v1/issuing/products", get(Endpoint::ListProducts))
        .route(
            "/api/v1/issuing/cards",
            post(Endpoint::CreateCard).merge(get(Endpoint::ListCards)),
        )
        .route(
            "/api/v1/issuing/cards/{id}",
            get(Endpoint::GetCard).merge(post(Endpoint::UpdateCard)),
        )
        .route(
            "/api/v1/issuing/cards/{id}/order",
            get(Endpoint::GetCardOrder),
        )
        .route(
            "/api/v1/issuing/cards/{id}/status",
            post(Endpoint::UpdateCardStatus),
        )
        .route(
            "/api/v1/issuing/cards/{id}/recharge",
            post(Endpoint::RechargeCard),
        )
        .route(
            "/api/v1/issuing/cards/{id}/withdraw",
            post(Endpoint::WithdrawCard),
        )
        .route("/api/v1/balances", get(Endpoint::ListBalances))
        .route(
            "/api/v1/issuing/cardholders",
            post(Endpoint::CreateCardholder).merge(get(Endpoint::ListCardholders)),
        )
        .route(
            "/api/v1/issuing/cardholders/{id}",
            get(Endpoint::GetCardholder).merge(post(Endpoint::UpdateCardholder)),
        )
        .route(
            "/api/v1/simulation/issuing/authorization",
            post(Endpoint::SimulateAuthorization),
        )
        .route(
            "/api/v1/simulation/issuing/reversal",
            post(Endpoint::SimulateReversal),
        )
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
}

async fn no_route(request: Request) -> Response {
    Outgoing::refused(&errors::not_found(request.uri().path())).respond()
}

fn get(endpoint: Endpoint) -> MethodRouter<Arc<World>> {
    route(MethodFilter::GET, endpoint)
}

fn post(endpoint: Endpoint) -> MethodRouter<Arc<World>> {
    route(MethodFilter::POST, endpoint)
}

fn route(method: MethodFilter, endpoint: Endpoint) -> MethodRouter<Arc<World>> {
    on(
        method,
        move |Shared(world): Shared<Arc<World>>, id: Option<Path<String>>, request: Request| {
            call(world, endpoint, id.map(|Path(id)| id), request)
        },
    )
}

/// The call itself, on a task of its own: what has begun goes on when the caller hangs up, as at the provider.
async fn call(
    world: Arc<World>,
    endpoint: Endpoint,
    id: Option<String>,
    request: Request,
) -> Response {
    let tasks = world.tasks.clone();
    match tasks
        .spawn(exchange::serve(world, endpoint, id, request))
        .await
    {
        Ok(outgoing) => outgoing.respond(),
        Err(_) => Outgoing::refused(&errors::internal()).respond(),
    }
}
