//! The rows with a content of their own, and how they are written.

use std::fmt;
use std::sync::Arc;

use issuance_domain::{MessageId, Order, OrderId, Task, Timestamp};
use serde::{Deserialize, Serialize};

use super::keys;
use crate::message::{Message, Standing};
use crate::position::Position;

/// A row and its stored form.
pub(crate) trait Row: Clone + fmt::Debug {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error>;
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Where an event lies in its store's log. The rows only carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) [u8; 12]);

/// Places of consecutive events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places(pub(crate) Vec<Place>);

/// What an open order owes.
pub(crate) type Owed = Arc<[Task]>;

/// An order row carries the places of its newest events, at most this many; older ones have rows of their own.
pub(super) const PLACES_MAX: usize = 128;

/// An order, and where its events lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderRow {
    pub(crate) order: Arc<Order>,
    /// Whether anything is still to be done for it, by the policy of the day.
    pub(crate) open: bool,
    /// The newest events, the last one last.
    pub(crate) places: Places,
}

/// A message, and where it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MessageRow {
    /// Where it was received: its age.
    pub(crate) position: Position,
    /// The same as a time.
    pub(crate) received_at: Timestamp,
    pub(crate) digest: Box<str>,
    #[serde(flatten)]
    pub(crate) standing: Standing,
    /// What it says; dropped when it is settled.
    pub(crate) message: Option<Message>,
}

macro_rules! json_row {
    ($type:ty) => {
        impl Row for Arc<$type> {
            fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                serde_json::to_vec(&**self)
            }

            fn decode(bytes: &[u8]) -> Option<Self> {
                serde_json::from_slice(bytes).ok().map(Self::new)
            }
        }
    };
}

json_row!(OrderRow);
json_row!(MessageRow);

impl Row for Owed {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&**self)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Row for () {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(Vec::new())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}

impl Row for OrderId {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(keys::order(*self))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        keys::order_of(bytes)
    }
}

impl Row for MessageId {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(self.as_str().into())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

impl Row for Places {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(self.0.iter().flat_map(|place| place.0).collect())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (places, rest) = bytes.as_chunks::<12>();
        rest.is_empty()
            .then(|| Self(places.iter().copied().map(Place).collect()))
    }
}

impl Serialize for Places {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|place| place.0).collect();
        serializer.serialize_str(&hex::encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let places = hex::decode(text)
            .ok()
            .and_then(|bytes| Self::decode(&bytes));
        places.ok_or_else(|| serde::de::Error::custom("not places of events"))
    }
}
