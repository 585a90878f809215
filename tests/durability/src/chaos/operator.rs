//! Operators: do whatever the attention list allows, wise or not, each click twice at once; only one of the two may count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use issuance_audit::Outside;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::host::{History, id_of, now};
use crate::random::Random;
use crate::server::{APPROVER_TOKEN, OPERATOR_TOKEN};

#[derive(Debug)]
pub(super) struct Operator {
    client: Client,
    /// The operators' listener.
    base: String,
    history: Arc<History>,
    pub(super) over: AtomicBool,
    pub(super) acts: AtomicU64,
}

impl Operator {
    pub(super) fn new(client: Client, base: String, history: &Arc<History>) -> Self {
        Self {
            client,
            base,
            history: Arc::clone(history),
            over: AtomicBool::new(false),
            acts: AtomicU64::new(0),
        }
    }

    /// Until the storm is over.
    pub(super) async fn work(self: Arc<Self>, mut random: Random) {
        while !self.over.load(Ordering::Relaxed) {
            sleep(random.millis(50..600)).await;
            let Some(list) = self.attention().await else {
                continue;
            };
            let groups = list["groups"].as_array().cloned().unwrap_or_default();
            let orders: Vec<_> = groups
                .iter()
                .filter_map(|group| group["orders"].as_array())
                .flatten()
                .collect();
            if orders.is_empty() {
                continue;
            }
            let one = orders[random.below(orders.len())];
            let allowed = one["allowed_actions"].as_array();
            let allowed: Vec<_> = allowed
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            if !allowed.is_empty() {
                let action = allowed[random.below(allowed.len())];
                self.click_twice(&one["order"], action).await;
            }
        }
    }

    async fn attention(&self) -> Option<Value> {
        let list = self.client.get(format!("{}/attention", self.base));
        let answer = list.bearer_auth(OPERATOR_TOKEN).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    async fn click_twice(&self, order: &Value, action: &str) {
        let clicks = (self.act(order, action), self.act(order, action));
        let (first, second) = tokio::join!(clicks.0, clicks.1);
        if first && second {
            self.history
                .contradict(format!("{action} on {} counted twice", order["id"]));
        }
    }

    /// Whether it was taken and changed something.
    async fn act(&self, order: &Value, action: &str) -> bool {
        let Some(id) = id_of(order) else { return false };
        let token = match action {
            "approve_resubmit" => APPROVER_TOKEN,
            _ => OPERATOR_TOKEN,
        };
        let url = format!("{}/orders/{id}/actions/{action}", self.base);
        let body = json!({ "reason": "seen on the list", "expected_version": order["version"] });
        let click = self.client.post(url).bearer_auth(token).json(&body).send();
        let Ok(answer) = click.await else {
            return false;
        };
        let status = answer.status();
        let said = answer.json::<Value>().await.unwrap_or_default();
        let events = said["events"].as_array().map_or(0, Vec::len);
        let fine = status.is_success()
            || status.is_server_error()
            || matches!(
                status,
                StatusCode::CONFLICT
                    | StatusCode::UNPROCESSABLE_ENTITY
                    | StatusCode::PRECONDITION_FAILED
            );
        if !fine {
            self.history
                .contradict(format!("{action} on {id}: {status}: {said}"));
        }
        let taken = status.is_success() && events > 0;
        if taken {
            self.acts.fetch_add(1, Ordering::Relaxed);
            self.history.note(Outside::Operated {
                order: id,
                taken,
                at: now(),
            });
        }
        taken
    }
}
