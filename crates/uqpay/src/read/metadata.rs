//! Metadata in all its forms: object, null, `""`, JSON text, `{"":""}` (contract §2.5, §5.4, §8 row 14).

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde_json::Value;

/// One decoder for every form; what cannot be read as key and text is dropped, and so are empty keys.
pub(crate) fn metadata<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(entries) => texts(entries),
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(entries)) => texts(entries),
            _ => BTreeMap::new(),
        },
        _ => BTreeMap::new(),
    })
}

fn texts(entries: serde_json::Map<String, Value>) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .filter(|(key, _)| !key.is_empty())
        .filter_map(|(key, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((key, text)),
            other => Some((key, other.to_string())),
        })
        .collect()
}
