//! The provider's clock: the system's, moved forward by control calls. Times are milliseconds since the epoch.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::{Offset, TimeZone};

/// Milliseconds since the Unix epoch, by the simulator's clock.
pub(crate) type Millis = i64;

#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset: AtomicI64,
}

impl Clock {
    pub(crate) fn with_offset(offset: Millis) -> Self {
        Self {
            offset: AtomicI64::new(offset),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        system_now() + self.offset()
    }

    pub(crate) fn offset(&self) -> Millis {
        self.offset.load(Ordering::Acquire)
    }

    pub(crate) fn advance(&self, by: Duration) -> Millis {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.offset.fetch_add(by, Ordering::AcqRel) + by
    }
}

/// The machine's own time, which no control call moves.
pub(crate) fn system_now() -> Millis {
    #[expect(clippy::disallowed_methods, reason = "the clock seam itself")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or_default()
}

/// The `Date` of an answer (RFC 9110 §5.6.7).
pub(crate) fn http_date(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    let printed = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
    printed.unwrap_or_default()
}

/// RFC 3339 to the second at `+08:00`, as the provider writes it.
pub(crate) fn rfc3339(at: Millis) -> String {
    seconds(at)
        .display_with_offset(Offset::constant(8))
        .to_string()
}

/// `YYYY-MM-DD hh:mm:ss` without a zone: the cardholder's `create_time` (contract §2.4).
pub(crate) fn without_zone(at: Millis) -> String {
    let local = seconds(at).to_zoned(TimeZone::fixed(Offset::constant(8)));
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn seconds(at: Millis) -> Timestamp {
    Timestamp::from_second(at.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_provider_does() {
        let at = 1_790_990_764_900;
        assert_eq!(rfc3339(at), "2026-10-03T09:26:04+08:00");
        assert_eq!(without_zone(at), "2026-10-03 09:26:04");
    }
}
