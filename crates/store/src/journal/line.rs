//! One event as one line of JSON, and back. The shape is described in `docs/journal.md`.

use std::borrow::Cow;
use std::io::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Damage, Invalid};
use super::hash::{ChainHash, SEAL_LEN, seal_line, sealed_hash};

/// No line is longer than this, newline included. Large and personal things lie in the vault.
pub const MAX_LINE: usize = 1 << 20;

/// No log gets there; beyond it counting on would not be safe.
const POSITION_MAX: u64 = u64::MAX >> 1;

/// An event as the journal takes it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The stream the event belongs to, such as `order/<uuid>`.
    pub stream: Cow<'a, str>,
    /// Its version in that stream, from 1. The journal stores it and does not judge it.
    pub version: u64,
    /// The stored name of the event.
    pub name: Cow<'a, str>,
    /// The schema number of the body.
    pub schema: u16,
    /// When it was recorded, RFC 3339.
    pub recorded_at: Cow<'a, str>,
    /// The event itself, JSON on one line.
    pub body: Cow<'a, RawValue>,
    /// The inbox message this append settles.
    pub message: Option<Cow<'a, str>>,
}

/// Events that become durable together or not at all. At least one.
pub type Batch<'a> = Vec<Entry<'a>>;

/// A line as it lies in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line<'a> {
    pub(crate) position: u64,
    #[serde(borrow)]
    pub(crate) stream: Cow<'a, str>,
    pub(crate) version: u64,
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    pub(crate) schema: u16,
    #[serde(borrow)]
    pub(crate) recorded_at: Cow<'a, str>,
    /// Every line before this one was durable before this one was written.
    #[serde(default, rename = "barrier")]
    _barrier: bool,
    #[serde(default = "one")]
    pub(crate) part: u32,
    #[serde(default = "one")]
    pub(crate) parts: u32,
    #[serde(default)]
    pub(crate) message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) body: &'a RawValue,
    #[serde(deserialize_with = "hash")]
    pub(crate) prev: ChainHash,
    #[serde(deserialize_with = "hash")]
    pub(crate) hash: ChainHash,
}

/// A line whose keys stand as [`encode`] puts them and whose texts need no escapes, in a quarter of the time of any JSON.
/// What it reads, the JSON reader would read the same; what it does not, is for that to judge.
pub(super) fn as_written(bytes: &[u8], hash: ChainHash) -> Option<Line<'_>> {
    let mut rest = Rest(bytes);
    let position = rest.expect(b"{\"position\":")?.number()?;
    let stream = rest.expect(b",\"stream\":\"")?.text()?;
    let version = rest.expect(b",\"version\":")?.number()?;
    let name = rest.expect(b",\"name\":\"")?.text()?;
    let schema = rest.expect(b",\"schema\":")?.number()?.try_into().ok()?;
    let recorded_at = rest.expect(b",\"recorded_at\":\"")?.text()?;
    let _barrier = rest.expect(b",\"barrier\":true").is_some();
    let (mut part, mut parts) = (1, 1);
    if rest.expect(b",\"part\":").is_some() {
        part = rest.number()?.try_into().ok()?;
        parts = rest.expect(b",\"parts\":")?.number()?.try_into().ok()?;
    }
    let mut message = None;
    if rest.expect(b",\"message\":\"").is_some() {
        message = Some(Cow::Borrowed(rest.text()?));
    }
    rest.expect(b",\"body\":")?;
    let (rest, _) = rest
        .0
        .split_at_checked(rest.0.len().checked_sub(SEAL_LEN)?)?;
    let (rest, prev) = rest.split_at_checked(rest.len().checked_sub(PREV_LEN)?)?;
    let prev = prev.strip_prefix(PREV_MARK)?.strip_suffix(b"\"")?;
    // Proves that it is one value and no more.
    let body: &RawValue = serde_json::from_slice(rest).ok()?;
    Some(Line {
        position,
        stream: Cow::Borrowed(stream),
        version,
        name: Cow::Borrowed(name),
        schema,
        recorded_at: Cow::Borrowed(recorded_at),
        _barrier,
        part,
        parts,
        message,
        body,
        prev: ChainHash::from_hex(prev)?,
        hash,
    })
}

const PREV_MARK: &[u8] = b",\"prev\":\"";
const PREV_LEN: usize = PREV_MARK.len() + 64 + 1;

