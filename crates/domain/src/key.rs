//! Idempotency keys: the name of one intended effect.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::ids::OrderId;

/// What a call to the provider is for. A key belongs to (order, purpose, generation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Create the card (contract §2.2).
    CreateCard,
    /// Ask for a fresh identity-check link (contract §2.4, §7).
    RenewIdvLink,
    /// Cancel the card: the saga's compensation (contract §2.7).
    CancelCard,
}

impl Purpose {
    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateCard => "create_card",
            Self::RenewIdvLink => "renew_idv_link",
            Self::CancelCard => "cancel_card",
        }
    }
}

/// Counts the keys an order has used for one purpose, from 1. A new one only after a definite refusal or proof of
/// absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lower-case, v4-shaped UUID (contract §1.5), the same for the same (order, purpose, generation) for ever, so that
/// a replay after any loss of memory sends the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(pub Uuid);

impl IdempotencyKey {
    /// Derives the key of one intended effect.
    #[must_use]
    pub fn derive(order: OrderId, purpose: Purpose, generation: Generation) -> Self {
        let hash = Sha256::new()
            .chain_update(b"issuance idempotency key 1\0")
            .chain_update(order.0.as_bytes())
            .chain_update(purpose.name())
            .chain_update([0])
            .chain_update(generation.0.to_be_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivation is part of the stored format: changing it would send a second key for an order in flight.
    #[test]
    fn is_stable_and_v4_shaped() {
        let order = OrderId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));
        let key = IdempotencyKey::derive(order, Purpose::CreateCard, Generation(1));
        assert_eq!(key.to_string(), "58e7dca6-3a48-4147-b6cf-fdf6831584d3");
        assert_eq!(key.0.get_version_num(), 4);
        assert_ne!(
            key,
            IdempotencyKey::derive(order, Purpose::CreateCard, Generation(2))
        );
        assert_ne!(
            key,
            IdempotencyKey::derive(order, Purpose::CancelCard, Generation(1))
        );
    }
}
