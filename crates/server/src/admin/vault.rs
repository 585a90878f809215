//! Taking off the disk what was erased, and sealing anew what an older key sealed.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use issuance::Engine;
use serde::Deserialize;

use super::{App, BODY};
use crate::body;
use crate::problem::Problem;
use crate::views::CompactionView;

/// What beside what was erased.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompactBody {
    /// Also seal anew what another key than the current one sealed.
    #[serde(default)]
    rekey: bool,
}

/// What the last one came to, and whether one is under way.
pub(super) async fn last(State(engine): State<Engine>) -> Json<CompactionView> {
    Json(view(&engine, None))
}

/// Asks for one; ask for the report until it covers the run of the answer.
pub(super) async fn compact(
    State(App { engine, room }): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<CompactionView>), Problem> {
    body::declared_json(&headers)?;
    let CompactBody { rekey } = body::parse(&body::read(body, BODY, &room).await?)?;
    let run = engine.start_compaction(rekey);
    Ok((StatusCode::ACCEPTED, Json(view(&engine, Some(run)))))
}

fn view(engine: &Engine, run: Option<u64>) -> CompactionView {
    CompactionView {
        is_running: run.is_some() || engine.compaction_runs(),
        run,
        last: engine.last_compaction().map(Into::into),
    }
}
