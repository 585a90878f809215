//! What goes wrong, as RFC 9457 problems from one fixed table. The only place that knows status codes of errors.
//!
//! A handler returns a [`Problem`]; the edge renders it, because only the edge knows the request's id. Nothing here
//! quotes an error's text: what is inside stays inside, and no value of a caller's comes back to it.

use axum::Json;
use axum::body::Body;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use issuance::domain::{OrderId, Version};
use problem_details::ProblemDetails;
use serde::Serialize;

macro_rules! table {
    ($($code:ident = $status:ident, $word:literal, $title:literal, $hint:literal;)+) => {
        /// Every problem this server knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)+
        }

        impl Code {
            /// All of them, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// The stable word for programs.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$code => $word,)+ }
            }

            /// The HTTP status.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }

            /// What it is, for people.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }

            /// What to do about it.
            #[must_use]
            pub fn hint(self) -> &'static str {
                match self { $(Self::$code => $hint,)+ }
            }

            /// Names the problem; answered by the server itself with the row of this table.
            #[must_use]
            pub fn uri(self) -> &'static str {
                match self { $(Self::$code => concat!("/problems/", $word),)+ }
            }
        }
    };
}

table! {
    InvalidJson = BAD_REQUEST, "invalid_json", "The body is not the JSON this route takes",
        "Correct the members named in `errors`; members this route does not know are refused.";
    InvalidQuery = BAD_REQUEST, "invalid_query", "A query parameter is unknown or unreadable",
        "Use only the parameters this route documents, each once.";
    InvalidHeader = BAD_REQUEST, "invalid_header", "A header is unreadable",
        "Send the header named in `errors` once and in its documented form.";
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "No valid credential came with the request",
        "Send `Authorization: Bearer <token>` with a token configured for this listener.";
    Forbidden = FORBIDDEN, "forbidden", "The credential's role does not allow this",
        "Use a credential with the role this action needs.";
    NotFound = NOT_FOUND, "not_found", "There is no such route",
        "Check the path.";
    OrderNotFound = NOT_FOUND, "order_not_found", "There is no such order",
        "Check the id; it is the `id` of the answer that placed the order.";
    IdvLinkNotAvailable = NOT_FOUND, "idv_link_not_available", "There is no identity-check link to use now",
        "Read the order: a link exists only while its state is `idv_pending`, and not in its last minutes.";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The route does not take this method",
        "Use a method of the `Allow` header.";
    BodyTimeout = REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time",
        "Send the whole body at once.";
    ActionNotPossible = CONFLICT, "action_not_possible", "The order is not in a state for this",
        "Read the order again; the admin interface lists its allowed actions.";
    CallInFlight = CONFLICT, "call_in_flight", "A call of this order is on its way to the provider",
        "Wait for its answer and try again.";
    FeedAhead = CONFLICT, "feed_ahead", "The position lies beyond the log's end",
        "The log may have been restored from a backup; compare what you hold with the orders, then start from an older position.";
    StaleVersion = PRECONDITION_FAILED, "stale_version", "The order has changed since you read it",
        "Read the order again and decide on its current `version`.";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large",
        "Send less; identity images are limited to 2 MB each.";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is not declared as JSON",
        "Send `Content-Type: application/json`.";
    RequestUnfit = UNPROCESSABLE_ENTITY, "request_unfit", "The request does not fit the product",
        "Complete or correct every path named in `errors`; nothing was sent to the provider.";
    ReferenceTaken = UNPROCESSABLE_ENTITY, "reference_taken", "The reference belongs to an order with other content",
        "Use a new reference for a new card, or repeat the first request unchanged.";
    ReferenceMismatch = UNPROCESSABLE_ENTITY, "reference_mismatch", "The Idempotency-Key is not the body's reference",
        "The reference is the idempotency of an order: send one of the two, or both equal.";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Something is broken on our side",
        "Give the request id to whoever runs this server.";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too much is being written at once",
        "Nothing was changed; try again shortly.";
    StorageFull = SERVICE_UNAVAILABLE, "storage_full", "The disk is full",
        "Nothing was changed; try again once there is space.";
    StorageStopped = SERVICE_UNAVAILABLE, "storage_stopped", "The store has stopped",
        "What was asked may have been stored; ask again with the same reference once the server was restarted.";
    ProductsUnavailable = SERVICE_UNAVAILABLE, "products_unavailable", "The provider's products cannot be read now",
        "Nothing was placed; try again shortly.";
    TooManyFeeds = SERVICE_UNAVAILABLE, "too_many_feeds", "Too many event feeds are open",
        "Close one, or try again later.";
    Contended = SERVICE_UNAVAILABLE, "contended", "The order changes too fast to decide on",
        "Nothing was changed; try again.";
    TimedOut = SERVICE_UNAVAILABLE, "timed_out", "The answer took too long",
        "What was asked may still happen; ask again with the same reference.";
}

