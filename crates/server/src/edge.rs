//! What every request passes on its way in and out: an id, a time limit, a net under panics, the rendering of problems,
//! and the figures.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use futures_util::FutureExt;
use tracing::Instrument;

use crate::problem::{Code, Problem, explain, no_method, no_route};

/// Carries the request's id both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds what every router answers: the table of problems, and problems where there is no route.
pub(crate) fn completed<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .route("/problems/{code}", get(explain))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
}

/// Puts the edge around routes.
pub(crate) fn around(routes: Router, handler_timeout: Duration) -> Router {
    routes.layer(from_fn_with_state(handler_timeout, enter))
}

async fn enter(State(handler_timeout): State<Duration>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let method = request.method().clone();
    // The route's pattern, never the path: a path holds ids, and a label must stay one of few.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route
        .as_ref()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", request_id = %id, %method, route);
    let begun = tokio::time::Instant::now();

    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response =
        match tokio::time::timeout(handler_timeout, answer.instrument(span.clone())).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                tracing::error!(parent: &span, "a handler panicked");
                Problem::from(Code::Internal).into_response()
            }
            Err(_) => Problem::from(Code::TimedOut).into_response(),
        };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::debug!(parent: &span, code = problem.code().word(), "request refused");
        let mut rendered = problem.render(&id);
        // Such as `Allow`, which the router knows.
        for (name, value) in response.headers() {
            if !rendered.headers().contains_key(name) && name != "content-length" {
                rendered.headers_mut().append(name, value.clone());
            }
        }
        response = rendered;
    }
    let headers = response.headers_mut();
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }

    let took = begun.elapsed();
    let status = response.status().as_u16();
    let milliseconds = took.as_millis();
    // Overload is told by figures: a line for each refusal would be one more load.
    if response.status().is_server_error() && status != 503 {
        tracing::warn!(parent: &span, status, milliseconds, "request not served");
    } else {
        tracing::debug!(parent: &span, status, milliseconds, "request answered");
    }
    let labels = [
        ("method", method_label(&method)),
        ("route", route),
        ("status", status.to_string()),
    ];
    metrics::counter!("issuance_http_requests_total", &labels).increment(1);
    metrics::histogram!("issuance_http_request_seconds", &labels[..2]).record(took.as_secs_f64());
    response
}

/// The caller's id if it can stand in a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    given
        .filter(fits)
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), ToOwned::to_owned)
}

/// Methods are open; labels must not be.
fn method_label(method: &axum::http::Method) -> String {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => {
            known.to_owned()
        }
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http_body_util::BodyExt;
    use serde_json::Value;
    use tower::ServiceExt;

    async fn ask(path: &str) -> (u16, Value) {
        async fn panics() {
            panic!("an invariant with somebody's name in it")
        }
        let routes = Router::new()
            .route("/panics", get(panics))
            .route("/hangs", get(std::future::pending::<()>));
        let router = around(completed(routes), Duration::from_millis(50));
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_panic_and_a_hang_are_problems_like_any_other() {
        for (path, code) in [
            ("/panics", Code::Internal),
            ("/hangs", Code::TimedOut),
            ("/", Code::NotFound),
        ] {
            let (status, problem) = ask(path).await;
            assert_eq!(
                (status, &problem["code"]),
                (code.status().as_u16(), &Value::from(code.word()))
            );
            assert!(!problem.to_string().contains("somebody"));
        }
    }
}
