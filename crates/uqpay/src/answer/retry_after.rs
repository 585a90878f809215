//! `Retry-After`: undocumented, read as integer seconds or HTTP date (contract §1.6).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// What the provider asked us to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// So long from the answer.
    Delay(Duration),
    /// Until then, by the provider's clock.
    At(Timestamp),
}

impl RetryAfter {
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
            let seconds = header.parse().unwrap_or(u64::MAX);
            return Some(Self::Delay(Duration::from_secs(seconds)));
        }
        rfc2822::DateTimeParser::new()
            .parse_timestamp(header)
            .ok()
            .map(Self::At)
    }

    /// The wait counted from `now`, as absurd as it was asked: believe it within the bounds of contract §1.6.
    #[must_use]
    pub fn delay(self, now: Timestamp) -> Duration {
        match self {
            Self::Delay(delay) => delay,
            Self::At(time) => {
                Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds_and_dates() {
        let now: Timestamp = "2026-10-03T09:00:00Z".parse().unwrap();
        let delay = |header: &str| RetryAfter::parse(header).map(|wait| wait.delay(now).as_secs());
        assert_eq!(delay("7"), Some(7));
        assert_eq!(delay(" 30 "), Some(30));
        assert_eq!(delay("0"), Some(0));
        assert_eq!(delay("1000000000000"), Some(1_000_000_000_000));
        assert_eq!(delay("99999999999999999999999999"), Some(u64::MAX));
        assert_eq!(delay("Sat, 03 Oct 2026 09:01:40 GMT"), Some(100));
        assert_eq!(delay("Fri, 02 Oct 2026 09:01:40 GMT"), Some(0));
        for junk in ["", "-1", "soon", "1.5", "+3"] {
            assert_eq!(delay(junk), None, "{junk}");
        }
    }
}
