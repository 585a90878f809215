//! The HTTP side: one request, one answer. No retry, no cache, no redirect, no proxy, no cookie.

mod base_url;
mod calls;
mod config;
mod send;
mod token;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect;
use secrecy::ExposeSecret;
use thiserror::Error;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use config::Config;
pub use token::{Auth, Token};

use crate::AccountId;

const CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const ON_BEHALF_OF: HeaderName = HeaderName::from_static("x-on-behalf-of");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("x-idempotency-key");

/// Idle connections kept per host.
const POOL_MAX_IDLE: usize = 256;

/// A client for one set of credentials. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: BaseUrl,
    client_id: HeaderValue,
    api_key: HeaderValue,
    on_behalf_of: Option<AccountId>,
    max_answer: usize,
}

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The client id is empty or no header can carry it.
    #[error("client id is empty or has characters a header cannot carry")]
    ClientId,
    /// The API key is empty or no header can carry it.
    #[error("api key is empty or has characters a header cannot carry")]
    ApiKey,
    /// A timeout or the answer limit is zero.
    #[error("timeouts and the answer limit must be above zero")]
    Limits,
    /// TLS or the connection pool could not be set up.
    #[error("http client cannot be set up; are the system's CA certificates installed?")]
    Http(#[source] reqwest::Error),
}

impl Client {
    /// Makes a client; sends nothing.
    ///
    /// # Errors
    /// [`ClientError`] names the setting to mend.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        if config.connect_timeout.is_zero()
            || config.total_timeout.is_zero()
            || config.max_answer == 0
        {
            return Err(ClientError::Limits);
        }
        let client_id = header(config.client_id.trim()).ok_or(ClientError::ClientId)?;
        let api_key = header(config.api_key.expose_secret().trim()).ok_or(ClientError::ApiKey)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("issuance-uqpay/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .connect_timeout(config.connect_timeout)
            .timeout(config.total_timeout)
            .pool_max_idle_per_host(POOL_MAX_IDLE)
            .https_only(config.base_url.is_https());
        if !config.base_url.is_https() {
            // Plain HTTP to loopback: no TLS ever, so a machine without CA certificates will do.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            http: builder.build().map_err(ClientError::Http)?,
            base_url: config.base_url,
            client_id,
            api_key,
            on_behalf_of: config.on_behalf_of,
            max_answer: config.max_answer,
        })
    }
}

/// A header value that logs print masked; `None` when empty or not printable ASCII.
fn header(text: &str) -> Option<HeaderValue> {
    if text.is_empty()
        || !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return None;
    }
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
