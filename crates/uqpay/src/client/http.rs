//! The wire in production: HTTP/1.1 over TLS, with a time limit and a size limit on every answer.

use std::error::Error as _;
use std::io;

use async_trait::async_trait;
use reqwest::{Response, redirect};
use zeroize::Zeroizing;

use super::transport::{NoReply, Reply, Request, Transport};
use super::{ClientError, Config};
use crate::{NotSentCause, UnknownCause};

/// Idle connections kept per host.
const POOL_MAX_IDLE: usize = 256;

#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    max_answer: usize,
}

impl Http {
    pub(super) fn new(config: &Config) -> Result<Self, ClientError> {
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
            client: builder.build().map_err(ClientError::Http)?,
            max_answer: config.max_answer,
        })
    }

    /// Reads at most the configured size; there is no decompression that could blow it up.
    async fn read_body(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, UnknownCause> {
        let announced = response.content_length().unwrap_or(0);
        if announced > u64::try_from(self.max_answer).unwrap_or(u64::MAX) {
            return Err(UnknownCause::TooLarge);
        }
        let mut body = Zeroizing::new(Vec::with_capacity(usize::try_from(announced).unwrap_or(0)));
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) if chunk.len() > self.max_answer - body.len() => {
                    return Err(UnknownCause::TooLarge);
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) if error.is_timeout() => return Err(UnknownCause::Timeout),
                Err(_) => return Err(UnknownCause::Truncated),
            }
        }
    }
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, request: Request) -> Result<Reply, NoReply> {
        let Request {
            method,
            url,
            headers,
            body,
        } = request;
        let mut call = self.client.request(method, url).headers(headers);
        if !body.is_empty() {
            call = call.body(body.to_vec());
        }
        match call.send().await {
            Ok(response) => Ok(Reply {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: self.read_body(response).await,
            }),
            Err(error) => Err(no_reply(&error)),
        }
    }
}

/// Not sent only where that is certain: no connection was made, or no request. Everything else is unknown.
fn no_reply(error: &reqwest::Error) -> NoReply {
    if error.is_builder() {
        NoReply::NotSent(NotSentCause::Unsendable)
    } else if error.is_connect() {
        NoReply::NotSent(match error {
            error if error.is_timeout() => NotSentCause::ConnectTimeout,
            error if was_refused(error) => NotSentCause::Refused,
            _ => NotSentCause::NoConnection,
        })
    } else if error.is_timeout() {
        NoReply::Unknown(UnknownCause::Timeout)
    } else {
        NoReply::Unknown(UnknownCause::ConnectionLost)
    }
}

fn was_refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        source = inner.source();
    }
    false
}
