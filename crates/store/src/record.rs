//! The stored form of an event, and the way back. The domain knows only the newest form; old ones are lifted here.

use issuance_domain::{Event, EventBody, OrderId, Timestamp, Version};
use serde::Deserialize as _;
use serde_json::value::RawValue;

use crate::named::Named;
use crate::position::Position;

/// One event of an order, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where in the log.
    pub position: Position,
    /// Whose.
    pub order: OrderId,
    /// Which of the order's events.
    pub version: Version,
    /// What happened, and when it was recorded.
    pub event: Event,
}

/// A stored event this engine cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "stored event `{name}` of schema {schema} cannot be read: {why}; a newer engine may have written it"
)]
pub struct UnreadableEvent {
    /// Its stored name.
    pub name: String,
    /// Its stored schema.
    pub schema: u16,
    /// What is wrong.
    pub why: String,
}

/// The body of an event as it is stored, without its name.
///
/// # Errors
/// Never for the events of this engine; JSON can be refused by its own writer only for keys that are not strings.
pub fn body_json(body: &EventBody) -> Result<String, serde_json::Error> {
    // `EventBody` is `{"name":"…","body":{…}}`; the log keeps the name beside the body.
    let whole = serde_json::to_string(body)?;
    let start = r#"{"name":"","body":"#.len() + body.name().len();
    Ok(whole.get(start..whole.len() - 1).unwrap_or("{}").to_owned())
}

/// Reads a stored event, whatever released schema it has.
///
/// # Errors
/// When no released engine wrote this name and schema, or the body does not fit.
pub fn read_event(
    name: &str,
    schema: u16,
    recorded_at: &str,
    body: &RawValue,
) -> Result<Event, UnreadableEvent> {
    let unreadable = |why: String| UnreadableEvent {
        name: name.into(),
        schema,
        why,
    };
    let at: Timestamp = recorded_at
        .parse()
        .map_err(|_| unreadable("`recorded_at` is not a time".into()))?;
    if schema != 1 {
        return Err(unreadable("unknown schema".into()));
    }
    let body = EventBody::deserialize(Named { name, body })
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(Event { at, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use issuance_domain::AttentionReason;

    #[test]
    fn the_name_stands_beside_the_body() {
        let body = EventBody::AttentionRaised {
            reason: AttentionReason::Capacity {
                code: "insufficient_sub_bin".into(),
            },
        };
        let json = body_json(&body).unwrap();
        assert_eq!(
            json,
            r#"{"reason":{"kind":"capacity","code":"insufficient_sub_bin"}}"#
        );
        let raw = RawValue::from_string(json).unwrap();
        let event = read_event(body.name(), 1, "2026-10-03T01:12:44.000Z", &raw).unwrap();
        assert_eq!(event.body, body);
        assert!(read_event(body.name(), 2, "2026-10-03T01:12:44.000Z", &raw).is_err());
        assert!(read_event("never_heard_of", 1, "2026-10-03T01:12:44.000Z", &raw).is_err());
    }
}
