//! Identity verification: what a person at the link, or a reviewer, does to cardholder and cards (contract §7).

use uuid::Uuid;

use super::State;
use super::entities::{CardStatus, Cardholder, CardholderStatus, IdvLink, IdvStatus, TimerAction};
use super::tokens::millis;
use crate::clock::Millis;
use crate::faults::IdvOutcome;

/// Why an action on an IDV does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdvError {
    #[error("no cardholder has this verification")]
    Unknown,
    #[error("the link has expired; ask for a new one")]
    Expired,
    #[error("the link was replaced by a newer one")]
    Replaced,
    #[error("the verification is over")]
    Over,
}

impl State {
    pub(crate) fn idv_url(&self, link: &IdvLink) -> String {
        format!("{}{}", self.idv_base, link.token)
    }

    /// The cardholder a link stands for, if it is the newest and has not expired.
    pub(crate) fn open_link(&self, token: &str, now: Millis) -> Result<&Cardholder, IdvError> {
        let holder = self
            .index
            .owner_of_link(token)
            .and_then(|id| self.cardholder(id))
            .ok_or(IdvError::Unknown)?;
        match &holder.link {
            Some(link) if link.token != token => Err(IdvError::Replaced),
            Some(link) if link.expires_at <= now => Err(IdvError::Expired),
            Some(_) if holder.idv == Some(IdvStatus::Pending) => Ok(holder),
            _ => Err(IdvError::Over),
        }
    }

    /// What a person does, or a reviewer after the person has submitted: a verdict may come after the link's end.
    pub(crate) fn person_acts(
        &mut self,
        id: Uuid,
        outcome: IdvOutcome,
        now: Millis,
    ) -> Result<(), IdvError> {
        let mut holder = self.cardholder(id).cloned().ok_or(IdvError::Unknown)?;
        if outcome == IdvOutcome::Leave {
            return Ok(());
        }
        if !matches!(
            holder.status,
            CardholderStatus::Incomplete | CardholderStatus::Pending
        ) {
            return Err(IdvError::Over);
        }
        let expired = holder
            .link
            .as_ref()
            .is_some_and(|link| link.expires_at <= now);
        if expired && !holder.submitted {
            return Err(IdvError::Expired);
        }
        let reason = match outcome {
            IdvOutcome::Pass => {
                (holder.status, holder.idv) = (
                    CardholderStatus::Success,
                    holder.idv.map(|_| IdvStatus::Passed),
                );
                ""
            }
            IdvOutcome::Fail => {
                (holder.status, holder.idv) = (
                    CardholderStatus::Failed,
                    holder.idv.map(|_| IdvStatus::Failed),
                );
                "document could not be verified"
            }
            IdvOutcome::Submit => {
                holder.status = CardholderStatus::Pending;
                ""
            }
            IdvOutcome::Incomplete => {
                holder.status = CardholderStatus::Incomplete;
                "a clearer photo of the document is needed"
            }
            IdvOutcome::Leave => return Ok(()),
        };
        holder.submitted = outcome != IdvOutcome::Incomplete;
        holder.updated_at = now;
        self.put_cardholder(holder.clone());
        self.emit_kyc_changed(&holder, reason, now);
        match holder.status {
            CardholderStatus::Success => self.release_cards(id, now),
            CardholderStatus::Failed => self.fail_cards(id, now),
            CardholderStatus::Pending | CardholderStatus::Incomplete => {}
        }
        Ok(())
    }

    pub(super) fn end_review(&mut self, id: Uuid, at: Millis) {
        let waiting = self
            .cardholder(id)
            .is_some_and(|h| h.status == CardholderStatus::Pending && h.idv.is_none());
        if waiting {
            // Cannot be refused: without a link nothing expires.
            let _ = self.person_acts(id, IdvOutcome::Pass, at);
        }
    }

    /// The cards that waited for their person go on by themselves.
    pub(super) fn release_cards(&mut self, holder: Uuid, now: Millis) {
        let due_at = now + millis(self.config.processing_delay);
        for card in self.waiting_cards(holder) {
            self.schedule(due_at, TimerAction::FinishCard(card));
        }
    }

    fn fail_cards(&mut self, holder: Uuid, now: Millis) {
        for card in self.waiting_cards(holder) {
            if let Some(card) = self.card(card).cloned() {
                self.fail_card(card, Some("KYC_FAILED".into()), now);
            }
        }
    }

    fn waiting_cards(&self, holder: Uuid) -> Vec<Uuid> {
        let pending = |id: &Uuid| {
            self.card(*id)
                .is_some_and(|card| card.status == CardStatus::Pending)
        };
        self.index
            .cards_of(holder)
            .iter()
            .copied()
            .filter(pending)
            .collect()
    }
}
