//! The access token: minted, never kept here. One live token per credential (contract §1.2, §1.3).

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::send::{JSON, request};
use super::{API_KEY, CLIENT_ID, Client};
use crate::{AccountId, Answer, CallError, Endpoint, Private, UnknownCause, read};

/// Assumed when the provider does not say, or says a time that has passed by our clock.
const ASSUMED_LIFE: Duration = Duration::from_secs(25 * 60);

/// Values from here on are milliseconds (contract §1.2).
const MILLISECONDS_FROM: i64 = 1_000_000_000_000;

/// An access token. `Debug` masks its value.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token, without `Bearer`.
    pub value: SecretString,
    /// When it ends by itself; another mint may end it at any time before.
    pub expires_at: Timestamp,
}

/// Who a call is made as.
#[derive(Debug, Clone, Copy)]
pub struct Auth<'a> {
    token: &'a Token,
    account: Option<&'a AccountId>,
}

impl<'a> Auth<'a> {
    /// As the client's default account.
    #[must_use]
    pub fn new(token: &'a Token) -> Self {
        Self {
            token,
            account: None,
        }
    }

    /// As this sub-account; `None` leaves the client's default.
    #[must_use]
    pub fn on_behalf_of(self, account: Option<&'a AccountId>) -> Self {
        Self { account, ..self }
    }

    pub(super) fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.token.value.expose_secret()))
    }

    pub(super) fn account(&self) -> Option<&'a AccountId> {
        self.account
    }
}

impl<'a> From<&'a Token> for Auth<'a> {
    fn from(token: &'a Token) -> Self {
        Self::new(token)
    }
}

#[derive(Deserialize)]
struct Minted {
    #[serde(default, deserialize_with = "read::private")]
    auth_token: Option<Private>,
    #[serde(default, deserialize_with = "read::text")]
    expired_at: Option<String>,
}

impl Client {
    /// Mints a token. **Every earlier token of these credentials dies**, also when the answer is lost.
    ///
    /// # Errors
    /// A refusal is [`crate::Class::CredentialsRejected`] for every 4xx but 429: stop and call a person. Everything
    /// else may be tried again, slowly: the call has a limit of its own.
    pub async fn mint_token(&self, now: Timestamp) -> Result<Token, CallError> {
        let url = self.base_url.join(&["v1", "connect", "token"]);
        let headers = [
            (CLIENT_ID, self.client_id.clone()),
            (API_KEY, self.api_key.clone()),
            (CONTENT_TYPE, JSON),
        ];
        let request = request(Method::POST, url, headers, b"{}");
        let has_token = |minted: &Minted| match &minted.auth_token {
            Some(token) if super::header(token.expose()).is_some() => Ok(()),
            _ => Err(UnknownCause::Incomplete),
        };
        match self.send(Endpoint::MintToken, request, has_token).await {
            Answer::Ok(received) => {
                let Minted {
                    auth_token,
                    expired_at,
                } = received.value;
                let value = SecretString::from(auth_token.as_ref().map_or("", Private::expose));
                Ok(Token {
                    value,
                    expires_at: expiry(expired_at.as_deref(), now),
                })
            }
            Answer::Refused(refusal) => Err(CallError::Refused(refusal)),
            Answer::Unknown(unknown) => Err(CallError::Unknown(Box::new(unknown))),
            Answer::NotSent(not_sent) => Err(CallError::NotSent(not_sent)),
        }
    }
}

/// Seconds, milliseconds, digits as text, RFC 3339; otherwise the assumed life. A time that has passed means our
/// clock is ahead, and believing it would mint without end.
fn expiry(text: Option<&str>, now: Timestamp) -> Timestamp {
    let read = text.and_then(|text| match text.trim().parse::<i64>() {
        Ok(number) if number >= MILLISECONDS_FROM => Timestamp::from_millisecond(number).ok(),
        Ok(number) => Timestamp::from_second(number).ok(),
        Err(_) => read::timestamp(text),
    });
    read.filter(|time| *time > now)
        .unwrap_or_else(|| now.saturating_add(ASSUMED_LIFE).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_read_in_every_form() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let later = Timestamp::from_second(1_790_001_800).unwrap();
        let assumed = Timestamp::from_second(1_790_001_500).unwrap();
        let rfc3339 = later.to_string();
        let with_offset = "2026-09-21T21:03:20+08:00";
        for text in [
            "1790001800",
            "1790001800000",
            " 1790001800 ",
            rfc3339.as_str(),
        ] {
            assert_eq!(expiry(Some(text), now), later, "{text}");
        }
        assert!(
            expiry(Some(with_offset), "2026-09-21T12:00:00Z".parse().unwrap())
                .to_string()
                .contains("13:03:20")
        );
        let passed = ["1789999999", "0", "-5", "1800"];
        let unreadable = [
            "",
            "soon",
            "2026-09-21 21:03:20",
            "99999999999999999999",
            "9223372036854775807",
        ];
        for text in passed.into_iter().chain(unreadable) {
            assert_eq!(expiry(Some(text), now), assumed, "{text}");
        }
        assert_eq!(expiry(None, now), assumed);
    }
}
