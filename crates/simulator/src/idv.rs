//! The page an IDV link leads to: a person passes, fails, or leaves.

use std::sync::Arc;

use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::Html;
use serde::Deserialize;

use crate::faults::IdvOutcome;
use crate::world::World;

#[derive(Deserialize)]
pub(crate) struct Choice {
    outcome: IdvOutcome,
}

pub(crate) async fn show(
    Shared(world): Shared<Arc<World>>,
    Path(token): Path<String>,
) -> (StatusCode, Html<String>) {
    match world.read(|state, now| state.open_link(&token, now).map(|holder| holder.id)) {
        Ok(_) => (
            StatusCode::OK,
            page(
                "Identity verification",
                "<form method=\"post\"><button formaction=\"?outcome=pass\">Pass</button> \
             <button formaction=\"?outcome=fail\">Fail</button> \
             <button formaction=\"?outcome=submit\">Submit for review</button> \
             <button formaction=\"?outcome=leave\">Leave</button></form>",
            ),
        ),
        Err(error) => (
            StatusCode::GONE,
            page("Identity verification", &error.to_string()),
        ),
    }
}

pub(crate) async fn choose(
    Shared(world): Shared<Arc<World>>,
    Path(token): Path<String>,
    Query(choice): Query<Choice>,
) -> (StatusCode, Html<String>) {
    let (done, ticket) = world.change(|state, now| {
        let holder = state.open_link(&token, now)?.id;
        state.person_acts(holder, choice.outcome, now)
    });
    if world.settled(ticket).await.is_err() {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            page("Identity verification", "the simulator's file is lost"),
        );
    }
    match done {
        Ok(()) => (
            StatusCode::OK,
            page("Thank you", "You may close this page."),
        ),
        Err(error) => (
            StatusCode::GONE,
            page("Identity verification", &error.to_string()),
        ),
    }
}

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{body}</p></html>"
    ))
}
