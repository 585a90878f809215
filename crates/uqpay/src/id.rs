//! The provider's identifiers: opaque, bounded, and safe as one path segment or header value.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::read;

/// Longest identifier accepted; the provider's are UUIDs of 36 characters.
const MAX_LEN: usize = 64;

/// The text is not an identifier: empty, too long, or with a character other than ASCII letters, digits, `-`, `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a provider identifier: want 1 to {MAX_LEN} ASCII letters, digits, '-' or '_'")]
pub struct InvalidId;

fn checked(text: &str) -> Result<String, InvalidId> {
    // The same in either case (RFC 9562 §4), so that two of them are compared as they stand.
    if let (36, Ok(id)) = (text.len(), Uuid::try_parse(text)) {
        return Ok(id.hyphenated().to_string());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(1..=MAX_LEN).contains(&text.len()) || !text.bytes().all(allowed) {
        return Err(InvalidId);
    }
    Ok(text.to_owned())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an identifier as the provider wrote it; a UUID is put in lower case.
            ///
            /// # Errors
            /// [`InvalidId`] when it could not stand as one path segment.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                checked(text).map(Self)
            }

            /// The identifier.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
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

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read::parsed(deserializer)
            }
        }
    };
}

id!(
    /// `card_id`.
    CardId
);
id!(
    /// `card_order_id`; the provider's own order, not the host's.
    CardOrderId
);
id!(
    /// `cardholder_id`.
    CardholderId
);
id!(
    /// `product_id` of a product, `card_product_id` of a card.
    ProductId
);
id!(
    /// `account_id` of an issuing sub-account, sent as `x-on-behalf-of`; never empty by construction (contract §1.4).
    AccountId
);
id!(
    /// `event_id` of a webhook: the de-duplication key (contract §5.2).
    EventId
);
