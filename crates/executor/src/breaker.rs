//! One breaker for what holds for every call alike: wrong credentials, a refused address, no connection. One cause, one
//! alarm; no order fails or spins behind it.

use std::sync::Mutex;

use issuance_domain::{SilenceCause, Timestamp};

use crate::retry::Retry;

/// Opens after failures that hold for every call; lets one call through when its time is over.
#[derive(Debug)]
pub struct Breaker {
    retry: Retry,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Unsent calls in a row.
    failures: u32,
    /// How often it opened in a row.
    openings: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    until: Timestamp,
    reason: String,
    /// A call was let through and its end is awaited.
    probing: bool,
}

/// Unsent calls in a row before it opens.
const TOLERATED: u32 = 5;

impl Breaker {
    /// A closed breaker that stays open by this schedule.
    #[must_use]
    pub fn new(retry: Retry) -> Self {
        Self { retry, state: Mutex::default() }
    }

    /// Whether calls may go. When it is open but its time is over, exactly one may.
    ///
    /// # Errors
    /// When to ask again.
    pub fn allow(&self, now: Timestamp) -> Result<Allowed, Timestamp> {
        let mut state = self.lock();
        match &mut state.open {
            None => Ok(Allowed::Freely),
            Some(open) if now < open.until => Err(open.until),
            Some(open) if open.probing => {
                // A probe whose end never came is given up when its time is over too.
                open.until = now.after(self.retry.first);
                Err(open.until)
            }
            Some(open) => {
                open.probing = true;
                open.until = now.after(self.retry.first);
                Ok(Allowed::OneProbe)
            }
        }
    }

    /// The provider answered, whatever it said.
    pub fn succeeded(&self) {
        let mut state = self.lock();
        if state.open.is_some() {
            tracing::info!("the provider answers again; breaker closed");
        }
        *state = State::default();
        metrics::gauge!("issuance_breaker_open").set(0.0);
    }

    /// A call ended in silence.
    pub fn failed(&self, cause: &SilenceCause, now: Timestamp, jitter: f64) {
        let (opens, reason) = match cause {
            SilenceCause::Blocked { code } => (true, format!("the provider turns us away: {code}")),
            SilenceCause::NotSent => (false, "the provider cannot be reached".to_owned()),
            // The call arrived, or may have: not a matter of the door.
            SilenceCause::RateLimited
            | SilenceCause::Processing
            | SilenceCause::TimedOut
            | SilenceCause::ConnectionLost
            | SilenceCause::ServerError { .. }
            | SilenceCause::Unreadable { .. } => return,
        };
        let mut state = self.lock();
        state.failures += 1;
        let probing = state.open.as_ref().is_some_and(|open| open.probing);
        if !opens && !probing && state.failures < TOLERATED || state.open.is_some() && !probing {
            return;
        }
        let until = now.after(self.retry.delay(state.openings, jitter));
        if state.openings == 0 {
            tracing::error!(%until, reason, "breaker open: calls to the provider wait");
        }
        state.openings += 1;
        state.open = Some(Open { until, reason, probing: false });
        metrics::gauge!("issuance_breaker_open").set(1.0);
    }

    /// Why it is open and until when; none when it is closed.
    #[must_use]
    pub fn why_open(&self) -> Option<(String, Timestamp)> {
        self.lock().open.as_ref().map(|open| (open.reason.clone(), open.until))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How many calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// As many as there are.
    Freely,
    /// One, to see whether the provider answers again.
    OneProbe,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn opens_at_once_when_turned_away_and_probes_once() {
        let breaker =
            Breaker::new(Retry { first: Duration::from_secs(10), cap: Duration::from_secs(60), jitter: 0.0 });
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert_eq!(breaker.allow(at(0)), Ok(Allowed::Freely));
        breaker.failed(&SilenceCause::Blocked { code: "forbidden".into() }, at(0), 0.0);
        assert_eq!(breaker.allow(at(9)), Err(at(10)));
        assert_eq!(breaker.allow(at(10)), Ok(Allowed::OneProbe));
        assert!(breaker.allow(at(10)).is_err(), "one probe at a time");
        breaker.failed(&SilenceCause::Blocked { code: "forbidden".into() }, at(11), 0.0);
        assert_eq!(breaker.allow(at(30)), Err(at(31)), "each opening lasts longer");
        assert_eq!(breaker.allow(at(31)), Ok(Allowed::OneProbe));
        breaker.succeeded();
        assert_eq!(breaker.allow(at(31)), Ok(Allowed::Freely));
    }

    #[test]
    fn a_lost_answer_is_not_a_matter_of_the_door() {
        let breaker = Breaker::new(Retry { first: Duration::from_secs(1), cap: Duration::from_secs(1), jitter: 0.0 });
        for _ in 0..100 {
            breaker.failed(&SilenceCause::TimedOut, Timestamp::from_millis(0), 0.0);
        }
        assert_eq!(breaker.why_open(), None);
        for _ in 0..5 {
            breaker.failed(&SilenceCause::NotSent, Timestamp::from_millis(0), 0.0);
        }
        assert!(breaker.why_open().is_some());
    }
}
