//! The end of a round: quiet, then `issuance audit check` on what is left, with the provider's ledger and the history.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use issuance_audit::Outside;
use reqwest::Client;
use serde_json::Value;

use crate::child::{self, Ended};
use crate::server::Server;

const ENDS_WITHIN: Duration = Duration::from_secs(90);
/// So long nothing may happen before it counts as quiet.
const STILL: Duration = Duration::from_secs(3);
const JUDGED_WITHIN: Duration = Duration::from_secs(120);

/// Waits until every order is at rest, or before a person, and nothing moves.
pub(super) async fn quiet(client: &Client, server: &Server) -> Result<(), String> {
    let (end, mut since, mut before) = (Instant::now() + ENDS_WITHIN, Instant::now(), None);
    loop {
        let orders = server.orders(client, None).await;
        let versions: Vec<_> = orders
            .iter()
            .map(|order| (order["id"].to_string(), order["version"].as_u64()))
            .collect();
        let restless: Vec<_> = orders.iter().filter(|order| !is_at_rest(order)).collect();
        if before.as_ref() != Some(&versions) || !restless.is_empty() {
            since = Instant::now();
        }
        if since.elapsed() > STILL {
            return Ok(());
        }
        if Instant::now() > end {
            let shown: Vec<_> = restless.iter().take(3).map(ToString::to_string).collect();
            let count = restless.len();
            return Err(format!(
                "{count} orders have not come to rest: {}",
                shown.join(" ")
            ));
        }
        before = Some(versions);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// It owes nothing, or whoever has to act is a person.
fn is_at_rest(order: &Value) -> bool {
    let person = order["idv"]["expires_at"].is_string() && order["idv"]["link_available"] == true;
    let hesitates = order["idv"]["submitted_at"].is_string();
    order["next_step"].is_null() || !order["attention"].is_null() || person || hesitates
}

/// What the checker says of the directory: orders in the log, and what is wrong.
pub(super) fn check(
    server: &Server,
    data: &Path,
    work: &Path,
    ledger: &str,
    history: &[Outside],
) -> (u64, Vec<String>) {
    let file = work.join("history.jsonl");
    let mut lines = Vec::new();
    for fact in history {
        let line = serde_json::to_string(fact).expect("a fact is JSON");
        writeln!(lines, "{line}").expect("memory");
    }
    std::fs::write(&file, lines).expect("the history");
    let mut command = server.command(["audit", "check"]);
    command
        .arg(data)
        .args(["--json", "--at-rest", "--clocks", "2", "--ledger", ledger])
        .arg("--history")
        .arg(&file);
    let said = match child::finish(command, JUDGED_WITHIN) {
        Ended::Well(said) | Ended::Badly(said) => said,
        Ended::Hung => return (0, vec!["the checker hung".into()]),
    };
    let mut documents = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
    let Some(Ok(verdict)) = documents.next() else {
        return (0, vec![format!("the checker gave no verdict: {said}")]);
    };
    let orders = verdict["orders"].as_u64();
    let wrong = verdict["violations"].as_array();
    let (Some(orders), Some(wrong)) = (orders, wrong) else {
        return (0, vec![format!("the checker gave no verdict: {said}")]);
    };
    (orders, wrong.iter().map(ToString::to_string).collect())
}
