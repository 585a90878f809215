//! What a call came to: the answer, and what the ledger notes about it.

use uuid::Uuid;

use super::outgoing::{Outgoing, Reply};
use crate::errors::Refusal;
use crate::ledger::Answer;
use crate::state::StoredAnswer;

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) outgoing: Outgoing,
    pub(crate) code: Option<String>,
    pub(crate) card_id: Option<Uuid>,
    pub(crate) cardholder_id: Option<Uuid>,
    /// This very call changed the world.
    pub(crate) effect: bool,
    pub(crate) replayed: bool,
    /// Deliveries to be tried before the answer leaves.
    pub(crate) early: Vec<u64>,
    /// How long the finished answer waits.
    pub(crate) late_ms: u64,
}

impl Outcome {
    fn new(outgoing: Outgoing) -> Self {
        Self {
            outgoing,
            code: None,
            card_id: None,
            cardholder_id: None,
            effect: false,
            replayed: false,
            early: Vec::new(),
            late_ms: 0,
        }
    }

    pub(crate) fn done(reply: Reply, effect: bool) -> Self {
        Self {
            card_id: reply.card_id,
            cardholder_id: reply.cardholder_id,
            early: reply.early,
            effect,
            ..Self::new(Outgoing::json(reply.status, reply.body))
        }
    }

    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self {
            code: Some(refusal.code.clone()),
            ..Self::new(Outgoing::refused(refusal))
        }
    }

    pub(crate) fn replayed(stored: &StoredAnswer) -> Self {
        Self {
            code: stored.code.clone(),
            card_id: stored.card_id,
            cardholder_id: stored.cardholder_id,
            replayed: true,
            ..Self::new(Outgoing::json(stored.status, stored.body.clone()))
        }
    }

    pub(crate) fn leaving(mut self, answer: Answer) -> Self {
        self.outgoing.answer = answer;
        self
    }
}
