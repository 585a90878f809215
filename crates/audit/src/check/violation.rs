//! What a checker found to be false: which invariant, of which order, and the facts that disagree.

use std::fmt;

use issuance_domain::{CardId, MessageId, OrderId, Timestamp, Version};
use issuance_store::Position;
use serde::Serialize;

use super::invariant::Invariant;

/// One thing that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// Whose; none when it is no order's.
    pub order: Option<OrderId>,
    /// What is wrong, a sentence without its end.
    pub what: String,
    /// The facts that disagree.
    pub facts: Vec<Evidence>,
    /// The run it was found in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// One fact, by where it can be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Evidence {
    /// An event in the log.
    Event {
        /// Where.
        position: Position,
        /// Which of its order's.
        version: Version,
        /// Its stored name.
        name: &'static str,
        /// When it was recorded, by our clock.
        at: Timestamp,
    },
    /// A call the provider received.
    Request {
        /// Which, by the provider's count.
        number: u64,
        /// When it arrived, by the provider's clock.
        at: Timestamp,
    },
    /// A card at the provider.
    Card {
        /// Which.
        card: CardId,
    },
    /// A webhook.
    Message {
        /// Which.
        id: MessageId,
    },
    /// What the world outside was told.
    Outside {
        /// When, by its clock.
        at: Timestamp,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event {
                position,
                version,
                name,
                at,
            } => write!(f, "{name} at position {position} (version {version}, {at})"),
            Self::Request { number, at } => write!(f, "request {number} ({at})"),
            Self::Card { card } => write!(f, "card {card}"),
            Self::Message { id } => write!(f, "message {id}"),
            Self::Outside { at } => write!(f, "what was answered at {at}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is violated", self.invariant)?;
        if let Some(order) = &self.order {
            write!(f, " by order {order}")?;
        }
        write!(f, ": {}", self.what)?;
        for (number, fact) in self.facts.iter().enumerate() {
            let joint = if number == 0 { "; see " } else { ", " };
            write!(f, "{joint}{fact}")?;
        }
        if let Some(seed) = self.seed {
            write!(f, "; seed {seed:#x}")?;
        }
        f.write_str(".")
    }
}
