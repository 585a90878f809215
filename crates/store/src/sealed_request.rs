//! What the vault holds of a request: the personal part and the salt that keys every digest of the order.

use hmac::{Hmac, KeyInit, Mac};
use issuance_domain::{Digest, Personal};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::store::{Field, Sealing};

/// Thirty-two random bytes. Without them a digest in the log says nothing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(#[serde(with = "salt_hex")] Zeroizing<[u8; 32]>);

impl Salt {
    /// From random bytes; drawing them is the caller's.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// HMAC-SHA-256 over the bytes, as hex.
    #[must_use]
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        // The length is fixed, and HMAC takes any.
        let keyed =
            Hmac::<Sha256>::new_from_slice(&*self.0).map(|mac| mac.chain_update(bytes).finalize());
        let mut digits = [0; 64];
        let written = keyed.is_ok_and(|tag| {
            let tag = tag.into_bytes();
            hex::encode_to_slice(tag, &mut digits).is_ok()
        });
        let digits = str::from_utf8(&digits).ok().filter(|_| written);
        Digest(digits.unwrap_or_default().into())
    }
}

/// The sealed part of a request.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealedRequest {
    /// Keys the digests of this order.
    pub salt: Salt,
    /// The personal part.
    pub personal: Personal,
}

impl SealedRequest {
    /// What is left of an order that was erased: nothing. Good for calls whose body has nothing personal in it.
    #[must_use]
    pub fn erased() -> Self {
        Self {
            salt: Salt::new([0; 32]),
            personal: Personal::default(),
        }
    }

    /// Ready for the vault.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which its types rule out.
    pub fn seal(&self) -> Result<Sealing, serde_json::Error> {
        let plaintext = Zeroizing::new(serde_json::to_vec(self)?);
        Ok(Sealing {
            field: Field::Request,
            plaintext,
        })
    }

    /// Out of the vault.
    ///
    /// # Errors
    /// When it is not what [`Self::seal`] wrote.
    pub fn open(plaintext: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(plaintext)
    }

    /// Digest of the personal part: what the log remembers of it.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn personal_digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(self
            .salt
            .digest(&Zeroizing::new(serde_json::to_vec(&self.personal)?)))
    }
}

mod salt_hex {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        salt: &Zeroizing<[u8; 32]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(**salt)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<[u8; 32]>, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut salt = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.as_bytes(), &mut *salt).map_err(de::Error::custom)?;
        Ok(salt)
    }
}
