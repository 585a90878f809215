//! Instants as values. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text;

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
        if let Some(time) = as_written(text.as_bytes()) {
            return Ok(time);
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| InvalidTime)?;
        Ok(Self::from_millis(instant.as_millisecond()))
    }
}

/// The one form we write, `2025-01-02T03:04:05.678Z`, which logs are full of; any other is for the calendar's own reader.
fn as_written(text: &[u8]) -> Option<Timestamp> {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let text: &[u8; 24] = text.try_into().ok()?;
    let fits = text.iter().zip(FORM).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text[from..to].iter();
        digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    // A leap second, and what is out of range, is for the calendar's reader as well.
    if !(1970..9999).contains(&year) || !(1..=days).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 in years that begin with March, so that a leap day is a year's last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let date = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let seconds = ((date * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp::from_millis(seconds * 1_000 + number(20, 23)))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::parse(deserializer)
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
    fn our_own_form_is_read_as_the_calendar_reads_it() {
        let by_calendar = |text: &str| {
            let instant: Option<jiff::Timestamp> = text.parse().ok();
            instant.map(|instant| Timestamp::from_millis(instant.as_millisecond()))
        };
        // Every day of four centuries, with their leap years and the days that are none.
        for year in 1969..=2401 {
            for (month, day) in (0..=13).flat_map(|month| (0..=32).map(move |day| (month, day))) {
                let time = (year * 31 + month * 7 + day) % 61;
                let text = format!(
                    "{year}-{month:02}-{day:02}T{:02}:{time:02}:{time:02}.{:03}Z",
                    time % 25,
                    time * 16
                );
                assert_eq!(text.parse().ok(), by_calendar(&text), "{text}");
            }
        }
        for text in [
            "2026-10-03T01:12:44,000Z",
            "2026-1a-03T01:12:44.000Z",
            "9999-01-01T00:00:00.000Z",
        ] {
            assert_eq!(text.parse().ok(), by_calendar(text), "{text}");
        }
    }

    #[test]
    fn never_overflows() {
        let far = Timestamp::from_millis(i64::MAX);
        assert_eq!(far.after(Duration::MAX), far);
        assert_eq!(Timestamp::from_millis(0).before(Duration::MAX).millis(), 0);
    }
}
