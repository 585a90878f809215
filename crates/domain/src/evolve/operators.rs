//! What operators did.

use crate::attention::{Attention, AttentionReason};
use crate::event::{OperatorAct, OperatorAction};
use crate::ids::Version;
use crate::key::{Generation, Purpose};
use crate::order::{Asked, Order, Phase, State, Submission, Watch};
use crate::time::Timestamp;

impl Order {
    pub(super) fn act(&mut self, act: &OperatorAct, version: Version, at: Timestamp) -> Option<()> {
        let action = act.action;
        let moves = !matches!(
            action,
            OperatorAction::Note | OperatorAction::ErasePersonalData
        );
        if moves {
            self.watch = Watch {
                cause: version,
                since: at,
            };
        }
        match action {
            OperatorAction::RetryNow => self.retry_now(version, at),
            OperatorAction::RefreshIdvLink => self.owe_renewal(version, at)?,
            OperatorAction::Pause => {
                self.paused = true;
                self.attention = Some(Attention {
                    reason: AttentionReason::Paused,
                    since: at,
                });
            }
            OperatorAction::Resume => {
                self.paused = false;
                self.settle_attention(at);
            }
            OperatorAction::ResolveDiscrepancy => {
                for discrepancy in self.discrepancies.drain(..) {
                    discrepancy.resolve(&mut self.resolved);
                }
                self.settle_attention(at);
            }
            OperatorAction::Resubmit => {
                if let State::Requested { submission } = &mut self.state {
                    submission.resubmit_asked = Some(Asked {
                        by: act.actor.clone(),
                        at,
                    });
                }
            }
            // What follows from these stands in the events after them.
            OperatorAction::ApproveResubmit
            | OperatorAction::LookUpNow
            | OperatorAction::Fail
            | OperatorAction::Cancel
            | OperatorAction::ErasePersonalData
            | OperatorAction::Note => {}
        }
        Some(())
    }

    fn retry_now(&mut self, version: Version, at: Timestamp) {
        let id = self.id;
        for purpose in [
            Purpose::CreateCard,
            Purpose::RenewIdvLink,
            Purpose::CancelCard,
        ] {
            let Some(generation) = self
                .submission(purpose)
                .map(|submission| submission.generation)
            else {
                continue;
            };
            let Some(submission) = self.submission_mut(purpose, generation) else {
                continue;
            };
            match &submission.phase {
                Phase::Owed { .. } => {
                    submission.cause = version;
                    submission.phase = Phase::Owed { due: at };
                }
                // The refusal is cached under the spent key (contract §6.4).
                Phase::Refused { .. } => {
                    let cardholder = submission.cardholder.take();
                    let next =
                        Submission::new(id, purpose, Generation(generation.0 + 1), version, at);
                    *submission = Submission { cardholder, ..next };
                    self.count_renewal(purpose, generation.0 + 1);
                }
                // Asking twice for a link, or twice for a cancel, makes no second card.
                Phase::Expired { .. } | Phase::Done if purpose != Purpose::CreateCard => {
                    *submission =
                        Submission::new(id, purpose, Generation(generation.0 + 1), version, at);
                    self.count_renewal(purpose, generation.0 + 1);
                }
                Phase::InFlight { .. } | Phase::Expired { .. } | Phase::Done => {}
            }
        }
        self.attention = self.attention.take().filter(Attention::outlives_progress);
    }
}
