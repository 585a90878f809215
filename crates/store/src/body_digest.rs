//! Digests of webhooks' bodies, as the log has them: keyed, so that nobody without the store's key can try what a body said.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a keyed digest begins with; the key's name and the digits follow. Older logs have plain SHA-256 digits.
const KEYED: &str = "hmac:";

/// Makes digests.
pub(crate) struct BodyKey {
    name: Box<str>,
    key: Zeroizing<[u8; 32]>,
}

impl BodyKey {
    pub(crate) fn new(name: impl Into<Box<str>>, key: Zeroizing<[u8; 32]>) -> Self {
        Self {
            name: name.into(),
            key,
        }
    }

    pub(crate) fn digest(&self, body: &[u8]) -> Box<str> {
        // The key's length is fixed, and HMAC takes any.
        let tag = Hmac::<Sha256>::new_from_slice(&*self.key)
            .map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes()));
        format!("{KEYED}{}:{}", self.name, tag.unwrap_or_default()).into()
    }
}

impl std::fmt::Debug for BodyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BodyKey").field(&self.name).finish()
    }
}

/// Whether two digests are of different bodies. Under different keys, or with and without one, they tell nothing.
pub(crate) fn differ(one: &str, other: &str) -> bool {
    key_of(one) == key_of(other) && one != other
}

fn key_of(digest: &str) -> Option<&str> {
    let (name, _) = digest.strip_prefix(KEYED)?.rsplit_once(':')?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_of_one_key_tell_bodies_apart() {
        let key = |name: &str, byte| BodyKey::new(name, Zeroizing::new([byte; 32]));
        let (one, two) = (key("k1", 1), key("k2", 2));
        assert_eq!(one.digest(b"a"), one.digest(b"a"));
        assert!(differ(&one.digest(b"a"), &one.digest(b"b")));
        assert!(!differ(&one.digest(b"a"), &one.digest(b"a")));
        assert!(!differ(&one.digest(b"a"), &two.digest(b"b")));
        // A log from before digests were keyed.
        assert!(differ("aa", "bb"));
        assert!(!differ("aa", &one.digest(b"a")));
        assert_ne!(one.digest(b"a"), key("k1", 2).digest(b"a"));
    }
}
