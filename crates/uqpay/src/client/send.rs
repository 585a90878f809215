//! One request out, one [`Answer`] back: what is known about the other side decides the kind of error.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::transport::{NoReply, Request};
use super::{AUTH_TOKEN, Auth, Client, IDEMPOTENCY_KEY, ON_BEHALF_OF, header};
use crate::answer::{Heard, judge};
use crate::{Answer, Body, Endpoint, NotSent, NotSentCause, RetryAfter, Unknown, UnknownCause};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Client {
    /// An authenticated GET.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        auth: Auth<'_>,
        url: Url,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        let request = request(Method::GET, url, [], &[]);
        self.authenticated(endpoint, auth, request, check).await
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
        let Some(key) = header(&key.hyphenated().to_string()) else {
            return unsendable(endpoint);
        };
        let headers = [(IDEMPOTENCY_KEY, key), (CONTENT_TYPE, JSON)];
        let request = request(Method::POST, url, headers, body.as_bytes());
        self.authenticated(endpoint, auth, request, check).await
    }

    async fn authenticated<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        auth: Auth<'_>,
        mut request: Request,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        let Some(bearer) = header(&auth.bearer()) else {
            return unsendable(endpoint);
        };
        request.headers.insert(AUTH_TOKEN, bearer);
        if let Some(account) = auth.account().or(self.on_behalf_of.as_ref()) {
            let Some(account) = header(account.as_str()) else {
                return unsendable(endpoint);
            };
            request.headers.insert(ON_BEHALF_OF, account);
        }
        self.send(endpoint, request, check).await
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        request: Request,
        check: impl FnOnce(&T) -> Result<(), UnknownCause>,
    ) -> Answer<T> {
        let reply = self.transport.send(request).await;
        let call = endpoint.as_str();
        match reply {
            Ok(reply) => {
                tracing::debug!(call, status = reply.status, "provider answered");
                let heard = Heard {
                    endpoint,
                    status: reply.status,
                    date: date(&reply.headers),
                    retry_after: retry_after(&reply.headers),
                    body: reply.body,
                };
                judge(heard, check)
            }
            Err(NoReply::NotSent(cause)) => {
                tracing::debug!(call, %cause, "provider was not called");
                Answer::NotSent(NotSent { endpoint, cause })
            }
            Err(NoReply::Unknown(cause)) => {
                tracing::debug!(call, %cause, "provider did not answer");
                Answer::Unknown(Unknown {
                    endpoint,
                    cause,
                    status: None,
                    code: None,
                    retry_after: None,
                })
            }
        }
    }
}

pub(super) fn request<const N: usize>(
    method: Method,
    url: Url,
    headers: [(HeaderName, HeaderValue); N],
    body: &[u8],
) -> Request {
    Request {
        method,
        url,
        headers: HeaderMap::from_iter(headers),
        body: Zeroizing::new(body.to_vec()),
    }
}

fn unsendable<T>(endpoint: Endpoint) -> Answer<T> {
    Answer::NotSent(NotSent {
        endpoint,
        cause: NotSentCause::Unsendable,
    })
}

/// Two `Retry-After` headers contradict each other; the first stands.
fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(RetryAfter::parse)
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    if headers.contains_key(AGE) {
        return None;
    }
    let date = headers.get(DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_unless_a_cache_kept_the_answer() {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert(
            DATE,
            HeaderValue::from_static("Mon, 21 Sep 2026 14:13:20 GMT"),
        );
        assert_eq!(date(&headers), "2026-09-21T14:13:20Z".parse().ok());
        headers.insert(AGE, HeaderValue::from_static("3"));
        assert_eq!(date(&headers), None);
        headers.remove(AGE);
        headers.insert(DATE, HeaderValue::from_static("yesterday"));
        assert_eq!(date(&headers), None);
    }
}
