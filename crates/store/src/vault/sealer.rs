//! Encrypts values on the caller's thread, so that the committer only copies bytes.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::cipher::{Context, Nonce};
use super::error::VaultError;
use super::file;
use super::keys::MasterKey;
use super::record::Content;
use super::shared::Shared;
use crate::journal::append::Fault;
use crate::journal::disk::{is_full, write_full};
use crate::journal::hash::ChainHash;

/// Larger values go to a file of their own. In the vault's own tests they are smaller: those seal thousands.
pub const INLINE_MAX: usize = if cfg!(test) { 24 << 10 } else { 64 << 10 };
/// The largest value the vault takes.
pub const SEALED_MAX: usize = 32 << 20;
const NAME_MAX: usize = 200;

/// A value that is encrypted and not stored yet. If it is dropped, a file it may have is removed at the
/// next open.
#[derive(Clone)]
pub struct Sealed {
    pub(super) order: Uuid,
    pub(super) field: String,
    pub(super) key: String,
    pub(super) nonce: Nonce,
    pub(super) content: Content,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("order", &self.order)
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

/// Seals values for one vault. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct Sealer {
    shared: Arc<Shared>,
}

impl Sealer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Encrypts under the current key. A value larger than [`INLINE_MAX`] is written to a file here and
    /// synced, file and name, before this returns; that blocks.
    pub fn seal(&self, order: Uuid, field: &str, plaintext: &[u8]) -> Result<Sealed, VaultError> {
        check_name("field", field, NAME_MAX)?;
        if plaintext.len() > SEALED_MAX {
            return Err(VaultError::TooLarge {
                bytes: plaintext.len(),
            });
        }
        let (key, master) = self.current()?;
        let nonce: Nonce = random()?;
        let context = Context {
            order,
            field,
            key_name: &key,
        };
        let sealed = context.seal(&master, &nonce, plaintext);
        let sealed = sealed.map_err(|_| VaultError::TooLarge {
            bytes: plaintext.len(),
        })?;
        let content = if plaintext.len() > INLINE_MAX {
            self.store(&sealed)?
        } else {
            Content::Inline(sealed)
        };
        Ok(Sealed {
            order,
            field: field.into(),
            key,
            nonce,
            content,
        })
    }

    /// The key new records are sealed with, and its name.
    pub(super) fn current(&self) -> Result<(String, MasterKey), VaultError> {
        let name = self.shared.keys.current()?;
        check_name("key", &name, 64)?;
        let key = self.shared.master_key(&name)?;
        Ok((name, key))
    }

    pub(super) fn key(&self, name: &str) -> Result<MasterKey, VaultError> {
        self.shared.master_key(name)
    }

    fn store(&self, sealed: &[u8]) -> Result<Content, VaultError> {
        self.shared.refuse_if_poisoned()?;
        let disk = &self.shared.disk;
        let name = file::sealed(random()?);
        let fault = |source| {
            if is_full(&source) {
                Fault::Full(source)
            } else {
                Fault::Broken(source)
            }
        };
        let file = disk
            .create(&name)
            .map_err(|source| self.shared.fail("create", &name, Fault::of_create(source)))?;
        if let Err(source) = write_full(&*file, sealed, 0) {
            // Left behind, it would be swept at the next open; the room is wanted now.
            let _ = disk.remove(&name);
            return Err(self.shared.fail("write", &name, fault(source)));
        }
        let synced = file.sync().and_then(|()| disk.sync());
        synced.map_err(|source| self.shared.fail("sync", &name, Fault::Broken(source)))?;
        Ok(Content::File {
            name,
            digest: ChainHash::of(sealed),
        })
    }
}

fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(VaultError::Random)?;
    Ok(bytes)
}

/// Names stand in records as they are, without escapes.
fn check_name(what: &'static str, name: &str, max: usize) -> Result<(), VaultError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if name.is_empty() || name.len() > max || !name.bytes().all(plain) {
        return Err(VaultError::Name {
            what,
            name: name.chars().take(max).collect(),
        });
    }
    Ok(())
}
