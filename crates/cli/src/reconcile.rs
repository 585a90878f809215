//! `issuance reconcile`: our open and recent orders against the provider's lists, on a running server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;

/// Hold open and recent orders against UQPAY's lists, and show what differs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The operators' listener of a running `issuance serve`; its token comes from ISSUANCE_ADMIN_TOKEN.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        env = "ISSUANCE_ADMIN_SERVER"
    )]
    server: String,
    /// Show the last report; begin none.
    #[arg(long)]
    last: bool,
    /// Wait at most this many seconds for the report.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
}

const PATH: [&str; 3] = ["admin", "v1", "reconciliation"];
const PAUSE: Duration = Duration::from_millis(300);

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let api = Api::new(&args.server, "ISSUANCE_ADMIN_TOKEN")?;
    let mut view: Value = api.get(&PATH, &[]).await?;
    if !args.last {
        let before = view["last"]["started_at"].clone();
        view = api.act(&PATH, &json!({}), None).await?;
        let report = async {
            while view["is_running"] == json!(true) || view["last"]["started_at"] == before {
                tokio::time::sleep(PAUSE).await;
                view = api.get(&PATH, &[]).await?;
            }
            Ok::<_, Failure>(view)
        };
        view = match tokio::time::timeout(Duration::from_secs(args.patience), report).await {
            Ok(view) => view?,
            Err(_) => {
                let failure = Failure::new(Exit::Unavailable, "the reconciliation is not done yet");
                return Err(failure.hint("see it later with `issuance reconcile --last`"));
            }
        };
    }
    let Some(report) = view.get("last").filter(|report| !report.is_null()) else {
        return Err(Failure::new(
            Exit::NotFound,
            "the server has not reconciled yet",
        ));
    };
    if output.json {
        return output.document(report);
    }
    show(report, output)
}

fn show(report: &Value, output: Output) -> Result<(), Failure> {
    let differences = report["differences"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if !differences.is_empty() {
        let rows = differences.iter().map(row);
        output.table(
            &[
                "difference",
                "order",
                "card",
                "here",
                "there",
                "proposal",
                "done",
            ],
            rows,
        )?;
    }
    let complete = match report["complete"] == json!(true) {
        true => "complete",
        false => "incomplete: not every list was read to its end",
    };
    output.line(&format!(
        "{} differences; {} orders against {} cards on {} pages, {complete}",
        report["total"], report["orders"], report["cards"], report["pages"]
    ))
}

fn row(finding: &Value) -> Vec<String> {
    let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let cards = match finding["cards"].as_array() {
        Some(cards) => cards
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        None => text("card"),
    };
    let there = if finding["there"].is_null() {
        text("status")
    } else {
        text("there")
    };
    let done = if finding["applied"] == json!(true) {
        "yes"
    } else {
        "no"
    };
    vec![
        text("difference"),
        text("order"),
        cards,
        text("here"),
        there,
        text("proposal"),
        done.to_owned(),
    ]
}
