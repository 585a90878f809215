//! One connection: its limits, its requests, its end.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::guard::Guard;
use super::{ServeOptions, Stopping};

/// What all connections of a listener have in common.
pub(super) fn builder(options: &ServeOptions) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // This timer runs whenever a head is awaited, so it bounds idleness; the guard bounds the head itself.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.idle_timeout.max(options.header_timeout))
        .max_header_size(options.max_header_bytes)
        .max_headers(options.max_header_fields);
    builder
}

/// Serves one connection to its end.
pub(super) fn serve(
    builder: http1::Builder,
    stream: TcpStream,
    router: Router,
    options: &ServeOptions,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    // Answers are small and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let guarded = TokioIo::new(Guard::new(stream, options));
    let stopping = Stopping(stop.clone());
    let service = service_fn(move |request| answer(router.clone(), stopping.clone(), request));
    async move {
        let connection = builder.serve_connection(guarded, service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

async fn answer(
    router: Router,
    stopping: Stopping,
    mut request: Request<Incoming>,
) -> Result<axum::response::Response, std::convert::Infallible> {
    let chunked = request.headers().contains_key(TRANSFER_ENCODING);
    request.extensions_mut().insert(stopping);
    let mut response = router.oneshot(request.map(Body::new)).await?;
    if chunked {
        // The guard does not follow chunks, so what comes after them is not looked at as a request (RFC 9112 §6.1).
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
