//! The accept loop. `axum::serve` has no time limits at all; here every connection has them: for a head, for idleness, for
//! a peer that stops reading, and there is a limit to how many there are. HTTP/1 only.

mod connection;
mod guard;
mod head;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after a failed accept: it means no file descriptors are left, and they come back by themselves.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one more connection than allowed is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Limits of one listener.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Connections at once; one more is refused.
    pub max_connections: usize,
    /// For a whole head, counted from its first byte; for the first one, from the connection's start.
    pub header_timeout: Duration,
    /// Between two requests of one connection, the second's head included.
    pub idle_timeout: Duration,
    /// For a peer that takes none of what is written to it.
    pub write_timeout: Duration,
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// Fields of a request's head.
    pub max_header_fields: usize,
    /// For requests under way when told to stop.
    pub grace: Duration,
}

impl ServeOptions {
    /// The standard limits (reliability §0.4, §5.2).
    #[must_use]
    pub fn standard() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            max_header_bytes: 16 * 1024,
            max_header_fields: 64,
            grace: Duration::from_secs(10),
        }
    }
}

/// A listener that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; is it taken, or not an address of this machine?")]
pub struct ServeError {
    /// The wanted address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: std::io::Error,
}

/// Told to handlers of answers without end, so that they end when the server does.
#[derive(Debug, Clone)]
pub struct Stopping(pub CancellationToken);

/// A bound listener and what it serves.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    options: ServeOptions,
}

impl Server {
    /// Binds; serves nothing yet.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        router: Router,
        options: ServeOptions,
    ) -> Result<Self, ServeError> {
        let failed = |source| ServeError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            router,
            options,
        })
    }

    /// Where it listens: the port is known here even if any was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop; then lets requests under way end within the grace, and cuts off the rest.
    pub async fn run(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.options.max_connections));
        let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
        let builder = connection::builder(&self.options);
        loop {
            let stream = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                refuse(&stream);
                continue;
            };
            let serving = connection::serve(
                builder.clone(),
                stream,
                self.router.clone(),
                &self.options,
                stop.clone(),
            );
            let cut = cut.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = serving => {}
                    () = cut.cancelled() => {}
                }
                drop(slot);
            });
        }
        drop(self.listener);
        tasks.close();
        if tokio::time::timeout(self.options.grace, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = tasks.len(),
                "cutting off connections that outlive the grace"
            );
            cut.cancel();
            tasks.wait().await;
        }
    }
}

/// As much as one write takes; there is no waiting for a peer that is refused.
fn refuse(stream: &TcpStream) {
    metrics::counter!("issuance_connections_refused_total").increment(1);
    let _ = stream.try_write(FULL);
}
