//! One request out, one [`Answer`] back: what is known about the other side decides the kind of error.

use std::error::Error as _;
use std::io;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{AUTH_TOKEN, Auth, Client, IDEMPOTENCY_KEY, ON_BEHALF_OF, header};
use crate::answer::{Heard, judge};
use crate::{Answer, Body, Endpoint, NotSent, NotSentCause, RetryAfter, Unknown, UnknownCause};

impl Client {
    /// An authenticated GET.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        auth: Auth<'_>,
        url: Url,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        self.authenticated(endpoint, auth, self.http.request(Method::GET, url), check)
            .await
    }

    /// An authenticated POST under an idempotency key: always a lower-case hyphenated UUID (contract §1.5).
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        auth: Auth<'_>,
        url: Url,
        key: Uuid,
        body: &Body,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        let request = self
            .http
            .request(Method::POST, url)
            .header(IDEMPOTENCY_KEY, key.hyphenated().to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(body.as_bytes().to_vec());
        self.authenticated(endpoint, auth, request, check).await
    }

    async fn authenticated<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        auth: Auth<'_>,
        request: RequestBuilder,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        let Some(bearer) = header(&auth.bearer()) else {
            return Answer::NotSent(NotSent {
                endpoint,
                cause: NotSentCause::Unsendable,
            });
        };
        let mut request = request.header(AUTH_TOKEN, bearer);
        if let Some(account) = auth.account().or(self.on_behalf_of.as_ref()) {
            request = request.header(ON_BEHALF_OF, account.as_str());
        }
        self.send(endpoint, request, check).await
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        request: RequestBuilder,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        match request.send().await {
            Ok(response) => {
                let heard = self.hear(endpoint, response).await;
                tracing::debug!(
                    call = endpoint.as_str(),
                    status = heard.status,
                    "provider answered"
                );
                judge(heard, check)
            }
            Err(error) => {
                let answer = no_answer(endpoint, &error);
                tracing::debug!(
                    call = endpoint.as_str(),
                    timeout = error.is_timeout(),
                    "provider did not answer"
                );
                answer
            }
        }
    }

    async fn hear(&self, endpoint: Endpoint, response: Response) -> Heard {
        Heard {
            endpoint,
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers()),
            body: self.read_body(response).await,
        }
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

/// Two `Retry-After` headers contradict each other; the first stands.
fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(RetryAfter::parse)
}

/// Not sent only where that is certain: no connection was made, or no request. Everything else is unknown.
fn no_answer<T>(endpoint: Endpoint, error: &reqwest::Error) -> Answer<T> {
    let not_sent = |cause| Answer::NotSent(NotSent { endpoint, cause });
    if error.is_builder() {
        not_sent(NotSentCause::Unsendable)
    } else if error.is_connect() {
        not_sent(match error {
            error if error.is_timeout() => NotSentCause::ConnectTimeout,
            error if was_refused(error) => NotSentCause::Refused,
            _ => NotSentCause::NoConnection,
        })
    } else {
        let cause = if error.is_timeout() {
            UnknownCause::Timeout
        } else {
            UnknownCause::ConnectionLost
        };
        Answer::Unknown(Unknown {
            endpoint,
            cause,
            status: None,
            code: None,
            retry_after: None,
        })
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
