//! Proofs that something was written by whoever has the master key, for what is no secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::keys::MasterKey;
use super::sealer::Sealer;
use crate::body_digest::BodyKey;

impl Sealer {
    /// A proof of `text` under the current key: the key's name, and hexadecimal digits.
    pub(crate) fn attest(&self, text: &str) -> Result<(String, String), VaultError> {
        let (name, key) = self.current()?;
        let tag = mac(&key, text).map(|mac| hex::encode(mac.finalize().into_bytes()));
        Ok((name, tag.unwrap_or_default()))
    }

    /// What digests webhooks' bodies under the current key. Held by whoever digests, so that no webhook waits for a key.
    pub(crate) fn body_key(&self) -> Result<BodyKey, VaultError> {
        let (name, key) = self.current()?;
        // A key's length fits any HMAC.
        let key = derived(&key, b"issuance vault 1 body digest key\n").unwrap_or_default();
        Ok(BodyKey::new(name, key))
    }

    /// Whether `proof` is one of `text` under the key of this name.
    pub(crate) fn attests(&self, text: &str, name: &str, proof: &str) -> Result<bool, VaultError> {
        let (key, tag) = (self.key(name)?, hex::decode(proof).unwrap_or_default());
        Ok(mac(&key, text).is_some_and(|mac| mac.verify_slice(&tag).is_ok()))
    }
}

/// Under a key of its own, which seals nothing.
fn mac(key: &MasterKey, text: &str) -> Option<Hmac<Sha256>> {
    let derived = derived(key, b"issuance vault 1 attestation key\n")?;
    let mac = Hmac::<Sha256>::new_from_slice(&*derived).ok()?;
    Some(mac.chain_update(text.as_bytes()))
}

fn derived(key: &MasterKey, purpose: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mac = Hmac::<Sha256>::new_from_slice(key.bytes()).ok()?;
    let derived = mac.chain_update(purpose).finalize().into_bytes();
    Some(Zeroizing::new(derived.into()))
}
