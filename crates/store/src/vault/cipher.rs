//! AES-256-GCM under a key of the order's own, bound to the order, the field and the key's name.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keys::MasterKey;

/// 96 random bits. A key seals the few records of one order, so two never meet.
pub(super) type Nonce = [u8; 12];

/// What a ciphertext belongs to.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) order: Uuid,
    pub(super) field: &'a str,
    pub(super) key_name: &'a str,
}

/// The bytes do not open under this key in this place.
#[derive(Debug)]
pub(super) struct NotAuthentic;

impl Context<'_> {
    /// Ciphertext and tag.
    pub(super) fn seal(
        self,
        key: &MasterKey,
        nonce: &Nonce,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, NotAuthentic> {
        // Room for the tag, so that the plaintext is never left behind by a move.
        let mut buffer = Zeroizing::new(Vec::with_capacity(plaintext.len() + 16));
        buffer.extend_from_slice(plaintext);
        let cipher = self.cipher(key)?;
        let sealed = cipher.encrypt_in_place(nonce.into(), &self.associated(), &mut *buffer);
        sealed.map_err(|_| NotAuthentic)?;
        Ok(std::mem::take(&mut *buffer))
    }

    /// The plaintext of what [`seal`](Self::seal) made.
    pub(super) fn open(
        self,
        key: &MasterKey,
        nonce: &Nonce,
        sealed: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
        let mut buffer = Zeroizing::new(sealed);
        let cipher = self.cipher(key)?;
        let opened = cipher.decrypt_in_place(nonce.into(), &self.associated(), &mut *buffer);
        opened.map_err(|_| NotAuthentic)?;
        Ok(buffer)
    }

    fn cipher(self, key: &MasterKey) -> Result<Aes256Gcm, NotAuthentic> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).map_err(|_| NotAuthentic)?;
        mac.update(b"issuance vault 1 data key\n");
        mac.update(self.order.to_string().as_bytes());
        let data_key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        Aes256Gcm::new_from_slice(&*data_key).map_err(|_| NotAuthentic)
    }

    /// No part can hold a newline, so two different contexts never spell the same.
    fn associated(self) -> Vec<u8> {
        let Self {
            order,
            field,
            key_name,
        } = self;
        format!("issuance vault 1\n{order}\n{field}\n{key_name}").into_bytes()
    }
}
