//! The provider's budget: calls a minute, one for all calls of a credential (contract §1.6). The scarce thing, so
//! creates come before look-ups: a share of every minute is kept for them.

use std::sync::Mutex;
use std::time::Duration;

use issuance_domain::Timestamp;

/// What a call is for, as far as the budget cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Submissions: may use the whole budget.
    Submission,
    /// Reads: leave the submissions' share alone.
    Reading,
}

/// Calls in the running calendar minute, as the provider counts them.
#[derive(Debug)]
pub struct Budget {
    per_minute: u32,
    kept_for_submissions: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug, Clone, Copy)]
struct Minute {
    number: i64,
    spent: u32,
    /// The provider told us to wait until then.
    closed_until: Timestamp,
}

const MINUTE: i64 = 60_000;

impl Budget {
    /// So many calls a minute, a fifth of them kept for submissions.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        let per_minute = per_minute.max(1);
        let minute = Minute { number: 0, spent: 0, closed_until: Timestamp::from_millis(0) };
        Self { per_minute, kept_for_submissions: per_minute / 5, minute: Mutex::new(minute) }
    }

    /// Takes one call, or says when to ask again.
    ///
    /// # Errors
    /// When the minute is spent or the provider told us to wait.
    pub fn take(&self, now: Timestamp, urgency: Urgency) -> Result<(), Timestamp> {
        let mut minute = self.current(now);
        if self.room(*minute, now, urgency) == 0 {
            return Err(reopens(*minute, now));
        }
        minute.spent += 1;
        Ok(())
    }

    /// How many calls could be taken now; when none, when to ask again.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn available(&self, now: Timestamp, urgency: Urgency) -> Result<u32, Timestamp> {
        let minute = self.current(now);
        match self.room(*minute, now, urgency) {
            0 => Err(reopens(*minute, now)),
            room => Ok(room),
        }
    }

    /// The provider said "too many": nothing more until then.
    pub fn close_until(&self, now: Timestamp, wait: Option<Duration>) {
        let mut minute = self.current(now);
        let until = wait.map_or_else(|| reopens(*minute, now), |wait| now.after(wait));
        minute.closed_until = minute.closed_until.max(until);
    }

    fn current(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Minute> {
        let mut minute = self.minute.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let number = now.millis() / MINUTE;
        if minute.number != number {
            minute.number = number;
            minute.spent = 0;
        }
        minute
    }

    fn room(&self, minute: Minute, now: Timestamp, urgency: Urgency) -> u32 {
        if now < minute.closed_until {
            return 0;
        }
        let limit = match urgency {
            Urgency::Submission => self.per_minute,
            Urgency::Reading => self.per_minute - self.kept_for_submissions,
        };
        limit.saturating_sub(minute.spent)
    }
}

/// The next calendar minute, or the end of a closure.
fn reopens(minute: Minute, now: Timestamp) -> Timestamp {
    let next = Timestamp::from_millis((now.millis() / MINUTE + 1) * MINUTE);
    if now < minute.closed_until { minute.closed_until } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_leave_room_for_submissions() {
        let budget = Budget::new(10);
        let now = Timestamp::from_millis(90_000);
        for _ in 0..8 {
            assert_eq!(budget.take(now, Urgency::Reading), Ok(()));
        }
        assert_eq!(budget.take(now, Urgency::Reading), Err(Timestamp::from_millis(120_000)));
        assert_eq!(budget.available(now, Urgency::Submission), Ok(2));
        assert_eq!(budget.take(now, Urgency::Submission), Ok(()));
        assert_eq!(budget.take(now, Urgency::Submission), Ok(()));
        assert!(budget.take(now, Urgency::Submission).is_err());
        assert_eq!(budget.available(Timestamp::from_millis(120_000), Urgency::Reading), Ok(8));
    }

    #[test]
    fn too_many_closes_it() {
        let budget = Budget::new(10);
        let now = Timestamp::from_millis(90_000);
        budget.close_until(now, Some(Duration::from_secs(45)));
        assert_eq!(budget.take(now, Urgency::Submission), Err(Timestamp::from_millis(135_000)));
        assert!(budget.take(Timestamp::from_millis(134_999), Urgency::Submission).is_err());
        assert_eq!(budget.take(Timestamp::from_millis(135_000), Urgency::Submission), Ok(()));
    }
}
