//! How an event changes an order. It only remembers; it judges nothing but whether a history can be true.

mod compensation;
mod identity;
mod operators;
mod road;
mod submissions;

use crate::absence::Absence;
use crate::attention::{Attention, AttentionReason};
use crate::event::{Event, EventBody};
use crate::fact::ProviderIds;
use crate::ids::{OrderId, Version};
use crate::key::{Generation, Purpose};
use crate::order::{Erasure, ExpiryCause, LookUp, Notice, Order, Phase, State, Submission, Watch};
use crate::time::Timestamp;

/// A history that cannot be true: a broken store or an event of a newer engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event `{event}` cannot follow version {version} in state `{state}`")]
pub struct CorruptHistory {
    /// The event that does not fit.
    pub event: &'static str,
    /// The version before it.
    pub version: Version,
    /// The state before it; `none` before the first event.
    pub state: &'static str,
}

/// Applies one event.
///
/// # Errors
/// When the event cannot follow the order's history.
pub fn evolve(id: OrderId, order: Option<Order>, event: &Event) -> Result<Order, CorruptHistory> {
    let Some(mut order) = order else {
        return begin(id, event);
    };
    let misfit = CorruptHistory {
        event: event.body.name(),
        version: order.version,
        state: order.state.name(),
    };
    order.apply(event).map(|()| order).ok_or(misfit)
}

fn begin(id: OrderId, event: &Event) -> Result<Order, CorruptHistory> {
    let EventBody::OrderRequested {
        terms,
        personal_digest,
        prepaid,
    } = &event.body
    else {
        return Err(CorruptHistory {
            event: event.body.name(),
            version: Version::NONE,
            state: "none",
        });
    };
    let version = Version::NONE.next();
    Ok(Order {
        id,
        version,
        placed_at: event.at,
        updated_at: event.at,
        terms: terms.clone(),
        personal_digest: personal_digest.clone(),
        prepaid: *prepaid,
        state: State::Requested {
            submission: Submission::new(id, Purpose::CreateCard, Generation(1), version, event.at),
        },
        ids: ProviderIds {
            cardholder: terms.cardholder_id.clone(),
            ..ProviderIds::default()
        },
        look_up: None,
        claim: None,
        attention: None,
        discrepancies: Vec::new(),
        resolved: Vec::new(),
        compensation: None,
        renewals: 0,
        notice: Notice {
            owed: Version::NONE,
            owed_at: event.at,
            told: Version::NONE,
        },
        watch: Watch {
            cause: version,
            since: event.at,
        },
        paused: false,
        late_looks: None,
        erasure: None,
    })
}

impl Order {
    fn submission_mut(
        &mut self,
        purpose: Purpose,
        generation: Generation,
    ) -> Option<&mut Submission> {
        let found = match purpose {
            Purpose::CreateCard => {
                let State::Requested { submission } = &mut self.state else {
                    return None;
                };
                Some(submission)
            }
            Purpose::RenewIdvLink => {
                let State::IdvPending { idv } = &mut self.state else {
                    return None;
                };
                idv.renewal.as_mut()
            }
            Purpose::CancelCard => self
                .compensation
                .as_mut()
                .and_then(|running| running.submission.as_mut()),
        };
        found.filter(|submission| submission.generation == generation)
    }

    /// `None` when the event cannot follow; what is left of the order then is nothing.
    fn apply(&mut self, event: &Event) -> Option<()> {
        self.version = self.version.next();
        self.updated_at = event.at;
        let (version, at) = (self.version, event.at);
        match &event.body {
            EventBody::OrderRequested { .. } => return None,
            EventBody::SubmissionStarted {
                purpose,
                generation,
                attempt,
                body_digest,
                ..
            } => self.submission_started(*purpose, *generation, *attempt, body_digest, at)?,
            EventBody::SubmissionUnanswered {
                purpose,
                generation,
                cause,
                retry_at,
                ..
            } => self.submission_unanswered(*purpose, *generation, cause, *retry_at, at)?,
            EventBody::SubmissionRefused {
                purpose,
                generation,
                refusal,
                ..
            } => self.submission_refused(*purpose, *generation, refusal)?,
            EventBody::SubmissionAnswered {
                purpose,
                generation,
                ..
            } => self.submission_answered(*purpose, *generation)?,
            EventBody::KeyExpired {
                purpose,
                generation,
                because,
            } => self.key_expired(*purpose, *generation, *because, at)?,
            EventBody::AbsenceObserved {
                generation,
                scan,
                counts,
            } => self.absence_observed(*generation, scan, *counts, at)?,
            EventBody::AbsenceProved {
                generation,
                first,
                second,
            } => self.absence_proved(*generation, first, second, at)?,
            EventBody::LeftoverFound { cardholder, .. } => self.leftover_found(cardholder)?,
            EventBody::ResubmissionOwed {
                purpose,
                generation,
                due,
                cardholder,
            } => self.resubmission_owed(*purpose, *generation, *due, cardholder.as_ref(), at)?,
            EventBody::OrderAccepted {
                ids, under_review, ..
            } => self.order_accepted(ids, *under_review, at)?,
            EventBody::ProviderIdsLearned { ids, .. } => self.ids.learn(ids),
            EventBody::IdvRequired { link, .. } => self.idv_required(link.as_ref(), at)?,
            EventBody::IdvLinkIssued { link, .. } => self.idv_link_issued(link, at)?,
            EventBody::IdvSubmitted { .. } => self.idv_submitted(at)?,
            EventBody::IdvLinkExpired { .. } => self.owe_renewal(version, at)?,
            EventBody::IdvPassed { .. } => self.idv_passed(at)?,
            EventBody::FailureReported { code, source } => {
                self.failure_reported(code.as_deref(), source, at)?
            }
            EventBody::LookedUp { cause } => self.looked_up(*cause, at)?,
            EventBody::LookUpRequested { cause } => self.look_up_requested(cause, at)?,
            EventBody::CardActivated { card, .. } => self.card_activated(card, at)?,
            EventBody::OrderFailed { failure, .. } => self.order_failed(failure, at)?,
            EventBody::AttentionRaised { reason } => {
                self.attention = Some(Attention {
                    reason: reason.clone(),
                    since: at,
                });
            }
            EventBody::DiscrepancyNoted { discrepancy, .. } => {
                self.discrepancy_noted(discrepancy, at)?
            }
            EventBody::CompensationStarted { by } => self.compensation_started(by, at)?,
            EventBody::CompensationCompleted { status } => {
                self.compensation_completed(status.as_ref(), at)?
            }
            EventBody::HostNotified { through } => {
                self.notice.told = self.notice.told.max(*through)
            }
            EventBody::OperatorActed { act } => self.act(act, version, at)?,
            EventBody::ErasureRequested { by } => {
                if !self.is_closed() || self.erasure.is_some() {
                    return None;
                }
                self.erasure = Some(Erasure {
                    by: by.clone(),
                    requested: version,
                    requested_at: at,
                    done_at: None,
                });
            }
            EventBody::PersonalDataErased { requested } => {
                let erasure = self.erasure.as_mut()?;
                if erasure.requested != *requested || erasure.done_at.is_some() {
                    return None;
                }
                erasure.done_at = Some(at);
            }
        }
        Some(())
    }

