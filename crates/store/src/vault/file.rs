//! Names of the vault's files.

use std::io;

use super::error::VaultError;

const TEMPORARY: &str = "vault.tmp";

/// What a name in the vault's directory stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A file of records.
    Records(u32),
    /// One large value.
    Sealed(String),
    /// What an open needs to know of the file of records of this number.
    Hint(u32),
    /// Left by a compaction that did not end.
    Temporary,
    Other,
}

pub(super) fn records(number: u32) -> String {
    format!("vault-{number:010}.jsonl")
}

pub(super) fn hint(number: u32) -> String {
    format!("hint-{number:010}")
}

pub(super) fn sealed(id: [u8; 16]) -> String {
    format!("sealed-{}", hex::encode(id))
}

pub(super) const fn temporary() -> &'static str {
    TEMPORARY
}

impl Name {
    pub(crate) fn of(name: &str) -> Self {
        if name == TEMPORARY {
            return Self::Temporary;
        }
        if let Some(number) = name
            .strip_prefix("hint-")
            .and_then(|digits| digits.parse().ok())
            && hint(number) == name
        {
            return Self::Hint(number);
        }
        let number = name
            .strip_prefix("vault-")
            .and_then(|rest| rest.strip_suffix(".jsonl"));
        match number.and_then(|digits| digits.parse().ok()) {
            Some(number) if records(number) == name => Self::Records(number),
            _ if is_sealed(name) => Self::Sealed(name.into()),
            _ => Self::Other,
        }
    }
}

/// Whether a record may name this file: nothing but our own form, so that no record can point elsewhere.
pub(super) fn is_sealed(name: &str) -> bool {
    let digits = name.strip_prefix("sealed-");
    digits.is_some_and(|id| {
        id.len() == 32
            && id
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

pub(super) fn io_error(action: &'static str, file: &str, source: io::Error) -> VaultError {
    VaultError::Io {
        action,
        file: file.into(),
        source,
    }
}
