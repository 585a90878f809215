//! Amounts: JSON number or string, read from the text itself so that no float stands between.

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Longest amount text looked at; a decimal has at most 29 digits.
const MAX_LEN: usize = 64;

/// An amount as number or string; anything else, `"200USD"` for one, is `None`.
pub(crate) fn amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    let raw = <Option<&'de RawValue>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| {
        let text = raw.get();
        if text.starts_with('"') {
            serde_json::from_str::<String>(text)
                .ok()
                .and_then(|text| parse(text.trim()))
        } else {
            parse(text)
        }
    }))
}

fn parse(text: &str) -> Option<Decimal> {
    let plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    if text.len() > MAX_LEN || !text.bytes().all(plain) {
        return None;
    }
    if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).ok()
    } else {
        Decimal::from_str_exact(text).ok()
    }
}
