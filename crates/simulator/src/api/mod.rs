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
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};

pub(crate) use self::exchange::{Admitted, Step, begin, perform_late};
pub(crate) use self::incoming::Incoming;
pub(crate) use self::outcome::Outcome;
pub(crate) use self::outgoing::CutConnection;
use self::outgoing::Outgoing;
use crate::clock::http_date;
use crate::errors;
use crate::faults::Endpoint;
use crate::world::World;

/// Every call of the API: method, path, and its name.
const ROUTES: [(Method, &str, Endpoint); 17] = [
    (Method::POST, "/api/v1/connect/token", Endpoint::Token),
    (
        Method::GET,
        "/api/v1/issuing/products",
        Endpoint::ListProducts,
    ),
    (Method::POST, "/api/v1/issuing/cards", Endpoint::CreateCard),
    (Method::GET, "/api/v1/issuing/cards", Endpoint::ListCards),
    (Method::GET, "/api/v1/issuing/cards/{id}", Endpoint::GetCard),
    (
        Method::POST,
        "/api/v1/issuing/cards/{id}",
        Endpoint::UpdateCard,
    ),
    (
        Method::GET,
        "/api/v1/issuing/cards/{id}/order",
        Endpoint::GetCardOrder,
    ),
    (
        Method::POST,
        "/api/v1/issuing/cards/{id}/status",
        Endpoint::UpdateCardStatus,
    ),
    (
        Method::POST,
        "/api/v1/issuing/cards/{id}/recharge",
        Endpoint::RechargeCard,
    ),
    (
        Method::POST,
        "/api/v1/issuing/cards/{id}/withdraw",
        Endpoint::WithdrawCard,
    ),
    (Method::GET, "/api/v1/balances", Endpoint::ListBalances),
    (
        Method::POST,
        "/api/v1/issuing/cardholders",
        Endpoint::CreateCardholder,
    ),
    (
        Method::GET,
        "/api/v1/issuing/cardholders",
        Endpoint::ListCardholders,
    ),
    (
        Method::GET,
        "/api/v1/issuing/cardholders/{id}",
        Endpoint::GetCardholder,
    ),
    (
        Method::POST,
        "/api/v1/issuing/cardholders/{id}",
        Endpoint::UpdateCardholder,
    ),
    (
        Method::POST,
        "/api/v1/simulation/issuing/authorization",
        Endpoint::SimulateAuthorization,
    ),
    (
        Method::POST,
        "/api/v1/simulation/issuing/reversal",
        Endpoint::SimulateReversal,
    ),
];

pub(crate) fn router() -> Router<Arc<World>> {
    let mut router = Router::new();
    for (method, path, endpoint) in ROUTES {
        let filter = match method {
            Method::POST => MethodFilter::POST,
            _ => MethodFilter::GET,
        };
        let handler =
            move |Shared(world): Shared<Arc<World>>, id: Option<Path<String>>, request: Request| {
                call(world, endpoint, id.map(|Path(id)| id), request)
            };
        router = router.route(path, on(filter, handler));
    }
    router
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
}

/// The call a method and path name, with the id in the path.
pub(crate) fn find<'a>(method: &Method, path: &'a str) -> Option<(Endpoint, Option<&'a str>)> {
    let mut routes = ROUTES.iter().filter(|(known, ..)| known == method);
    routes.find_map(|(_, pattern, endpoint)| {
        let id = match pattern.split_once('{') {
            None => (*pattern == path).then_some(None)?,
            Some((before, after)) => {
                let id = path.strip_prefix(before)?;
                let id = id.strip_suffix(after.strip_prefix("id}")?)?;
                (!id.is_empty() && !id.contains('/')).then_some(Some(id))?
            }
        };
        Some((*endpoint, id))
    })
}

async fn no_route(request: Request) -> Response {
    Outgoing::refused(&errors::not_found(request.uri().path())).respond()
}

/// The call itself, on a task of its own: what has begun goes on when the caller hangs up, as at the provider.
async fn call(
    world: Arc<World>,
    endpoint: Endpoint,
    id: Option<String>,
    request: Request,
) -> Response {
    let serving = exchange::serve(world.clone(), endpoint, id, request);
    let mut response = match world.tasks.spawn(serving).await {
        Ok(outgoing) => outgoing.respond(),
        Err(_) => Outgoing::refused(&errors::internal()).respond(),
    };
    // By its own clock, which can be moved.
    if let Ok(date) = HeaderValue::from_str(&http_date(world.clock.now())) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}
