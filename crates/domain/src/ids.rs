//! Names of things. Every id that crosses the edge is a type of its own, bounded and free of control characters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::text;

/// An id or word from outside that we refuse, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {max} visible ASCII characters")]
pub struct InvalidId {
    /// Which kind of id it was meant to be.
    pub what: &'static str,
    /// The most characters it may have.
    pub max: usize,
}

/// The host's own word stays as it is.
fn as_given(text: &str) -> Arc<str> {
    text.into()
}

/// A UUID is the same in either case and is written in lower case (RFC 9562 §4); any other id is what it says.
fn one_case(text: &str) -> Arc<str> {
    // Nothing else of this length is one.
    if text.len() != 36 {
        return text.into();
    }
    match Uuid::try_parse(text) {
        Ok(id) => (&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer())).into(),
        Err(_) => text.into(),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $written:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
                if text.is_empty() || text.len() > $max || !visible {
                    return Err(InvalidId { what: $what, max: $max });
                }
                Ok(Self($written(text)))
            }
        }


        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::parse(deserializer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

text_id!(
    /// The host's own name for an order, unique per account. Not a place for personal data: it stands in the log.
    Reference, "reference", 128, as_given
);
text_id!(
    /// The provider's sub-account an order is placed on behalf of (contract §1.4, `x-on-behalf-of`).
    Account, "account", 64, one_case
);
text_id!(
    /// The provider's card product (contract §2.1).
    ProductId, "product id", 64, one_case
);
text_id!(
    /// The provider's card (contract §2.2).
    CardId, "card id", 64, one_case
);
text_id!(
    /// The provider's cardholder (contract §2.3).
    CardholderId, "cardholder id", 64, one_case
);
text_id!(
    /// The provider's *card order*, which is not our order (contract §2.6).
    CardOrderId, "card order id", 64, one_case
);
text_id!(
    /// A webhook's `event_id`, the name of one inbox message (contract §5.2).
    MessageId, "event id", 128, one_case
);

/// One order: one stream of events, one saga, at most one card. A UUID v7, so that ids sort by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub Uuid);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrderId({})", self.0.hyphenated())
    }
}

impl FromStr for OrderId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId {
            what: "order id",
            max: 36,
        })
    }
}

/// How many events an order has; the version of its newest event. The first event is version 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// Before the first event.
    pub const NONE: Self = Self(0);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A keyed digest (hex) of something personal. The key is a random salt that lies in the vault, so the digest says
/// nothing once the vault's record is erased.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub Box<str>);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_of_the_provider_is_one_id_in_either_case() {
        let lower = "d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946";
        let upper = lower.to_uppercase();
        assert_eq!(upper.parse::<CardId>(), lower.parse());
        assert_eq!(
            serde_json::from_str::<CardholderId>(&format!("\"{upper}\""))
                .unwrap()
                .as_str(),
            lower
        );
        for other in [
            "Card_7",
            "D1E4A2B76C054F88B9E35A1C7D20F946",
            &format!("{upper}0"),
        ] {
            assert_eq!(other.parse::<CardId>().unwrap().as_str(), other);
        }
        assert_eq!(upper.parse::<Reference>().unwrap().as_str(), upper);
    }
}
