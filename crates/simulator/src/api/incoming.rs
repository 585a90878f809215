//! A request as it arrived: headers and body read once, before any lock.

use std::error::Error;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use http_body_util::LengthLimitError;
use sha2::{Digest, Sha256};

use super::operation::Operation;
use crate::errors::{self, Refusal};
use crate::faults::Endpoint;
use crate::hex::hex;

/// Contract §8 no. 35: the real limit is unknown; this leaves room for a few images.
const LARGEST_BODY: usize = 16 << 20;

static TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("x-idempotency-key");
static ON_BEHALF_OF: HeaderName = HeaderName::from_static("x-on-behalf-of");
static CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

pub(crate) struct Incoming {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) path_and_query: String,
    pub(crate) token: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) client_id: String,
    pub(crate) api_key: String,
    pub(crate) body_sha256: String,
    /// What is asked for, or why that cannot be read; refused only after the door was passed.
    pub(crate) operation: Result<Operation, Refusal>,
}

impl Incoming {
    /// Nothing when the connection ended before the body did: then no request arrived.
    pub(crate) async fn read(
        endpoint: Endpoint,
        id: Option<String>,
        request: Request,
        strict: bool,
    ) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let body = match axum::body::to_bytes(body, LARGEST_BODY).await {
            Ok(body) => Some(body),
            Err(error)
                if error
                    .source()
                    .is_some_and(<dyn Error>::is::<LengthLimitError>) =>
            {
                None
            }
            Err(_) => return None,
        };
        Some(Self::of(
            endpoint,
            id.as_deref(),
            parts.method,
            &parts.uri,
            &parts.headers,
            body.as_deref(),
            strict,
        ))
    }

    /// A request that is here as a whole; without a body it was too large.
    pub(crate) fn of(
        endpoint: Endpoint,
        id: Option<&str>,
        method: Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Option<&[u8]>,
        strict: bool,
    ) -> Self {
        let operation = match body {
            Some(body) => Operation::parse(endpoint, id, uri, body, strict),
            None => Err(errors::too_large()),
        };
        let header = |name| text(headers, name);
        Self {
            endpoint,
            path: uri.path().to_owned(),
            path_and_query: uri
                .path_and_query()
                .map(|path| path.as_str().to_owned())
                .unwrap_or_default(),
            token: header(&TOKEN),
            idempotency_key: header(&IDEMPOTENCY_KEY),
            on_behalf_of: header(&ON_BEHALF_OF),
            client_id: header(&CLIENT_ID).unwrap_or_default(),
            api_key: header(&API_KEY).unwrap_or_default(),
            body_sha256: hex(&Sha256::digest(body.unwrap_or_default())),
            operation,
            method,
        }
    }

    pub(crate) fn is_post(&self) -> bool {
        self.method == Method::POST
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    Some(match str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(value).into_owned(),
    })
}