/// What of a line is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn expect(&mut self, text: &[u8]) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(text)?;
        Some(self)
    }

    /// As JSON writes it: no zero in front.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.0.split_at(digits.count());
        self.0 = rest;
        if digits.is_empty() || digits.len() > 19 || digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        let value = |sum: u64, digit: &u8| sum * 10 + u64::from(digit - b'0');
        Some(digits.iter().fold(0, value))
    }

    /// To the closing quote.
    fn text(&mut self) -> Option<&'a str> {
        let count = self.0.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at(count);
        self.0 = &rest[1..];
        let plain = |byte: &u8| (b' '..0x7f).contains(byte) && *byte != b'\\';
        text.iter().all(plain).then_some(())?;
        std::str::from_utf8(text).ok()
    }
}

const fn one() -> u32 {
    1
}

fn hash<'de, D: serde::Deserializer<'de>>(from: D) -> Result<ChainHash, D::Error> {
    let digits = <Cow<'de, str>>::deserialize(from)?;
    ChainHash::from_hex(digits.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a hash"))
}

/// Reads a line without its newline. The hash comes first: nothing else of a changed line is believed.
pub(crate) fn parse(bytes: &[u8]) -> Result<Line<'_>, Damage> {
    let hash = sealed_hash(bytes).ok_or(Damage::Hash)?;
    let line = match as_written(bytes, hash) {
        Some(line) => line,
        // Another writer's, or texts with escapes.
        None => serde_json::from_slice(bytes).map_err(|_| Damage::Shape)?,
    };
    let counted = (1..=POSITION_MAX).contains(&line.position);
    if line.hash != hash || !counted || line.part == 0 || line.part > line.parts {
        return Err(Damage::Shape);
    }
    Ok(line)
}

/// The position a line claims, read from its first bytes without checking anything.
pub(crate) fn claimed_position(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.strip_prefix(b"{\"position\":")?;
    let end = digits.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// Where a line stands in the log.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) prev: ChainHash,
    pub(crate) barrier: bool,
    pub(crate) part: u32,
    pub(crate) parts: u32,
}

/// Adds the line to `buffer`; on an error the buffer is as it was.
pub(crate) fn encode(
    entry: &Entry<'_>,
    place: Place,
    buffer: &mut Vec<u8>,
) -> Result<ChainHash, Invalid> {
    let from = buffer.len();
    let written = put(entry, place, buffer)
        .map_err(|_| Invalid::Text)
        .and_then(|()| {
            let hash = seal_line(buffer, from);
            if buffer.len() - from > MAX_LINE {
                Err(Invalid::TooLong { max: MAX_LINE })
            } else {
                Ok(hash)
            }
        });
    if written.is_err() {
        buffer.truncate(from);
    }
    written
}

fn put(entry: &Entry<'_>, place: Place, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let io = serde_json::Error::io;
    write!(out, "{{\"position\":{},\"stream\":", place.position).map_err(io)?;
    serde_json::to_writer(&mut *out, &entry.stream)?;
    write!(out, ",\"version\":{},\"name\":", entry.version).map_err(io)?;
    serde_json::to_writer(&mut *out, &entry.name)?;
    write!(out, ",\"schema\":{},\"recorded_at\":", entry.schema).map_err(io)?;
    serde_json::to_writer(&mut *out, &entry.recorded_at)?;
    if place.barrier {
        out.extend_from_slice(b",\"barrier\":true");
    }
    if place.parts > 1 {
        write!(out, ",\"part\":{},\"parts\":{}", place.part, place.parts).map_err(io)?;
    }
    if let Some(message) = &entry.message {
        out.extend_from_slice(b",\"message\":");
        serde_json::to_writer(&mut *out, message)?;
    }
    out.extend_from_slice(b",\"body\":");
    out.extend_from_slice(entry.body.get().as_bytes());
    out.extend_from_slice(b",\"prev\":\"");
    out.extend_from_slice(&place.prev.to_hex());
    out.push(b'"');
    Ok(())
}

/// Refuses what could not be read back as one line.
pub(crate) fn check(entry: &Entry<'_>) -> Result<(), Invalid> {
    // Inside JSON strings control characters are escaped, so any here stands between tokens.
    if entry.body.get().bytes().any(|byte| byte < b' ') {
        return Err(Invalid::Body);
    }
    if entry.stream.is_empty() || entry.name.is_empty() {
        return Err(Invalid::Name);
    }
    Ok(())
}