    fn owe_notice(&mut self, version: Version, at: Timestamp) {
        self.notice.owed = version;
        self.notice.owed_at = at;
    }

    /// Enters a state: what belonged to the one before is over.
    fn enter(&mut self, state: State, at: Timestamp) {
        self.attention = self.attention.take().filter(Attention::outlives_progress);
        // A reported failure outlives the identity check: only an end, or a read, settles it.
        self.claim = self.claim.take().filter(|_| !state.is_terminal());
        self.watch = Watch {
            cause: self.version,
            since: at,
        };
        self.look_up = (!state.is_terminal()).then_some(LookUp {
            cause: self.version,
            at,
            at_once: false,
        });
        self.state = state;
    }

    fn owe_renewal(&mut self, version: Version, at: Timestamp) -> Option<()> {
        let State::IdvPending { idv } = &mut self.state else {
            return None;
        };
        self.renewals += 1;
        idv.renewal = Some(Submission::new(
            self.id,
            Purpose::RenewIdvLink,
            Generation(self.renewals),
            version,
            at,
        ));
        Some(())
    }

    /// A running compensation can cancel once the card's making is over.
    fn owe_cancel(&mut self, version: Version, at: Timestamp) {
        let Some(running) = self.compensation.as_mut().filter(|running| !running.done) else {
            return;
        };
        let generation = running
            .submission
            .as_ref()
            .map_or(1, |spent| spent.generation.0 + 1);
        running.submission = Some(Submission::new(
            self.id,
            Purpose::CancelCard,
            Generation(generation),
            version,
            at,
        ));
        // The cancel's end is read like everything else.
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: false,
        });
    }

    fn count_renewal(&mut self, purpose: Purpose, renewals: u32) {
        if purpose == Purpose::RenewIdvLink {
            self.renewals = renewals;
        }
    }

    /// Something was answered: what is left for a person, so that clearing one mark never hides another.
    fn settle_attention(&mut self, at: Timestamp) {
        self.attention = self
            .standing()
            .map(|reason| Attention { reason, since: at });
    }

    fn standing(&self) -> Option<AttentionReason> {
        if self.paused {
            return Some(AttentionReason::Paused);
        }
        if !self.discrepancies.is_empty() {
            return Some(AttentionReason::Discrepancy);
        }
        [
            Purpose::CreateCard,
            Purpose::RenewIdvLink,
            Purpose::CancelCard,
        ]
        .into_iter()
        .find_map(|purpose| {
            let submission = self.submission(purpose)?;
            match &submission.phase {
                Phase::Refused { refusal } => Some(AttentionReason::behind(purpose, refusal)),
                Phase::Expired {
                    because: Some(ExpiryCause::DataMissing),
                } => Some(AttentionReason::DataMissing),
                Phase::Expired { .. } => match submission.absence {
                    Some(Absence::Proved { .. }) => Some(AttentionReason::AbsenceProved),
                    Some(Absence::Seen { .. }) | None => Some(AttentionReason::OutcomeUnknown),
                },
                Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => None,
            }
        })
    }

    /// Whether the provider may have, or may still make, a card for it.
    fn may_have_a_card(&self) -> bool {
        match &self.state {
            State::Requested { submission } => submission.outcome_unknown(),
            State::Accepted { .. } | State::IdvPending { .. } | State::Active { .. } => true,
            State::Failed { .. } => false,
        }
    }

    /// Accepted and not ended: the provider has the next word.
    fn is_waiting(&self) -> bool {
        matches!(
            self.state,
            State::Accepted { .. } | State::IdvPending { .. }
        )
    }
}
