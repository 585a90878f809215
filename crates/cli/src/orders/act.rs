//! Acting on an order: with a reason, and if wished only on what was seen.

use serde_json::{Value, json};

use super::find;
use super::view::Order as View;
use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;

/// Which order, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Order {
    /// Its id, or the reference it was placed under.
    order: String,
    /// The sub-account of the reference.
    #[arg(long)]
    account: Option<String>,
    /// Why. It stands in the log for ever, so no personal data.
    #[arg(long)]
    reason: String,
    /// Only if the order is still at this version, as `show` printed it.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
}

pub(super) async fn run(
    api: &Api,
    order: &Order,
    action: &str,
    output: Output,
) -> Result<(), Failure> {
    let id = find(api, &order.order, order.account.as_deref()).await?;
    let path = ["admin", "v1", "orders", &id, "actions", action];
    let body = json!({ "reason": order.reason });
    let answer: Value =
        api.act(&path, &body, order.expect)
            .await
            .map_err(|failure| match failure.exit {
                Exit::NotFound => {
                    failure.hint("`issuance orders show` lists the order's allowed actions by name")
                }
                Exit::Conflict => {
                    failure.hint(format!("look at it again: issuance orders show {id}"))
                }
                _ => failure,
            })?;
    if output.json {
        return output.document(&answer);
    }
    let after: Option<View> = answer
        .get("order")
        .and_then(|order| serde_json::from_value(order.clone()).ok());
    let events = answer
        .get("events")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    match after {
        Some(_) if events == 0 => output.line("nothing to do: it is so already"),
        Some(after) => {
            let next = after.next_step.map_or("nothing is owed".into(), |step| {
                format!("next: {} at {}", step.action, step.due_at)
            });
            output.line(&format!(
                "order {id} is {} at version {}; {next}",
                after.state, after.version
            ))
        }
        None => output.line("done"),
    }
}
