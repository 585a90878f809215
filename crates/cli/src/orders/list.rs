//! `orders list`.

use serde_json::Value;

use super::view::{Order, Page};
use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;

/// Orders the server gives at once.
const PAGE: usize = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// requested, accepted, idv_pending, active or failed.
    #[arg(long)]
    state: Option<String>,
    /// Only orders a person should look at: `any`, or one reason.
    #[arg(long, value_name = "REASON", num_args = 0..=1, default_missing_value = "any")]
    attention: Option<String>,
    /// Only this sub-account.
    #[arg(long)]
    account: Option<String>,
    /// Only this product.
    #[arg(long)]
    product: Option<String>,
    /// Only the order of this reference.
    #[arg(long)]
    reference: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) async fn run(api: &Api, args: &Args, output: Output) -> Result<(), Failure> {
    let filters = [
        ("state", &args.state),
        ("attention", &args.attention),
        ("account", &args.account),
        ("product", &args.product),
        ("reference", &args.reference),
    ];
    let mut query: Vec<_> = filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    let (mut shown, mut rows, mut more) = (0, Vec::new(), None);
    while shown < args.limit {
        let mut query_now = query.clone();
        query_now.push(("limit", (args.limit - shown).min(PAGE).to_string()));
        let page: Value = api.get(&["admin", "v1", "orders"], &query_now).await?;
        let orders = page
            .get("orders")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        shown += orders.len();
        if output.json {
            orders
                .iter()
                .try_for_each(|order| output.json_line(order))?;
        }
        let page: Page = serde_json::from_value(page).map_err(|error| {
            Failure::new(Exit::Failed, "the server's list cannot be read").because(&error)
        })?;
        rows.extend(page.orders.iter().map(row));
        more = page.next_cursor;
        let Some(cursor) = more.clone() else { break };
        query.retain(|(name, _)| *name != "cursor");
        query.push(("cursor", cursor));
    }
    if output.json {
        return Ok(());
    }
    output.table(
        &[
            "order",
            "reference",
            "state",
            "attention",
            "next step",
            "updated",
        ],
        rows,
    )?;
    let rest = if more.is_some() {
        "; there are more, see --limit"
    } else {
        ""
    };
    output.line(&format!("{shown} orders{rest}"))
}

fn row(order: &Order) -> Vec<String> {
    let attention = order
        .attention
        .as_ref()
        .map_or(String::new(), |attention| attention.reason.clone());
    let next = order.next_step.as_ref().map_or(String::new(), |step| {
        format!("{} at {}", step.action, step.due_at)
    });
    let (id, reference) = (order.id.clone(), order.reference.clone());
    vec![
        id,
        reference,
        order.state.clone(),
        attention,
        next,
        order.updated_at.to_string(),
    ]
}
