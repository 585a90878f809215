//! Tells the host over HTTP, in the Standard Webhooks form: id, time and body are signed together, and the id is the same
//! for every repeat of a notice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use issuance::domain::Timestamp;
use issuance::{Clock, Notice, Notifier, NotifyError};
use reqwest::{Client, Url, header::CONTENT_TYPE, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a secret begins with in the Standard Webhooks form.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret in that form.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Idle connections kept to the host.
const MAX_IDLE: usize = 32;

/// Where and how the host is told.
#[derive(Debug, Clone)]
pub struct NotifierOptions {
    /// The host's address; `https`, or `http` on loopback.
    pub url: String,
    /// `whsec_` and the base64 of 24 to 64 random bytes.
    pub secret: SecretString,
    /// For one notice, answer included.
    pub timeout: Duration,
}

impl NotifierOptions {
    /// With the standard timeout.
    #[must_use]
    pub fn standard(url: impl Into<String>, secret: SecretString) -> Self {
        Self {
            url: url.into(),
            secret,
            timeout: Duration::from_secs(10),
        }
    }
}

/// A notifier that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    /// Anything but an address notices may go to.
    #[error(
        "the host's address must be an https URL, or http on loopback, without user and fragment"
    )]
    Url,
    /// Too short, too long, or not in the form.
    #[error("the secret of notices must be `whsec_` and the base64 of 24 to 64 random bytes")]
    Secret,
    /// TLS could not be set up.
    #[error("http client cannot be set up; are the system's CA certificates installed?")]
    Http(#[source] reqwest::Error),
}

/// Tells one host.
pub struct HttpNotifier {
    http: Client,
    url: Url,
    secret: NoticeSecret,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HttpNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpNotifier")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// What is sent.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    /// `order.` and the state.
    r#type: String,
    timestamp: Timestamp,
    data: &'a Notice,
}

impl HttpNotifier {
    /// Makes a notifier; sends nothing.
    ///
    /// # Errors
    /// [`NotifierError`] names the setting to mend.
    pub fn new(options: NotifierOptions, clock: Arc<dyn Clock>) -> Result<Self, NotifierError> {
        let url = Url::parse(&options.url).map_err(|_| NotifierError::Url)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" if is_loopback(&url) => false,
            _ => return Err(NotifierError::Url),
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(NotifierError::Url);
        }
        let secret = NoticeSecret::read(&options.secret)?;
        let mut builder = Client::builder()
            .user_agent(concat!("issuance/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .timeout(options.timeout)
            .pool_max_idle_per_host(MAX_IDLE)
            .https_only(secure);
        if !secure {
            // Plain HTTP to loopback: no TLS ever, so a machine without CA certificates will do.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(NotifierError::Http)?;
        Ok(Self {
            http,
            url,
            secret,
            clock,
        })
    }
}

/// What notices are signed with: `whsec_` and the base64 of 24 to 64 random bytes. A host in Rust verifies with it, too.
#[derive(Clone)]
pub struct NoticeSecret(Zeroizing<Vec<u8>>);

impl fmt::Debug for NoticeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoticeSecret(***)")
    }
}

impl NoticeSecret {
    /// Reads its written form.
    ///
    /// # Errors
    /// When it is not in the form, too short or too long.
    pub fn read(text: &SecretString) -> Result<Self, NotifierError> {
        let encoded = text
            .expose_secret()
            .strip_prefix(SECRET_PREFIX)
            .ok_or(NotifierError::Secret)?;
        let bytes = Zeroizing::new(
            BASE64_STANDARD
                .decode(encoded)
                .map_err(|_| NotifierError::Secret)?,
        );
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(NotifierError::Secret)
        }
    }

    /// The written form of a new secret, from random bytes.
    #[must_use]
    pub fn write(random: &[u8; 32]) -> SecretString {
        SecretString::from(format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(random)))
    }

    /// `v1,` and the base64 of the HMAC-SHA256 over `id.timestamp.body`.
    fn sign(&self, id: &[u8], timestamp: &[u8], body: &[u8]) -> Option<String> {
        let tag = self.mac(id, timestamp, body)?.finalize().into_bytes();
        Some(format!("v1,{}", BASE64_STANDARD.encode(tag)))
    }

    /// Whether one of the signatures in the header `webhook-signature` is ours. The host still judges the age of
    /// `webhook-timestamp`, and drops what it has had under the same `webhook-id`.
    #[must_use]
    pub fn verifies(&self, id: &[u8], timestamp: &[u8], signatures: &str, body: &[u8]) -> bool {
        signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .any(|encoded| {
                let (Ok(tag), Some(mac)) = (
                    BASE64_STANDARD.decode(encoded),
                    self.mac(id, timestamp, body),
                ) else {
                    return false;
                };
                mac.verify_slice(&tag).is_ok()
            })
    }

    fn mac(&self, id: &[u8], timestamp: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in [id, b".", timestamp, b".", body] {
            mac.update(part);
        }
        Some(mac)
    }
}

#[async_trait]
impl Notifier for HttpNotifier {
    async fn notify(&self, notice: Notice) -> Result<(), NotifyError> {
        // Order and version name a notice: its repeats carry the same id, and a host drops them by it.
        let id = format!("{}_{}", notice.order_id, notice.version);
        let seconds = (self.clock.now().millis() / 1000).to_string();
        let envelope = Envelope {
            r#type: format!("order.{}", notice.state),
            timestamp: notice.occurred_at,
            data: &notice,
        };
        let body = serde_json::to_vec(&envelope)
            .map_err(|_| told_not("the notice cannot be written as JSON"))?;
        let signature = self.secret.sign(id.as_bytes(), seconds.as_bytes(), &body);
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header(
                "webhook-signature",
                signature.ok_or_else(|| told_not("the secret is unusable"))?,
            )
            .header("webhook-timestamp", seconds)
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(told_not(format!(
                "it answered {}",
                answer.status().as_u16()
            ))),
            Err(error) if error.is_timeout() => Err(told_not("it did not answer in time")),
            Err(error) if error.is_connect() => Err(told_not("it cannot be reached")),
            Err(_) => Err(told_not("the connection ended early")),
        }
    }
}

fn told_not(why: impl Into<String>) -> NotifyError {
    NotifyError { why: why.into() }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
