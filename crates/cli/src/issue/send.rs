//! One order on its way to the server, as often as it takes.

use std::time::Duration;

use issuance::domain::Timestamp;
use issuance::{Clock as _, Retry, SystemClock};
use serde::Deserialize;

use super::file::Line;
use crate::exit::{Exit, Failure};
use crate::http::{Api, CallError, Refusal};

/// Longest wait the server can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What became of an order.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is placed, by this run.
    Placed {
        /// Its id.
        order: String,
    },
    /// It was placed before.
    Known {
        /// Its id.
        order: String,
    },
    /// It will not be placed as it is.
    Refused(Refusal),
}

/// Sends orders; shared by all that are under way.
#[derive(Debug)]
pub(super) struct Sender {
    api: Api,
    patience: Duration,
    retry: Retry,
    clock: SystemClock,
}

#[derive(Deserialize)]
struct Order {
    id: String,
}

impl Sender {
    pub(super) fn new(api: Api, patience: Duration) -> Self {
        let retry = Retry {
            first: Duration::from_millis(250),
            cap: Duration::from_secs(15),
            jitter: 0.5,
        };
        Self {
            api,
            patience,
            retry,
            clock: SystemClock,
        }
    }

    /// Places an order. The same reference is the same order, so an unanswered try is simply tried again.
    pub(super) async fn place(&self, line: &Line) -> Result<Outcome, Failure> {
        let until = self.clock.now().after(self.patience);
        for tries in 0.. {
            let error = match self
                .api
                .post_raw(&["v1", "orders"], line.json.clone())
                .await
            {
                Ok(answer) => {
                    let is_new = answer.status().as_u16() == 201;
                    match answer.json::<Order>().await {
                        Ok(Order { id: order }) if is_new => return Ok(Outcome::Placed { order }),
                        Ok(Order { id: order }) => return Ok(Outcome::Known { order }),
                        Err(error) => CallError::Unanswered(error.without_url()),
                    }
                }
                Err(error) => error,
            };
            let asked = match error {
                CallError::Refused(refusal) if refusal.status == 401 || refusal.status == 403 => {
                    return Err(Failure::from(refusal)
                        .hint("set ISSUANCE_API_TOKEN to a token of `server.tokens`"));
                }
                CallError::Refused(ref refusal) if refusal.is_transient() => refusal.retry_after,
                CallError::Refused(refusal) if refusal.status == 404 => {
                    let failure = Failure::new(Exit::NotFound, "the server takes no orders");
                    return Err(failure.hint("is it the orders' listener, not the operators'?"));
                }
                CallError::Refused(refusal) if refusal.status >= 500 => return Err(refusal.into()),
                CallError::Refused(refusal) => return Ok(Outcome::Refused(refusal)),
                CallError::Unanswered(_) => None,
            };
            let Some(wait) = self.wait(tries, asked, until) else {
                return Err(self.api.failure(error));
            };
            self.clock.sleep(wait).await;
        }
        Err(Failure::new(Exit::Unavailable, "the server stays busy"))
    }

    /// How long to wait before another try; none when there is no time left for one.
    fn wait(&self, tries: u32, asked: Option<Duration>, until: Timestamp) -> Option<Duration> {
        let wait = self.retry.delay(tries, self.clock.jitter());
        let wait = asked.map_or(wait, |asked| asked.min(RETRY_AFTER_MAX).max(wait));
        (self.clock.now().after(wait) < until).then_some(wait)
    }
}
