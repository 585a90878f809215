//! The ids of an event: what it can be matched by (contract §5.3, §5.5).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::EventName;
use crate::{CardId, CardOrderId, CardholderId, read};

/// Every id an event carries, in the order they are to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventIds {
    /// `source_id`, by what it means for this event.
    pub source: Option<SourceId>,
    /// `data.card_id`
    pub card_id: Option<CardId>,
    /// `data.card_order_id`
    pub card_order_id: Option<CardOrderId>,
    /// `data.cardholder.cardholder_id` or `data.cardholder_id`
    pub cardholder_id: Option<CardholderId>,
    /// `data.metadata`
    pub metadata: BTreeMap<String, String>,
}

/// What `source_id` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceId {
    /// Card events.
    CardOrder(CardOrderId),
    /// Cardholder events.
    Cardholder(CardholderId),
    /// Events of a card without an order.
    Card(CardId),
    /// Events we have no meaning for, as received.
    Other(String),
}

impl EventIds {
    /// The card order, as source or in the data.
    #[must_use]
    pub fn card_order(&self) -> Option<&CardOrderId> {
        match &self.source {
            Some(SourceId::CardOrder(id)) => Some(id),
            _ => self.card_order_id.as_ref(),
        }
    }

    /// The card, as source or in the data.
    #[must_use]
    pub fn card(&self) -> Option<&CardId> {
        match &self.source {
            Some(SourceId::Card(id)) => Some(id),
            _ => self.card_id.as_ref(),
        }
    }

    /// The cardholder, as source or in the data.
    #[must_use]
    pub fn cardholder(&self) -> Option<&CardholderId> {
        match &self.source {
            Some(SourceId::Cardholder(id)) => Some(id),
            _ => self.cardholder_id.as_ref(),
        }
    }
}

#[derive(Deserialize, Default)]
struct Data {
    #[serde(default, deserialize_with = "read::id")]
    card_id: Option<CardId>,
    #[serde(default, deserialize_with = "read::id")]
    card_order_id: Option<CardOrderId>,
    #[serde(default, deserialize_with = "read::id")]
    cardholder_id: Option<CardholderId>,
    #[serde(default, deserialize_with = "read::object")]
    cardholder: Option<Holder>,
    #[serde(default, deserialize_with = "read::metadata")]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Holder {
    #[serde(default, deserialize_with = "read::id")]
    cardholder_id: Option<CardholderId>,
}

pub(super) fn read(name: &EventName, source: Option<&str>, data: &str) -> EventIds {
    let data: Data = if data.starts_with('{') {
        serde_json::from_str(data).unwrap_or_default()
    } else {
        Data::default()
    };
    EventIds {
        source: source.and_then(|source| read_source(name, source)),
        card_id: data.card_id,
        card_order_id: data.card_order_id,
        cardholder_id: data
            .cardholder
            .and_then(|holder| holder.cardholder_id)
            .or(data.cardholder_id),
        metadata: data.metadata,
    }
}

fn read_source(name: &EventName, source: &str) -> Option<SourceId> {
    let card_order = || CardOrderId::parse(source).ok().map(SourceId::CardOrder);
    let cardholder = || CardholderId::parse(source).ok().map(SourceId::Cardholder);
    match name {
        EventName::CardCreateSucceeded
        | EventName::CardCreateFailed
        | EventName::CardStatusUpdateSucceeded
        | EventName::CardStatusUpdateFailed
        | EventName::CardUpdateSucceeded
        | EventName::CardUpdateFailed => card_order(),
        EventName::CardholderKycStatusChanged | EventName::CardholderUpdated => cardholder(),
        EventName::Other(name) => {
            let name = name.to_ascii_lowercase();
            let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
            if starts(&["card.recharge.", "card.withdraw."]) {
                card_order()
            } else if starts(&[
                "card.activation.",
                "card.3ds.",
                "card.verification.",
                "card.pin.",
            ]) {
                CardId::parse(source).ok().map(SourceId::Card)
            } else {
                Some(SourceId::Other(source.chars().take(64).collect()))
            }
        }
    }
}
