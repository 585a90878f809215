//! The signature: HMAC-SHA512 over the raw body and then the timestamp header as received (contract §5.6).
//!
//! There is no separator between the two, so digits can move from the body's end into the header. Ten or thirteen
//! digits exactly, the freshness window, and a body that must be one JSON object together leave no such split.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha512;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

const SIGNATURE_LEN: usize = 64;

/// A signing secret; two live at once while one is being replaced.
#[derive(Debug, Clone)]
pub struct WebhookSecret {
    /// As shown in the provider's dashboard.
    pub secret: SecretString,
    /// From this time on it no longer verifies; `None` while it is the current one.
    pub valid_until: Option<Timestamp>,
}

/// Checks who sent a webhook, and when.
#[derive(Debug, Clone)]
pub struct Verifier {
    secrets: Vec<WebhookSecret>,
    tolerance: Duration,
    max_body: usize,
}

/// Why a verifier cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidVerifier {
    /// No secret: everything would be refused.
    #[error("no webhook secret: configure at least one")]
    NoSecret,
    /// A secret that can be guessed; an empty one would let anybody sign.
    #[error(
        "webhook secret {index} is too short: want {} bytes or more",
        Verifier::MIN_SECRET
    )]
    ShortSecret {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// More secrets than a rotation needs; each costs a MAC per delivery, forged ones too.
    #[error("too many webhook secrets: want {} or fewer", Verifier::MAX_SECRETS)]
    TooManySecrets,
}

/// A body that a live secret has signed inside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The time in the signed header.
    pub sent_at: Timestamp,
}

/// Why a delivery is not accepted. Tell the sender nothing of it but the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejected {
    /// 413.
    #[error("body too large")]
    TooLarge,
    /// 401: not exactly one of each header.
    #[error("want exactly one signature and one timestamp header")]
    Headers,
    /// 401: the timestamp is not 10 or 13 digits, whatever the signature.
    #[error("timestamp header is malformed")]
    Timestamp,
    /// 401: the signature is malformed or no live secret made it.
    #[error("signature does not match")]
    Signature,
    /// 401: genuine, but outside the window. Use it as a hint to read, and no more (F-053); many of these with one
    /// skew mean that our clock is wrong (F-054).
    #[error("genuine but outside the window")]
    Stale(Verified),
}

impl Verifier {
    /// Header with the signature.
    pub const SIGNATURE_HEADER: &'static str = "x-wk-signature";
    /// Header with the time of sending.
    pub const TIMESTAMP_HEADER: &'static str = "x-wk-timestamp";
    /// Largest body accepted, unless told otherwise: 256 KiB (reliability §5.2). Theirs are a few KiB.
    pub const MAX_BODY: usize = 256 << 10;
    /// Shortest secret accepted, in bytes.
    pub const MIN_SECRET: usize = 16;
    /// Most secrets accepted.
    pub const MAX_SECRETS: usize = 8;

    /// Makes a verifier. `tolerance` is the window to either side, bounds included; 300 s is the provider's default,
    /// 900 s with de-duplication by event id survives retries that are not signed anew (contract §5.8).
    ///
    /// # Errors
    /// [`InvalidVerifier`] when a secret is missing or too short.
    pub fn new(secrets: Vec<WebhookSecret>, tolerance: Duration) -> Result<Self, InvalidVerifier> {
        if secrets.is_empty() {
            return Err(InvalidVerifier::NoSecret);
        }
        if secrets.len() > Self::MAX_SECRETS {
            return Err(InvalidVerifier::TooManySecrets);
        }
        let too_short =
            |entry: &WebhookSecret| entry.secret.expose_secret().trim().len() < Self::MIN_SECRET;
        if let Some(index) = secrets.iter().position(too_short) {
            return Err(InvalidVerifier::ShortSecret { index });
        }
        Ok(Self {
            secrets,
            tolerance,
            max_body: Self::MAX_BODY,
        })
    }

    /// The same verifier with another body limit, in bytes.
    #[must_use]
    pub fn with_max_body(self, max_body: usize) -> Self {
        Self { max_body, ..self }
    }

    /// The body limit, in bytes, for whoever reads the body off the wire.
    #[must_use]
    pub fn max_body(&self) -> usize {
        self.max_body
    }

    /// Verifies a delivery: every value of each header, and the body's bytes as they came.
    ///
    /// # Errors
    /// [`Rejected`], the same time whatever is wrong with the signature.
    pub fn verify<'h>(
        &self,
        signatures: impl IntoIterator<Item = &'h [u8]>,
        timestamps: impl IntoIterator<Item = &'h [u8]>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Verified, Rejected> {
        if body.len() > self.max_body {
            return Err(Rejected::TooLarge);
        }
        let signature = only(signatures).ok_or(Rejected::Headers)?;
        let timestamp = only(timestamps).ok_or(Rejected::Headers)?;
        let sent_at = sent_at(timestamp).ok_or(Rejected::Timestamp)?;
        // A malformed signature goes through the same work against a dummy and fails at the end.
        let (given, well_formed) = decode(signature);
        let matched = self.matches(&given, body, timestamp, now) & well_formed;
        if !bool::from(matched) {
            return Err(Rejected::Signature);
        }
        let verified = Verified { sent_at };
        let skew = now.as_second().abs_diff(sent_at.as_second());
        if skew > self.tolerance.as_secs() {
            Err(Rejected::Stale(verified))
        } else {
            Ok(verified)
        }
    }

    /// All secrets are tried and the results joined, so that time does not tell which one matched.
    fn matches(
        &self,
        given: &[u8; SIGNATURE_LEN],
        body: &[u8],
        timestamp: &[u8],
        now: Timestamp,
    ) -> Choice {
        self.secrets.iter().fold(Choice::from(0), |matched, entry| {
            let live = entry.valid_until.is_none_or(|until| now < until);
            matched
                | (mac(&entry.secret, body, timestamp).ct_eq(given) & Choice::from(u8::from(live)))
        })
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(secret: &SecretString, body: &[u8], timestamp: &[u8]) -> [u8; SIGNATURE_LEN] {
    Hmac::<Sha512>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length")
        .chain_update(body)
        .chain_update(timestamp)
        .finalize()
        .into_bytes()
        .into()
}

fn only<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    let mut values = values.into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// Ten digits are seconds, thirteen milliseconds; a sign, a space or any other length is nothing (F-055).
fn sent_at(header: &[u8]) -> Option<Timestamp> {
    if !header.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i64 = std::str::from_utf8(header).ok()?.parse().ok()?;
    match header.len() {
        10 => Timestamp::from_second(number).ok(),
        13 => Timestamp::from_millisecond(number).ok(),
        _ => None,
    }
}

/// 128 hex digits of either case, or a dummy that is marked as such.
fn decode(header: &[u8]) -> ([u8; SIGNATURE_LEN], Choice) {
    let mut bytes = [0; SIGNATURE_LEN];
    match hex::decode_to_slice(header, &mut bytes) {
        Ok(()) => (bytes, Choice::from(1)),
        Err(_) => ([0; SIGNATURE_LEN], Choice::from(0)),
    }
}
