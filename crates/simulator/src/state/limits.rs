//! Rate limits by client and calendar minute (contract §1.6). Not durable: a minute is soon over.

use std::collections::HashMap;

use super::State;
use crate::clock::Millis;
use crate::errors::{self, Refusal};

const MINUTE: Millis = 60_000;

/// Client, and whether it is the token endpoint's window → minute and calls in it.
pub(crate) type Windows = HashMap<(String, bool), (Millis, u32)>;

impl State {
    /// Counts a call, and refuses it beyond the limit.
    pub(crate) fn count_call(
        &mut self,
        client: &str,
        token_call: bool,
        now: Millis,
    ) -> Result<(), Refusal> {
        let limit = if token_call {
            self.config.token_limit_per_minute
        } else {
            self.config.rate_limit_per_minute
        };
        let Some(limit) = limit else { return Ok(()) };
        let minute = now.div_euclid(MINUTE);
        let window = self
            .limits
            .entry((client.to_owned(), token_call))
            .or_insert((minute, 0));
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 += 1;
        if window.1 <= limit {
            return Ok(());
        }
        // Whole seconds, and never more than the minute.
        let left = (MINUTE - now.rem_euclid(MINUTE) + 999).div_euclid(1000);
        Err(errors::too_many_requests(
            self.config.retry_after.then(|| left.to_string()),
        ))
    }
}
