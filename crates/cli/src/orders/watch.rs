//! `orders watch`: one order to its end, by asking the operators' listener; or everything, by the feed of the orders'.

use std::time::Duration;

use issuance::{Clock as _, Retry, SystemClock};
use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use super::explain::particulars;
use super::sse::Parser;
use super::view::Detail;
use crate::exit::{Exit, Failure};
use crate::http::{Api, CallError};
use crate::output::{Output, note};

/// Between two looks at an order.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks in a row that may fail.
const PATIENCE: u32 = 30;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id, or the reference it was placed under; without it, everything that happens is shown.
    pub(super) order: Option<String>,
    /// For everything: the orders' listener, whose feed tells it. Its token, if it wants one, comes from
    /// ISSUANCE_API_TOKEN.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "ISSUANCE_SERVER"
    )]
    pub(super) api: String,
    /// For everything: from this position of the log on; without it, from now on.
    #[arg(long, value_name = "POSITION")]
    pub(super) after: Option<u64>,
}

/// Follows one order until it is at rest: then its end is ours, 0 for a card and 1 for none.
pub(super) async fn one(api: &Api, id: &str, output: Output) -> Result<(), Failure> {
    let (mut seen, mut failures) = (0, 0);
    loop {
        let read = api.get::<Value>(&["admin", "v1", "orders", id], &[]).await;
        let answer = match read {
            Ok(answer) => answer,
            Err(failure)
                if failure.exit == Exit::Unavailable && failures < PATIENCE && seen > 0 =>
            {
                failures += 1;
                SystemClock.sleep(PAUSE).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        failures = 0;
        let raw = answer
            .get("timeline")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let detail: Detail = serde_json::from_value(answer).map_err(|error| {
            Failure::new(Exit::Failed, "the server's answer cannot be read").because(&error)
        })?;
        for (entry, raw) in detail
            .timeline
            .iter()
            .zip(raw)
            .filter(|(entry, _)| entry.version > seen)
        {
            if output.json {
                output.json_line(&raw)?;
            } else {
                output.line(&format!(
                    "{}  {:>3}  {:<24} {}",
                    entry.at,
                    entry.version,
                    entry.name,
                    particulars(&entry.body)
                ))?;
            }
        }
        seen = detail.order.version;
        if detail.order.is_at_rest() {
            let failed = detail.order.state == "failed";
            let said = format!("order {id} is {}", detail.order.state);
            if failed {
                return Err(
                    Failure::new(Exit::Failed, said).hint(format!("issuance orders show {id}"))
                );
            }
            note(&said);
            return Ok(());
        }
        SystemClock.sleep(PAUSE).await;
    }
}

/// Follows the feed until interrupted, or for as long as the server can be reached; nothing is left out in between.
pub(super) async fn everything(admin: &Api, args: &Args, output: Output) -> Result<(), Failure> {
    let mut position = match args.after {
        Some(after) => after,
        None => now(admin)
            .await
            .map_err(|failure| failure.hint("or say from where, with --after"))?,
    };
    let api = Api::new(&args.api, "ISSUANCE_API_TOKEN")?;
    let retry = Retry {
        first: Duration::from_millis(500),
        cap: Duration::from_secs(10),
        jitter: 0.3,
    };
    let mut failures = 0;
    loop {
        let error = match api
            .follow(&["v1", "events"], &[("after", position.to_string())])
            .await
        {
            Ok(answer) => {
                failures = 0;
                follow(answer, &mut position, output).await?
            }
            Err(CallError::Refused(refusal)) if !refusal.is_transient() => {
                let failure = Failure::from(refusal);
                return Err(Failure {
                    causes: vec![format!("it is the feed of {}", args.api)],
                    ..failure
                });
            }
            Err(error) => Some(error),
        };
        failures += 1;
        match error {
            Some(error) if failures > PATIENCE => return Err(api.failure(error)),
            _ => {
                SystemClock
                    .sleep(retry.delay(failures, SystemClock.jitter()))
                    .await
            }
        }
    }
}

/// The end of the log, which the operators' listener knows.
async fn now(admin: &Api) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Health {
        head: Option<u64>,
    }
    Ok(admin
        .get::<Health>(&["admin", "v1", "health"], &[])
        .await?
        .head
        .unwrap_or(0))
}

/// Shows events until the answer ends; why, if it did not end well.
async fn follow(
    mut answer: Response,
    position: &mut u64,
    output: Output,
) -> Result<Option<CallError>, Failure> {
    let mut parser = Parser::default();
    loop {
        let piece = match answer.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(CallError::Unanswered(error.without_url()))),
        };
        for event in parser
            .feed(&piece)
            .map_err(|error| Failure::of(Exit::Failed, &error))?
        {
            let said: Value = serde_json::from_str(&event.data).map_err(|error| {
                Failure::new(Exit::Failed, "the feed sent what is no event").because(&error)
            })?;
            if output.json {
                output.json_line(&said)?;
            } else {
                let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
                let data = said.get("data").map(particulars).unwrap_or_default();
                output.line(&format!(
                    "{}  {}  {:<24} {data}",
                    text("at"),
                    text("order_id"),
                    text("name")
                ))?;
            }
            *position = event.id.parse().unwrap_or(*position);
        }
    }
}