/// One thing wrong with a request: where, and what it must be. Never what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Dotted from the request's root, or the name of a parameter or header.
    pub path: String,
    /// `missing` or `invalid`.
    pub problem: &'static str,
    /// What it must be; none when it only must be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl FieldError {
    pub(crate) fn missing(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: "missing",
            rule: None,
        }
    }

    pub(crate) fn invalid(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: "invalid",
            rule: Some(rule.into()),
        }
    }
}

/// One problem of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Option<&'static str>,
    errors: Vec<FieldError>,
    order: Option<OrderId>,
    version: Option<Version>,
    retry_after_seconds: Option<u32>,
}

/// The members beside those of RFC 9457.
#[derive(Debug, Serialize)]
struct Members<'a> {
    code: &'static str,
    hint: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            order: None,
            version: None,
            retry_after_seconds: None,
        }
    }
}

impl Problem {
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// A sentence of ours about this case; `&'static`, so that nothing of a request can be in it.
    pub(crate) fn because(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    pub(crate) fn with_errors(code: Code, errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..code.into()
        }
    }

    pub(crate) fn about(mut self, order: OrderId) -> Self {
        self.order = Some(order);
        self
    }

    pub(crate) fn at_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The answer as it goes out.
    pub(crate) fn render(&self, request_id: &str) -> Response<Body> {
        let details = ProblemDetails::from_status_code(self.code.status())
            .with_type(Uri::from_static(self.code.uri()))
            .with_title(self.code.title());
        let details = match self.detail {
            Some(detail) => details.with_detail(detail),
            None => details,
        };
        let mut response = details
            .with_extensions(Members {
                code: self.code.word(),
                hint: self.code.hint(),
                request_id,
                errors: &self.errors,
                order_id: self.order,
                version: self.version,
            })
            .into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match self.code {
            Code::Unauthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // Bytes nobody read are still on the way: the connection cannot be used again.
            Code::BodyTimeout | Code::BodyTooLarge => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Carried to the edge, which renders it.
    fn into_response(self) -> Response<Body> {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A row of the table, as `GET /problems/{code}` answers it.
#[derive(Debug, Serialize)]
struct RowView {
    code: &'static str,
    status: u16,
    title: &'static str,
    hint: &'static str,
}

/// What a problem's `type` leads to.
pub(crate) async fn explain(
    axum::extract::Path(word): axum::extract::Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let code = Code::ALL
        .iter()
        .find(|code| code.word() == word)
        .ok_or(Code::NotFound)?;
    Ok(Json(RowView {
        code: code.word(),
        status: code.status().as_u16(),
        title: code.title(),
        hint: code.hint(),
    }))
}

/// What no route takes.
pub(crate) async fn no_route() -> Problem {
    Code::NotFound.into()
}

/// A route, but not with this method.
pub(crate) async fn no_method() -> Problem {
    Code::MethodNotAllowed.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_row_is_its_own_and_says_what_to_do() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.status().is_client_error() || code.status().is_server_error(),
                "{code:?}"
            );
            assert!(
                code.title().len() > 5 && code.hint().ends_with('.'),
                "{code:?}"
            );
            assert!(code.uri().parse::<Uri>().is_ok(), "{code:?}");
        }
    }
}
