//! What the times of webhooks tell: whether any come, and whether our clock is right. Many genuine ones, signed at
//! different times and all late or early by the same, mean that it is not (F-054).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use issuance_domain::Timestamp;

/// How webhooks come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookHealth {
    /// When the last genuine one came, or since when we listen.
    pub last_at: Timestamp,
    /// Whether any came since the process began.
    pub any: bool,
    /// Our clock seems to be ahead by so many milliseconds, behind if negative; none when it seems right.
    pub clock_ahead_millis: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Times {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last_at: Timestamp,
    any: bool,
    /// Genuine ones outside the window: when they were signed, and by how much we are ahead of that.
    stale: VecDeque<(Timestamp, i64)>,
    /// The last finding.
    ahead: Option<i64>,
    /// Look-ups asked for on a mere hint, of the last minute.
    hints: VecDeque<Timestamp>,
}

/// So many of one skew are no accident.
const MANY: usize = 5;
/// Of one skew: the slowest delivery and the fastest are no further apart.
const SPREAD: i64 = 60_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Hints followed in a minute; each may cost a look-up.
const MAX_HINTS: usize = 10;

impl Times {
    pub(crate) fn new(now: Timestamp) -> Self {
        let state = State {
            last_at: now,
            any: false,
            stale: VecDeque::new(),
            ahead: None,
            hints: VecDeque::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// A genuine one came in time.
    pub(crate) fn fresh(&self, now: Timestamp) {
        let mut state = self.lock();
        state.last_at = now;
        state.any = true;
        if !state.stale.is_empty() {
            state.stale.clear();
            state.ahead = None;
            metrics::gauge!("issuance_clock_skewed").set(0.0);
        }
    }

    /// A genuine one was signed outside the window. Whether it is to be followed as a hint.
    pub(crate) fn stale(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        let mut state = self.lock();
        // The same delivery again says nothing new of our clock.
        if !state.stale.iter().any(|(before, _)| *before == sent_at) {
            if state.stale.len() >= MANY {
                state.stale.pop_front();
            }
            state
                .stale
                .push_back((sent_at, now.millis().saturating_sub(sent_at.millis())));
        }
        let least = state
            .stale
            .iter()
            .map(|(_, ahead)| *ahead)
            .min()
            .unwrap_or_default();
        let most = state
            .stale
            .iter()
            .map(|(_, ahead)| *ahead)
            .max()
            .unwrap_or_default();
        let found =
            (state.stale.len() >= MANY && most.saturating_sub(least) <= SPREAD).then_some(least);
        if let (Some(ahead), None) = (found, state.ahead) {
            tracing::error!(
                ahead_ms = ahead,
                "genuine webhooks are all outside the window by the same: our clock is wrong"
            );
            metrics::gauge!("issuance_clock_skewed").set(1.0);
        }
        state.ahead = found;
        while state
            .hints
            .front()
            .is_some_and(|hint| now.since(*hint) >= MINUTE)
        {
            state.hints.pop_front();
        }
        let follows = state.hints.len() < MAX_HINTS;
        if follows {
            state.hints.push_back(now);
        }
        follows
    }

    pub(crate) fn health(&self) -> WebhookHealth {
        let state = self.lock();
        WebhookHealth {
            last_at: state.last_at,
            any: state.any,
            clock_ahead_millis: state.ahead,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn f_054_many_of_one_skew_mean_our_clock() {
        let times = Times::new(at(10_000));
        for second in 0..4 {
            times.stale(at(10_000 + second - 1_200), at(10_000 + second));
        }
        assert_eq!(times.health().clock_ahead_millis, None);
        times.stale(at(10_100 - 1_210), at(10_100));
        assert_eq!(times.health().clock_ahead_millis, Some(1_200_000));
        times.fresh(at(10_200));
        assert_eq!(times.health().clock_ahead_millis, None);
        assert_eq!(times.health().last_at, at(10_200));
    }

    #[test]
    fn f_053_one_delivery_played_again_says_nothing_of_our_clock_and_costs_little() {
        let times = Times::new(at(10_000));
        let followed = (0..1_000)
            .filter(|_| times.stale(at(5_000), at(10_000)))
            .count();
        assert_eq!(followed, MAX_HINTS);
        assert_eq!(times.health().clock_ahead_millis, None);
        // Late ones after an outage of ours are late by different times.
        for minute in 0..20 {
            times.stale(at(5_000 + minute * 300), at(12_000));
        }
        assert_eq!(times.health().clock_ahead_millis, None);
        assert!(times.stale(at(1), at(12_000)) || times.stale(at(1), at(12_100)));
    }
}
