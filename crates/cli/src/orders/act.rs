//! Acting on an order: with a reason, and if wished only on what was seen.

use issuance::domain::OperatorAction;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};
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
    action: OperatorAction,
    output: Output,
) -> Result<(), Failure> {
    let id = find(api, &order.order, order.account.as_deref()).await?;
    let path = ["admin", "v1", "orders", &id, "actions", action.name()];
    let body = json!({ "reason": order.reason });
    let answer: Value =
        api.act(&path, &body, order.expect)
            .await
            .map_err(|failure| match failure.exit {
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

/// An action by the name it has in lists and in the log.
pub(super) fn action(name: &str) -> Result<OperatorAction, String> {
    let word: StrDeserializer<'_, Error> = name.into_deserializer();
    OperatorAction::deserialize(word).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_action_is_answered_with_the_known_ones() {
        assert_eq!(action("look_up_now"), Ok(OperatorAction::LookUpNow));
        let said = action("teleport").unwrap_err();
        assert!(
            said.contains("`retry_now`") && said.contains("`resolve_discrepancy`"),
            "{said}"
        );
    }
}
