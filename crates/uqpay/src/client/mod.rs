//! The HTTP side: one request, one answer. No retry, no cache, no redirect, no proxy, no cookie.

mod base_url;
mod calls;
mod config;
mod http;
mod send;
mod token;
mod transport;

use std::sync::Arc;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use thiserror::Error;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use config::Config;
pub use token::{Auth, Token};
pub use transport::{NoReply, Reply, Request, Transport};

use crate::AccountId;

const CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const ON_BEHALF_OF: HeaderName = HeaderName::from_static("x-on-behalf-of");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("x-idempotency-key");

/// A client for one set of credentials. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    base_url: BaseUrl,
    client_id: HeaderValue,
    api_key: HeaderValue,
    on_behalf_of: Option<AccountId>,
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
        let http = http::Http::new(&config)?;
        Self::over(Arc::new(http), config)
    }

    /// A client over another wire than HTTP's, which keeps the limits itself: for a simulation.
    ///
    /// # Errors
    /// [`ClientError`] names the setting to mend.
    pub fn over(transport: Arc<dyn Transport>, config: Config) -> Result<Self, ClientError> {
        let client_id = header(config.client_id.trim()).ok_or(ClientError::ClientId)?;
        let api_key = header(config.api_key.expose_secret().trim()).ok_or(ClientError::ApiKey)?;
        Ok(Self {
            transport,
            base_url: config.base_url,
            client_id,
            api_key,
            on_behalf_of: config.on_behalf_of,
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
