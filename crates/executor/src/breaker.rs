//! One breaker for what holds for every call alike: wrong credentials, a refused address, no connection. One cause, one
//! alarm; no order fails or spins behind it.

use std::sync::Mutex;

use issuance_domain::{SilenceCause, Timestamp};

use crate::retry::Retry;

/// Opens after failures that hold for every call; then lets one call through each time a wait is over.
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
        Self {
            retry,
            state: Mutex::default(),
        }
    }

    /// How many calls may go now.
    ///
    /// # Errors
    /// When to ask again.
    pub fn peek(&self, now: Timestamp) -> Result<Allowed, Timestamp> {
        match &self.lock().open {
            None => Ok(Allowed::Freely),
            Some(open) if now < open.until => Err(open.until),
            Some(_) => Ok(Allowed::OneProbe),
        }
    }

    /// Takes the right to one call. While open, each wait that is over gives one: the probe.
    ///
    /// # Errors
    /// When to ask again.
    pub fn enter(&self, now: Timestamp) -> Result<(), Timestamp> {
        let mut state = self.lock();
        let Some(open) = &mut state.open else {
            return Ok(());
        };
        if now < open.until {
            return Err(open.until);
        }
        open.probing = true;
        open.until = now.after(self.retry.first);
        Ok(())
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

    /// A call brought no definite answer.
    pub fn failed(&self, cause: &SilenceCause, now: Timestamp, jitter: f64) {
        let (at_once, reason) = match cause {
            SilenceCause::Blocked { code } => (true, format!("the provider turns us away: {code}")),
            SilenceCause::NotSent => (false, "the provider cannot be reached".to_owned()),
            SilenceCause::TokenRefused => {
                let reason = "the provider refuses even fresh tokens: does somebody else mint with our credential?";
                (false, reason.to_owned())
            }
            // The door is open: what happened behind it is one order's matter.
            SilenceCause::RateLimited
            | SilenceCause::Processing
            | SilenceCause::TimedOut
            | SilenceCause::ConnectionLost
            | SilenceCause::ServerError { .. }
            | SilenceCause::Unreadable { .. }
            | SilenceCause::Mismatched { .. } => return self.succeeded(),
        };
        let mut state = self.lock();
        state.failures += 1;
        let probed = state.open.as_ref().is_some_and(|open| open.probing);
        let opens = at_once || state.failures >= TOLERATED;
        if state.open.is_some() && !probed || state.open.is_none() && !opens {
            return;
        }
        let until = now.after(self.retry.delay(state.openings, jitter));
        if state.openings == 0 {
            tracing::error!(%until, reason, "breaker open: calls to the provider wait");
        }
        state.openings += 1;
        state.open = Some(Open {
            until,
            reason,
            probing: false,
        });
        metrics::gauge!("issuance_breaker_open").set(1.0);
    }

    /// Why it is open and until when; none when it is closed.
    #[must_use]
    pub fn why_open(&self) -> Option<(String, Timestamp)> {
        self.lock()
            .open
            .as_ref()
            .map(|open| (open.reason.clone(), open.until))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let breaker = Breaker::new(Retry {
            first: Duration::from_secs(10),
            cap: Duration::from_secs(60),
            jitter: 0.0,
        });
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert_eq!(breaker.peek(at(0)), Ok(Allowed::Freely));
        breaker.failed(
            &SilenceCause::Blocked {
                code: "forbidden".into(),
            },
            at(0),
            0.0,
        );
        assert_eq!(breaker.peek(at(9)), Err(at(10)));
        assert_eq!(breaker.peek(at(10)), Ok(Allowed::OneProbe));
        assert_eq!(breaker.enter(at(10)), Ok(()));
        assert!(breaker.enter(at(10)).is_err(), "one probe at a time");
        breaker.failed(
            &SilenceCause::Blocked {
                code: "forbidden".into(),
            },
            at(11),
            0.0,
        );
        assert_eq!(
            breaker.peek(at(30)),
            Err(at(31)),
            "each opening lasts longer"
        );
        assert_eq!(breaker.enter(at(31)), Ok(()), "a probe that never ended");
        assert_eq!(breaker.enter(at(41)), Ok(()), "is followed by another");
        breaker.succeeded();
        assert_eq!(breaker.peek(at(41)), Ok(Allowed::Freely));
    }

    #[test]
    fn a_lost_answer_is_not_a_matter_of_the_door() {
        let breaker = Breaker::new(Retry {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(1),
            jitter: 0.0,
        });
        for _ in 0..100 {
            breaker.failed(&SilenceCause::NotSent, Timestamp::from_millis(0), 0.0);
            breaker.failed(&SilenceCause::TimedOut, Timestamp::from_millis(0), 0.0);
        }
        assert_eq!(breaker.why_open(), None);
        for _ in 0..5 {
            breaker.failed(&SilenceCause::NotSent, Timestamp::from_millis(0), 0.0);
        }
        assert!(breaker.why_open().is_some());
    }

    /// Each cause says what it is, and one token refused is no matter of the door yet.
    #[test]
    fn f_029_tokens_that_are_refused_again_and_again_are_no_lost_connection() {
        let breaker = Breaker::new(Retry {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(1),
            jitter: 0.0,
        });
        let refused =
            || breaker.failed(&SilenceCause::TokenRefused, Timestamp::from_millis(0), 0.0);
        refused();
        assert_eq!(breaker.why_open(), None);
        (1..TOLERATED).for_each(|_| refused());
        let (reason, _) = breaker.why_open().unwrap();
        assert!(reason.contains("token"), "{reason}");
    }
}
