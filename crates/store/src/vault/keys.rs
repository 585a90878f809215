//! Master keys: who has them is the host's affair.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// Where master keys come from. Asked for every record sealed or opened, so an answer that is dear to get
/// should be kept by the provider.
pub trait Keys: fmt::Debug + Send + Sync {
    /// The name of the key new records are sealed with: 1 to 64 ASCII letters, digits, `-`, `_` or `.`.
    fn current(&self) -> Result<String, KeyError>;
    /// The key of that name; `None` when it is not known (any more).
    fn master_key(&self, name: &str) -> Result<Option<MasterKey>, KeyError>;
}

/// A key could not be fetched.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch the vault's master key")]
pub struct KeyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// 32 secret bytes, wiped when dropped.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// From 64 hexadecimal digits, as key files and environment variables hold it.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *bytes).ok()?;
        Some(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Keys in memory: one current, and older ones that still open what they sealed.
#[derive(Clone, Debug)]
pub struct Keyring {
    current: String,
    keys: BTreeMap<String, MasterKey>,
}

impl Keyring {
    /// With one key, which seals.
    pub fn new(name: impl Into<String>, key: MasterKey) -> Self {
        let current = name.into();
        Self {
            keys: BTreeMap::from([(current.clone(), key)]),
            current,
        }
    }

    /// And one more that only opens.
    #[must_use]
    pub fn with_old(mut self, name: impl Into<String>, key: MasterKey) -> Self {
        self.keys.entry(name.into()).or_insert(key);
        self
    }
}

impl Keys for Keyring {
    fn current(&self) -> Result<String, KeyError> {
        Ok(self.current.clone())
    }

    fn master_key(&self, name: &str) -> Result<Option<MasterKey>, KeyError> {
        Ok(self.keys.get(name).cloned())
    }
}
