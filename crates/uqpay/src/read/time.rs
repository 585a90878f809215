//! Times: RFC 3339 with an offset, or nothing. A zone-less time is never taken for UTC (contract §2.4, F-042).

use jiff::Timestamp;
use serde::de::Deserializer;

/// A time with an offset; empty, zone-less and zero times (`0001-01-01…`) are `None`.
pub(crate) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    Ok(super::seen(deserializer, timestamp)?.flatten())
}

/// As [`time`], from text.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.trim().parse().ok()?;
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}
