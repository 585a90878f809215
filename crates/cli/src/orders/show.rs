//! `orders show`: one order, explained.

use serde_json::Value;

use super::explain::{explain, particulars};
use super::find;
use super::view::Detail;
use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;

pub(super) async fn run(
    api: &Api,
    order: &str,
    account: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let id = find(api, order, account.as_deref()).await?;
    let answer: Value = api.get(&["admin", "v1", "orders", &id], &[]).await?;
    if output.json {
        return output.document(&answer);
    }
    let detail: Detail = serde_json::from_value(answer).map_err(|error| {
        Failure::new(Exit::Failed, "the server's answer cannot be read").because(&error)
    })?;
    print(&detail, output)
}

fn print(detail: &Detail, output: Output) -> Result<(), Failure> {
    let order = &detail.order;
    let explanation = explain(detail);
    let account = order
        .account
        .as_ref()
        .map(|account| format!(" for {account}"))
        .unwrap_or_default();
    let mut rows = vec![
        ("order", order.id.clone()),
        ("reference", format!("{}{account}", order.reference)),
        (
            "product",
            format!("{} in {}", order.product_id, order.currency),
        ),
        (
            "state",
            format!("{}, version {}", order.state, order.version),
        ),
        ("placed", order.placed_at.to_string()),
        ("updated", order.updated_at.to_string()),
    ];
    let card = order.card_id.clone().map(|card| ("card", card));
    rows.extend(card);
    rows.extend(
        explanation
            .personal_data
            .map(|kept| ("personal data", kept)),
    );
    rows.push(("why", explanation.why));
    rows.push(("next", explanation.next));
    rows.extend(explanation.last_error.map(|error| ("last error", error)));
    rows.push(("possible", detail.allowed_actions.join(", ")));
    rows.extend(explanation.suggestion.map(|command| ("suggested", command)));
    output.table(
        &["what", "is"],
        rows.into_iter().map(|(what, is)| vec![what.to_owned(), is]),
    )?;

    if !detail.tasks.is_empty() {
        let rows = detail.tasks.iter().map(|task| {
            let claimed = task
                .claimed_until
                .map_or(String::new(), |until| format!("until {until}"));
            vec![
                task.action.clone(),
                task.due_at.to_string(),
                task.tries.to_string(),
                claimed,
            ]
        });
        output.table(&["owed", "due", "tries", "under way"], rows)?;
    }
    let rows = detail.timeline.iter().map(|entry| {
        vec![
            entry.version.to_string(),
            entry.at.to_string(),
            entry.name.clone(),
            particulars(&entry.body),
        ]
    });
    output.table(&["version", "recorded", "event", "particulars"], rows)
}
