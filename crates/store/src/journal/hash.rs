//! The chain: each line's hash covers its bytes, and its bytes name the hash before it.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 of a line's bytes up to `,"hash":`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// What the first line of a log names as the hash before it.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits; one hash has one spelling.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        // Every line has three of them to be read: by a table, and judged once at the end.
        let (mut bytes, mut seen) = ([0; 32], 0);
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
            seen |= high | low;
            *byte = high << 4 | low;
        }
        (seen < NO_DIGIT).then_some(Self(bytes))
    }

    /// Its 64 digits.
    pub(crate) fn to_hex(self) -> [u8; 64] {
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// What a byte is worth as a digit; [`NO_DIGIT`] has a bit that no value has.
const VALUES: [u8; 256] = {
    let (mut values, mut value) = ([NO_DIGIT; 256], 0);
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};
const NO_DIGIT: u8 = 16;

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_hex()))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a log: how many events it holds and the hash that stands for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Position of the last event; 0 when there is none.
    pub position: u64,
    /// Its hash; [`ChainHash::GENESIS`] when there is none.
    pub hash: ChainHash,
}

impl Head {
    /// The head of a log without events.
    pub const EMPTY: Self = Self {
        position: 0,
        hash: ChainHash::GENESIS,
    };
}

const HASH_MARK: &[u8] = b",\"hash\":\"";
const LINE_END: &[u8] = b"\"}";
/// What a line ends with, its hash in it.
pub(super) const SEAL_LEN: usize = HASH_MARK.len() + 64 + LINE_END.len();

/// Ends an open JSON object in `line[from..]` with its own hash, and the line with a newline.
pub(crate) fn seal_line(line: &mut Vec<u8>, from: usize) -> ChainHash {
    let hash = ChainHash::of(&line[from..]);
    line.extend_from_slice(HASH_MARK);
    line.extend_from_slice(&hash.to_hex());
    line.extend_from_slice(LINE_END);
    line.push(b'\n');
    hash
}

/// The hash a line (without its newline) ends with, if its bytes are the ones that were hashed.
pub(crate) fn sealed_hash(line: &[u8]) -> Option<ChainHash> {
    let (covered, seal) = line.split_at_checked(line.len().checked_sub(SEAL_LEN)?)?;
    let digits = seal.strip_prefix(HASH_MARK)?.strip_suffix(LINE_END)?;
    ChainHash::from_hex(digits).filter(|hash| *hash == ChainHash::of(covered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = ChainHash::of(b"a line");
        let text = hash.to_hex();
        assert_eq!(ChainHash::from_hex(&text), Some(hash));
        assert_eq!(ChainHash::from_hex(&text[1..]), None);
        assert_eq!(ChainHash::from_hex(&[&text[..], b"0"].concat()), None);
        // Any other byte at any place, and nothing else is a digit than what is written.
        for place in 0..64 {
            for byte in 0..=u8::MAX {
                let mut other = text;
                other[place] = byte;
                let read = ChainHash::from_hex(&other);
                assert_eq!(read.is_some(), DIGITS.contains(&byte), "{byte:#x}");
                assert_eq!(read == Some(hash), byte == text[place], "{byte:#x}");
            }
        }
    }
}
