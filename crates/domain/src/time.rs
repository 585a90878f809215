//! Instants as values. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC, to the millisecond. Written as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 9999-01-01T00:00:00Z: what later instants are clamped to.
    const MAX_MILLIS: i64 = 253_370_764_800_000;

    /// From milliseconds since the Unix epoch, clamped to the years 1970 to 9999.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX_MILLIS))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// This long after; clamped, never overflowing.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(Self::MAX_MILLIS);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// This long before; clamped at 1970.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(Self::MAX_MILLIS);
        Self::from_millis(self.0.saturating_sub(millis))
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not an RFC 3339 instant with an offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with an offset")]
pub struct InvalidTime;

impl FromStr for Timestamp {
    type Err = InvalidTime;
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| InvalidTime)?;
        Ok(Self::from_millis(instant.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Durations in configuration: `"30s"`, `"10m"`, `"20h"`, `"7d"` or ISO 8601.
pub mod duration {
    use super::{Deserialize, Deserializer, Duration, Serializer, de};

    /// Writes the ISO 8601 form.
    ///
    /// # Errors
    /// Whatever the serializer says.
    pub fn serialize<S: Serializer>(wait: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(wait.subsec_nanos()).unwrap_or(0);
        serializer.collect_str(&jiff::SignedDuration::new(seconds, nanos))
    }

    /// Reads either form; negative durations are refused.
    ///
    /// # Errors
    /// When the text is not a duration, or is negative.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let text = text.trim();
        // A day is 24 hours here; the library leaves days to calendars.
        let days = text
            .strip_suffix('d')
            .and_then(|number| number.parse::<u32>().ok());
        if let Some(days) = days {
            return Ok(Duration::from_secs(u64::from(days) * 86_400));
        }
        let signed: jiff::SignedDuration = text.parse().map_err(|_| {
            de::Error::custom("not a duration such as \"30s\", \"10m\", \"20h\" or \"7d\"")
        })?;
        Duration::try_from(signed).map_err(|_| de::Error::custom("a duration cannot be negative"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_and_writes_utc() {
        let read: Timestamp = "2026-10-03T09:12:44+08:00".parse().unwrap();
        assert_eq!(read.to_string(), "2026-10-03T01:12:44.000Z");
        assert_eq!(
            serde_json::from_str::<Timestamp>("\"2026-10-03T01:12:44.000Z\"").unwrap(),
            read
        );
        assert!(
            "2026-10-03 09:12:44".parse::<Timestamp>().is_err(),
            "no zone is not UTC"
        );
    }

    #[test]
    fn never_overflows() {
        let far = Timestamp::from_millis(i64::MAX);
        assert_eq!(far.after(Duration::MAX), far);
        assert_eq!(Timestamp::from_millis(0).before(Duration::MAX).millis(), 0);
    }
}
