//! The feed of everything that happens, as server-sent events. Lossless: a client that comes back says where it was, and
//! reads on from the log. Nothing is kept for a slow one.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{Stream, unfold};
use issuance::Feed;
use issuance::store::{Position, Recorded};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::listing::{Params, optional};
use crate::problem::{Code, FieldError, Problem};
use crate::serve::Stopping;
use crate::views::EventView;

/// Sent by a client that was cut off: the last position it has.
const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedParams {
    after: Option<String>,
}

/// Events after a position; from the log's beginning without one.
pub(super) async fn feed(
    State(app): State<App>,
    Params(params): Params<FeedParams>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let asked = optional("after", params.after.as_deref(), str::parse)?.map(Position);
    // What the client saw last is newer than the address it began with.
    let after = last_event_id(&headers)?.or(asked).unwrap_or_default();
    if after > app.engine.head().await? {
        return Err(Code::FeedAhead.into());
    }
    let permit = app.feeds.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::from(Code::TooManyFeeds).retry_after(5))?;
    let reader = Reader {
        feed: app.engine.subscribe(after),
        ready: VecDeque::new(),
        stop: stopping
            .map(|Extension(Stopping(stop))| stop)
            .unwrap_or_default(),
        _permit: permit,
    };
    let events = unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(events).keep_alive(
        KeepAlive::new()
            .interval(app.options.heartbeat)
            .text("alive"),
    ))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let position = value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .map(Position);
    position.map(Some).ok_or_else(|| {
        let error = FieldError::invalid(LAST_EVENT_ID, "the `id` of an event of this feed");
        Problem::with_errors(Code::InvalidHeader, vec![error])
    })
}

/// One client's place in the log.
struct Reader {
    feed: Feed,
    ready: VecDeque<Recorded>,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The next event; none when the server stops or the log cannot be read, and the client comes back.
    async fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            let batch = tokio::select! {
                batch = self.feed.next() => batch,
                () = self.stop.cancelled() => return None,
            };
            match batch {
                Ok(batch) => self.ready.extend(batch),
                Err(error) => {
                    tracing::warn!(%error, "an event feed ends: the log cannot be read");
                    return None;
                }
            }
        }
        let recorded = self.ready.pop_front()?;
        let view = EventView::from(&recorded);
        let event = Event::default()
            .id(recorded.position.to_string())
            .event(view.name);
        match event.json_data(&view) {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::error!(%error, order_id = %recorded.order, "an event cannot be written as JSON; its feed ends");
                None
            }
        }
    }
}
