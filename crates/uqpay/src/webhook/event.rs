//! What a webhook says (contract §5.2 to §5.4).

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{EventIds, ids, strict};
use crate::{CardDetails, Cardholder, EventId, read};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The de-duplication key.
    pub event_id: EventId,
    /// The dotted name.
    pub name: EventName,
    /// `V1.6.0`, or what the endpoint is set to.
    pub version: Option<String>,
    /// `ISSUING`.
    pub category: Option<String>,
    /// What the event says.
    pub data: EventData,
    ids: EventIds,
}

impl Event {
    /// Every id the event carries, for finding whose it is (contract §5.5).
    #[must_use]
    pub fn ids(&self) -> &EventIds {
        &self.ids
    }
}

/// The dotted name of an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventName {
    /// `card.create.succeeded`: the card is ready.
    CardCreateSucceeded,
    /// `card.create.failed`.
    CardCreateFailed,
    /// `cardholder.kyc.status_changed`: decide on `cardholder_status`.
    CardholderKycStatusChanged,
    /// `cardholder.updated`.
    CardholderUpdated,
    /// `card.status.update.succeeded`: freeze, cancel, block.
    CardStatusUpdateSucceeded,
    /// `card.status.update.failed`.
    CardStatusUpdateFailed,
    /// `card.update.succeeded`: limits, metadata.
    CardUpdateSucceeded,
    /// `card.update.failed`.
    CardUpdateFailed,
    /// Any other, as received, at most 128 characters.
    Other(String),
}

/// What an event says, by its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum EventData {
    /// Of `card.create.*`, `card.status.update.*` and `card.update.*`; every member may be missing.
    Card(Box<CardDetails>),
    /// Of `cardholder.*`; every member may be missing.
    Cardholder(Box<Cardholder>),
    /// Of any other event: not read, since it may hold one-time passwords.
    Unread,
}

/// Why a signed body is no event. Answer 200 all the same, and keep it sealed for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not JSON, or something stands after it.
    #[error("body is not one JSON value")]
    NotJson,
    /// JSON, but not an object.
    #[error("body is not a JSON object")]
    NotAnObject,
    /// A key stands twice, so that two readers could understand two things.
    #[error("body has a key twice")]
    DuplicateKey,
    /// Nested deeper than 32.
    #[error("body is nested too deeply")]
    TooDeep,
    /// No `event_id` that could tell one delivery from another.
    #[error("body has no usable event_id")]
    NoEventId,
    /// Neither name says what happened.
    #[error("body names no event")]
    NoName,
    /// `data` is neither object nor null.
    #[error("event data is not an object")]
    Data,
}

impl EventName {
    fn read(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "card.create.succeeded" => Self::CardCreateSucceeded,
            "card.create.failed" => Self::CardCreateFailed,
            "cardholder.kyc.status_changed" => Self::CardholderKycStatusChanged,
            "cardholder.updated" => Self::CardholderUpdated,
            "card.status.update.succeeded" => Self::CardStatusUpdateSucceeded,
            "card.status.update.failed" => Self::CardStatusUpdateFailed,
            "card.update.succeeded" => Self::CardUpdateSucceeded,
            "card.update.failed" => Self::CardUpdateFailed,
            _ => Self::Other(name.chars().take(128).collect()),
        }
    }

    /// The dotted name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::CardCreateSucceeded => "card.create.succeeded",
            Self::CardCreateFailed => "card.create.failed",
            Self::CardholderKycStatusChanged => "cardholder.kyc.status_changed",
            Self::CardholderUpdated => "cardholder.updated",
            Self::CardStatusUpdateSucceeded => "card.status.update.succeeded",
            Self::CardStatusUpdateFailed => "card.status.update.failed",
            Self::CardUpdateSucceeded => "card.update.succeeded",
            Self::CardUpdateFailed => "card.update.failed",
            Self::Other(name) => name,
        }
    }

    /// Whether the body is a secret that must never be stored (contract §5.3): one-time passwords and the like.
    #[must_use]
    pub fn carries_secret(&self) -> bool {
        match self {
            Self::Other(name) => {
                let name = name.to_ascii_lowercase();
                name.ends_with(".otp") || name == "card.activation.code"
            }
            Self::CardCreateSucceeded
            | Self::CardCreateFailed
            | Self::CardholderKycStatusChanged
            | Self::CardholderUpdated
            | Self::CardStatusUpdateSucceeded
            | Self::CardStatusUpdateFailed
            | Self::CardUpdateSucceeded
            | Self::CardUpdateFailed => false,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, deserialize_with = "read::text")]
    version: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    event_name: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    event_type: Option<String>,
    #[serde(default, deserialize_with = "read::id")]
    event_id: Option<EventId>,
    #[serde(default, deserialize_with = "read::text")]
    source_id: Option<String>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

/// Reads a body whose signature was verified.
///
/// # Errors
/// [`Unreadable`] says what is wrong with its shape.
pub fn parse(body: &[u8]) -> Result<Event, Unreadable> {
    strict::check(body)?;
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
    let event_id = envelope.event_id.ok_or(Unreadable::NoEventId)?;
    let (name, category) = names(envelope.event_type, envelope.event_name);
    let name = EventName::read(name.ok_or(Unreadable::NoName)?.trim());
    let data = envelope.data.map_or("{}", RawValue::get);
    let ids = ids::read(&name, envelope.source_id.as_deref(), data);
    let data = read_data(&name, data)?;
    Ok(Event {
        event_id,
        name,
        version: envelope.version,
        category,
        data,
        ids,
    })
}

/// V1.5.x swaps the two: the dotted one is the name, the other the category (contract §5.2).
fn names(
    event_type: Option<String>,
    event_name: Option<String>,
) -> (Option<String>, Option<String>) {
    let dotted = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('.'));
    if dotted(&event_type) || !dotted(&event_name) && event_type.is_some() {
        (event_type, event_name)
    } else {
        (event_name, event_type)
    }
}

fn read_data(name: &EventName, data: &str) -> Result<EventData, Unreadable> {
    match name {
        EventName::CardCreateSucceeded
        | EventName::CardCreateFailed
        | EventName::CardStatusUpdateSucceeded
        | EventName::CardStatusUpdateFailed
        | EventName::CardUpdateSucceeded
        | EventName::CardUpdateFailed => Ok(EventData::Card(Box::new(read_object(data)?))),
        EventName::CardholderKycStatusChanged | EventName::CardholderUpdated => {
            Ok(EventData::Cardholder(Box::new(read_object(data)?)))
        }
        EventName::Other(_) => Ok(EventData::Unread),
    }
}

fn read_object<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Unreadable> {
    if !data.starts_with('{') {
        return Err(Unreadable::Data);
    }
    serde_json::from_str(data).map_err(|_| Unreadable::Data)
}
