//! The order's road: accepted, looked up, reported, ended, contradicted.

use crate::attention::{Attention, AttentionReason, Discrepancy};
use crate::event::LookUpCause;
use crate::fact::{ProviderIds, Source};
use crate::failure::Failure;
use crate::ids::{CardId, Version};
use crate::order::{Claimed, FailureClaim, LookUp, Order, State};
use crate::planted::{self, Bug};
use crate::time::Timestamp;

impl Order {
    pub(super) fn order_accepted(
        &mut self,
        ids: &ProviderIds,
        under_review: bool,
        at: Timestamp,
    ) -> Option<()> {
        let State::Requested { .. } = self.state else {
            return None;
        };
        self.ids.learn(ids);
        self.enter(
            State::Accepted {
                since: at,
                under_review,
            },
            at,
        );
        Some(())
    }

    pub(super) fn failure_reported(
        &mut self,
        code: Option<&str>,
        source: &Source,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        if !self.is_waiting() {
            return None;
        }
        let of = if source.judges_person() {
            Claimed::Person
        } else {
            Claimed::Card
        };
        let claim = self.claim.get_or_insert(FailureClaim {
            code: None,
            at,
            contradicted: false,
            of,
        });
        if claim.of != of {
            claim.of = Claimed::Both;
        }
        claim.code = claim.code.take().or_else(|| code.map(Into::into));
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: true,
        });
        Some(())
    }

    pub(super) fn looked_up(&mut self, cause: Version, at: Timestamp) -> Option<()> {
        let version = self.version;
        let look_up = self
            .look_up
            .take()
            .filter(|look_up| look_up.cause == cause)?;
        self.late_looks = self
            .late_looks
            .map(|done| done + u32::from(!look_up.at_once));
        self.look_up = self.late_looks.map(|_| LookUp {
            cause: version,
            at,
            at_once: false,
        });
        Some(())
    }

    pub(super) fn look_up_requested(&mut self, cause: &LookUpCause, at: Timestamp) -> Option<()> {
        let version = self.version;
        match cause {
            // The record shows another verdict than a message did.
            LookUpCause::Confirm { source } if source.is_read() => {
                self.claim = self.claim.take().filter(FailureClaim::blames_card);
                if let Some(claim) = &mut self.claim {
                    claim.of = Claimed::Card;
                }
            }
            LookUpCause::Confirm { source } => {
                if let Some(claim) = &mut self.claim {
                    claim.contradicted |= source.announces_card();
                }
            }
            LookUpCause::Operator | LookUpCause::Leftover => {}
        }
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: true,
        });
        Some(())
    }

    pub(super) fn card_activated(&mut self, card: &CardId, at: Timestamp) -> Option<()> {
        let version = self.version;
        if !self.is_waiting() {
            return None;
        }
        self.enter(
            State::Active {
                card: card.clone(),
                since: at,
            },
            at,
        );
        self.owe_cancel(version, at);
        self.owe_notice(version, at);
        Some(())
    }

    pub(super) fn order_failed(&mut self, failure: &Failure, at: Timestamp) -> Option<()> {
        let version = self.version;
        if self.state.is_terminal() {
            return None;
        }
        let card_may_come = failure.kind.is_our_decision() && self.may_have_a_card();
        // There is nothing left to be paused but the looks for a card that may come all the same.
        let was_paused = self.paused;
        self.paused &= planted::is(Bug::PauseOutlivesEnd);
        self.enter(
            State::Failed {
                failure: failure.clone(),
                since: at,
            },
            at,
        );
        if card_may_come {
            self.late_looks = Some(0);
            self.look_up = Some(LookUp {
                cause: version,
                at,
                at_once: false,
            });
        }
        if was_paused {
            self.settle_attention(at);
        }
        self.owe_notice(version, at);
        Some(())
    }

    pub(super) fn discrepancy_noted(
        &mut self,
        discrepancy: &Discrepancy,
        at: Timestamp,
    ) -> Option<()> {
        self.discrepancies.push(discrepancy.clone());
        if matches!(discrepancy, Discrepancy::LateSuccess { .. }) {
            // What was looked for is found.
            self.late_looks = None;
            self.look_up = self.look_up.take().filter(|look_up| look_up.at_once);
        }
        if !planted::is(Bug::ContradictionUnlisted) {
            self.attention = Some(Attention {
                reason: AttentionReason::Discrepancy,
                since: at,
            });
        }
        Some(())
    }
}
