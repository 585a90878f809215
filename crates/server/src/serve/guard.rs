//! The socket as hyper sees it. Hyper gets a head only once it is whole, in time and unambiguous, and gets no byte beyond
//! the request it is at; a peer that stops reading is given up.
//!
//! Why not leave it to hyper: its one timer counts from the end of the last request, so it cannot tell an idle connection
//! from a dripping head; and it takes a request with both `Content-Length` and `Transfer-Encoding`, dropping the first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::ServeOptions;
use super::head::{self, Ambiguous, Framing};

/// Bytes read at once while a head is awaited.
const CHUNK: usize = 4096;

/// Not a request in any reading: hyper answers 400 and closes.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// What the next bytes from the peer are.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// A head, of which this many bytes were looked at.
    Head { seen: usize },
    /// This much more of a body.
    Body { left: u64 },
    /// Whatever: no further request will be taken from this connection.
    Last,
}

/// A socket with limits.
#[derive(Debug)]
pub(super) struct Guard {
    socket: TcpStream,
    stage: Stage,
    /// Read ahead, not yet given to hyper.
    ahead: Vec<u8>,
    /// How many of those it may have now.
    free: usize,
    head_deadline: Option<Pin<Box<Sleep>>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
    header_timeout: Duration,
    write_timeout: Duration,
    max_head: usize,
}

impl Guard {
    pub(super) fn new(socket: TcpStream, options: &ServeOptions) -> Self {
        Self {
            socket,
            stage: Stage::Head { seen: 0 },
            ahead: Vec::new(),
            free: 0,
            // The first head is awaited from the start: a connection without a request is nobody's.
            head_deadline: Some(Box::pin(sleep(options.header_timeout))),
            write_deadline: None,
            header_timeout: options.header_timeout,
            write_timeout: options.write_timeout,
            max_head: options.max_header_bytes,
        }
    }

    /// Reads until something is free to be given out, or the peer has ended.
    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.free == 0 {
            match self.stage {
                Stage::Last if self.ahead.is_empty() => return Poll::Ready(Ok(())),
                Stage::Last => self.free = self.ahead.len(),
                Stage::Body { left: 0 } => self.stage = Stage::Head { seen: 0 },
                Stage::Body { .. } if self.ahead.is_empty() => return Poll::Ready(Ok(())),
                Stage::Body { left } => {
                    self.free = self
                        .ahead
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.took_of_body(self.free);
                }
                Stage::Head { seen } if seen < self.ahead.len() => self.look(seen),
                Stage::Head { .. } => ready!(self.poll_head(cx))?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn took_of_body(&mut self, bytes: usize) {
        if let Stage::Body { left } = &mut self.stage {
            *left -= u64::try_from(bytes).unwrap_or(u64::MAX).min(*left);
        }
    }

    /// Judges what has been read of a head.
    fn look(&mut self, seen: usize) {
        let found = head::length(&self.ahead, seen).and_then(|end| {
            end.map(|end| Ok((end, head::framing(&self.ahead[..end])?)))
                .transpose()
        });
        match found {
            Ok(Some((end, framing))) => {
                self.head_deadline = None;
                self.free = end;
                self.stage = match framing {
                    Framing::Length(left) => Stage::Body { left },
                    Framing::Chunked => Stage::Last,
                };
            }
            // Hyper counts too, and has the answer for it.
            Ok(None) if self.ahead.len() > self.max_head => self.stage = Stage::Last,
            Ok(None) => {
                self.stage = Stage::Head {
                    seen: self.ahead.len(),
                };
                let wait = self.header_timeout;
                self.head_deadline
                    .get_or_insert_with(|| Box::pin(sleep(wait)));
            }
            Err(Ambiguous) => {
                metrics::counter!("issuance_ambiguous_requests_total").increment(1);
                self.ahead = REFUSED.to_vec();
                self.stage = Stage::Last;
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; CHUNK];
        let mut read = ReadBuf::new(&mut chunk);
        if Pin::new(&mut self.socket)
            .poll_read(cx, &mut read)?
            .is_pending()
        {
            if let Some(deadline) = &mut self.head_deadline {
                ready!(deadline.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            return Poll::Pending;
        }
        if read.filled().is_empty() {
            self.stage = Stage::Last;
        } else {
            self.ahead.extend_from_slice(read.filled());
        }
        Poll::Ready(Ok(()))
    }

    /// Gives up on a peer that takes nothing for too long.
    fn watch_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let wait = self.write_timeout;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_free(cx))?;
        if this.free > 0 {
            let count = this.free.min(into.remaining());
            into.put_slice(&this.ahead[..count]);
            this.ahead.drain(..count);
            this.free -= count;
            return Poll::Ready(Ok(()));
        }
        // Nothing was read ahead: straight from the socket, but never into the next request.
        let most = match this.stage {
            Stage::Body { left } => into
                .remaining()
                .min(usize::try_from(left).unwrap_or(usize::MAX)),
            Stage::Head { .. } | Stage::Last => into.remaining(),
        };
        let mut part = ReadBuf::new(into.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.socket).poll_read(cx, &mut part))?;
        let count = part.filled().len();
        into.advance(count);
        this.took_of_body(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.watch_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
