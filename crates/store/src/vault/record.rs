//! One record as one line of JSON, and back. The shape is described in `docs/journal.md`.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use uuid::Uuid;

use super::cipher::Nonce;
use super::file;
use super::sealer::Sealed;
use crate::journal::Damage;
use crate::journal::hash::{ChainHash, seal_line, sealed_hash};

/// What can be done to the vault.
#[derive(Clone, Debug)]
pub enum Change {
    /// Store a sealed value; it takes the place of an earlier one of the same order and field.
    Put(Sealed),
    /// Forget everything stored of this order before. Physical after compaction.
    Erase(Uuid),
}

/// Where the ciphertext is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// In the record.
    Inline(Vec<u8>),
    /// In a file of its own, with this SHA-256.
    File { name: String, digest: ChainHash },
}

/// A record as it was read.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Sealed(SealedRecord<'a>),
    Erased { order: Uuid },
}

#[derive(Debug)]
pub(super) struct SealedRecord<'a> {
    pub(super) order: Uuid,
    pub(super) field: Cow<'a, str>,
    pub(super) key: Cow<'a, str>,
    pub(super) nonce: Nonce,
    pub(super) content: RawContent<'a>,
}

/// As [`Content`], not decoded yet.
#[derive(Debug)]
pub(super) enum RawContent<'a> {
    Inline(Cow<'a, str>),
    File {
        name: Cow<'a, str>,
        digest: ChainHash,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    order: Uuid,
    #[serde(borrow, default)]
    field: Option<Cow<'a, str>>,
    #[serde(default, rename = "barrier")]
    _barrier: bool,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nonce: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sealed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    file: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    digest: Option<Cow<'a, str>>,
    #[serde(default)]
    erased: bool,
    #[serde(rename = "hash")]
    _hash: &'a str,
}

/// Reads a line without its newline.
pub(super) fn parse(bytes: &[u8]) -> Result<Record<'_>, Damage> {
    sealed_hash(bytes).ok_or(Damage::Hash)?;
    let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|_| Damage::Shape)?;
    wire.record().ok_or(Damage::Shape)
}

impl<'a> Wire<'a> {
    fn record(self) -> Option<Record<'a>> {
        let order = self.order;
        if self.erased {
            return Some(Record::Erased { order });
        }
        let mut nonce = [0; 12];
        hex::decode_to_slice(self.nonce?.as_bytes(), &mut nonce).ok()?;
        let content = match (self.sealed, self.file, self.digest) {
            (Some(sealed), None, None) => RawContent::Inline(sealed),
            (None, Some(name), Some(digest)) if file::is_sealed(&name) => RawContent::File {
                name,
                digest: ChainHash::from_hex(digest.as_bytes())?,
            },
            _ => return None,
        };
        let (field, key) = (self.field?, self.key?);
        Some(Record::Sealed(SealedRecord {
            order,
            field,
            key,
            nonce,
            content,
        }))
    }
}

/// What a line that is damaged somewhere else was about: the order, and its field unless it was an erasure.
pub(super) fn identify(bytes: &[u8]) -> Option<(Uuid, Option<&str>)> {
    let rest = bytes.strip_prefix(b"{\"order\":\"")?;
    let (order, rest) = rest.split_at_checked(36)?;
    let order = Uuid::try_parse_ascii(order).ok()?;
    let erasure = [
        &b"\",\"erased\":true"[..],
        b"\",\"barrier\":true,\"erased\":true",
    ];
    if erasure.iter().any(|start| rest.starts_with(start)) {
        return Some((order, None));
    }
    let field = rest
        .strip_prefix(b"\",\"field\":\"")?
        .split(|byte| *byte == b'"')
        .next()?;
    Some((order, Some(std::str::from_utf8(field).ok()?)))
}

pub(super) fn decode_inline(text: &str) -> Result<Vec<u8>, Damage> {
    BASE64.decode(text).map_err(|_| Damage::Shape)
}

/// Adds the record as a line. All texts in it are checked to need no escapes.
pub(super) fn encode(change: &Change, barrier: bool, out: &mut Vec<u8>) -> std::io::Result<()> {
    let from = out.len();
    let barrier = if barrier { ",\"barrier\":true" } else { "" };
    match change {
        Change::Erase(order) => write!(out, "{{\"order\":\"{order}\"{barrier},\"erased\":true")?,
        Change::Put(Sealed {
            order,
            field,
            key,
            nonce,
            content,
        }) => {
            let nonce = hex::encode(nonce);
            write!(
                out,
                "{{\"order\":\"{order}\",\"field\":\"{field}\"{barrier},\"key\":\"{key}\",\"nonce\":\"{nonce}\""
            )?;
            match content {
                Content::Inline(sealed) => {
                    write!(out, ",\"sealed\":\"{}\"", BASE64.encode(sealed))?;
                }
                Content::File { name, digest } => {
                    write!(out, ",\"file\":\"{name}\",\"digest\":\"{digest}\"")?;
                }
            }
        }
    }
    seal_line(out, from);
    Ok(())
}
