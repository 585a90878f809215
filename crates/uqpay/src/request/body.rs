//! The exact bytes of a request.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

/// The exact bytes of a request, wiped on drop; `Debug` prints their number only.
///
/// Made by a request's `to_bytes`, or from stored bytes for a replay.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// Takes stored bytes back for a replay; they are sent as they are.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. They hold personal data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[expect(
        clippy::expect_used,
        reason = "writing text-keyed structs to memory cannot fail"
    )]
    pub(super) fn of(request: &impl Serialize) -> Self {
        Self::from_bytes(
            serde_json::to_vec(request).expect("requests have text keys and no failing fields"),
        )
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}
