//! An answer on its way out: whole, halved or cut off.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::Frame;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::errors::Refusal;
use crate::ledger::Answer;

/// A 2xx answer, with what the ledger notes about it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) card_id: Option<Uuid>,
    pub(crate) cardholder_id: Option<Uuid>,
    pub(crate) early: Vec<u64>,
}

impl Reply {
    pub(crate) fn of(view: &impl Serialize) -> Self {
        Self {
            status: 200,
            body: serde_json::to_string(view).unwrap_or_default(),
            card_id: None,
            cardholder_id: None,
            early: Vec::new(),
        }
    }

    pub(crate) fn about(mut self, card: Option<Uuid>, cardholder: Option<Uuid>) -> Self {
        (self.card_id, self.cardholder_id) = (card, cardholder);
        self
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) html: bool,
    pub(crate) retry_after: Option<String>,
    pub(crate) answer: Answer,
}

/// Tells the connection to break off instead of answering.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutConnection;

impl Outgoing {
    pub(crate) fn json(status: u16, body: String) -> Self {
        Self {
            status,
            body,
            html: false,
            retry_after: None,
            answer: Answer::Sent,
        }
    }

    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let (body, html) = match &refusal.body {
            Value::String(page) => (page.clone(), true),
            json => (serde_json::to_string(json).unwrap_or_default(), false),
        };
        Self {
            status: refusal.status,
            body,
            html,
            retry_after: refusal.retry_after.clone(),
            answer: Answer::Sent,
        }
    }

    pub(crate) fn leaving(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    pub(crate) fn respond(self) -> Response {
        let body = match self.answer {
            Answer::Sent => Body::from(self.body),
            Answer::Truncated => Body::new(Halved::of(self.body)),
            Answer::Cut => {
                let mut response = Response::new(Body::empty());
                response.extensions_mut().insert(CutConnection);
                return response;
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = if self.html {
            "text/html; charset=utf-8"
        } else {
            "application/json"
        };
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(value) = self
            .retry_after
            .and_then(|value| HeaderValue::from_str(&value).ok())
        {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

/// Promises the whole body, gives half of it, and breaks.
struct Halved {
    half: Option<Bytes>,
    promised: u64,
    flushed: bool,
}

impl Halved {
    fn of(body: String) -> Self {
        let promised = body.len() as u64;
        let half = Bytes::from(body).slice(..promised as usize / 2);
        Self {
            half: Some(half),
            promised,
            flushed: false,
        }
    }
}

impl hyper::body::Body for Halved {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.flushed {
            // One pause, so that the first half is on the wire before the break.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other(
            "answer truncated by the fault script",
        ))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.promised)
    }
}
