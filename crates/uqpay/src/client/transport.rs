//! The seam to the wire: one request out, and what of its answer came back. Whoever owns the wire owns its time-outs.

use std::fmt;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use crate::{NotSentCause, UnknownCause};

/// Carries one call. No retry, no cache, no redirect.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Sends the request once.
    ///
    /// # Errors
    /// No status line came back: [`NoReply::NotSent`] only where it is certain that nothing left.
    async fn send(&self, request: Request) -> Result<Reply, NoReply>;
}

/// A request as it goes out. `Debug` shows neither headers nor body.
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Every header but those of the connection.
    pub headers: HeaderMap,
    /// The exact body; empty for none.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url.path())
    }
}

/// An answer that began.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// The whole body, or why there is less.
    pub body: Result<Zeroizing<Vec<u8>>, UnknownCause>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)
    }
}

/// No answer began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReply {
    /// Nothing was sent.
    NotSent(NotSentCause),
    /// It may have arrived.
    Unknown(UnknownCause),
}
