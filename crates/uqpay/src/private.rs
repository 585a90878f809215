//! Text that must not reach a log: personal data, IDV links, provider messages that may quote either.
//!
//! `Debug` prints a mask, the memory is wiped on drop, and there is no `Display`: whoever wants the text says so.

use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// A piece of text whose `Debug` is a mask.
///
/// It does implement `Serialize`, in clear, because request bodies carry it: serialize it into nothing else.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Private(Zeroizing<String>);

impl Private {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Private {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}
