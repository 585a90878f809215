//! How an event changes an order. It only remembers; it judges nothing but whether a history can be true.

use crate::absence::Absence;
use crate::attention::{Attention, AttentionReason, Discrepancy};
use crate::event::{Event, EventBody, LookUpCause, OperatorAct, OperatorAction};
use crate::fact::ProviderIds;
use crate::ids::{OrderId, Version};
use crate::key::{Generation, Purpose};
use crate::order::{
    Asked, Claimed, Compensation, Erasure, ExpiryCause, FailureClaim, Idv, LookUp, Notice, Order,
    Phase, SilenceCause, State, Submission, Watch,
};
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
    let Some(order) = order else {
        return begin(id, event);
    };
    let misfit = CorruptHistory {
        event: event.body.name(),
        version: order.version,
        state: order.state.name(),
    };
    order.apply(event).ok_or(misfit)
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
        discrepancy: None,
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

    /// `None` when the event cannot follow.
    fn apply(mut self, event: &Event) -> Option<Self> {
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
            } => {
                let submission = self.submission_mut(*purpose, *generation)?;
                submission.attempts = *attempt;
                submission.first_started_at.get_or_insert(at);
                submission.last_started_at = Some(at);
                submission.body_digest = Some(body_digest.clone());
                // A call in flight that is started again was lost with its process; it may have arrived.
                submission.maybe_sent |= matches!(submission.phase, Phase::InFlight { .. });
                submission.phase = Phase::InFlight { since: at };
            }
            EventBody::SubmissionUnanswered {
                purpose,
                generation,
                cause,
                retry_at,
                ..
            } => {
                let submission = self.submission_mut(*purpose, *generation)?;
                submission.maybe_sent |= cause.maybe_sent();
                submission.phase = Phase::Owed { due: *retry_at };
                let mismatched = matches!(cause, SilenceCause::Mismatched { .. });
                submission.mismatched |= mismatched;
                let hopeless = submission.count_error(cause) || mismatched;
                if hopeless && *purpose == Purpose::CreateCard && self.look_up.is_none() {
                    self.look_up = Some(LookUp {
                        cause: version,
                        at,
                        at_once: true,
                    });
                }
            }
            EventBody::SubmissionRefused {
                purpose,
                generation,
                refusal,
                ..
            } => {
                self.submission_mut(*purpose, *generation)?.phase = Phase::Refused {
                    refusal: refusal.clone(),
                };
            }
            EventBody::SubmissionAnswered {
                purpose,
                generation,
                ..
            } => {
                self.submission_mut(*purpose, *generation)?.phase = Phase::Done;
            }
            EventBody::KeyExpired {
                purpose,
                generation,
                because,
            } => {
                let submission = self.submission_mut(*purpose, *generation)?;
                // A call in flight that is given up may have arrived.
                submission.maybe_sent |= matches!(submission.phase, Phase::InFlight { .. });
                submission.phase = Phase::Expired { because: *because };
                self.look_up = Some(LookUp {
                    cause: version,
                    at,
                    at_once: true,
                });
            }
            EventBody::AbsenceObserved {
                generation,
                scan,
                counts,
            } => {
                let submission = self.submission_mut(Purpose::CreateCard, *generation)?;
                if *counts {
                    submission.absence = Some(Absence::Seen { scan: scan.clone() });
                }
                self.look_up = Some(LookUp {
                    cause: version,
                    at,
                    at_once: false,
                });
            }
            EventBody::AbsenceProved {
                generation,
                first,
                second,
            } => {
                let submission = self.submission_mut(Purpose::CreateCard, *generation)?;
                submission.absence = Some(Absence::Proved {
                    first: first.clone(),
                    second: second.clone(),
                });
                self.look_up = Some(LookUp {
                    cause: version,
                    at,
                    at_once: false,
                });
            }
            EventBody::LeftoverFound { cardholder, .. } => {
                let State::Requested { .. } = self.state else {
                    return None;
                };
                self.ids.learn(&ProviderIds {
                    cardholder: Some(cardholder.clone()),
                    ..ProviderIds::default()
                });
            }
            EventBody::ResubmissionOwed {
                purpose,
                generation,
                due,
                cardholder,
            } => {
                let spent = Generation(generation.0.checked_sub(1)?);
                let id = self.id;
                let submission = self.submission_mut(*purpose, spent)?;
                *submission = Submission {
                    cardholder: cardholder.clone(),
                    ..Submission::new(id, *purpose, *generation, version, *due)
                };
                self.count_renewal(*purpose, generation.0);
                if *purpose == Purpose::CreateCard {
                    self.look_up = None;
                    self.watch = Watch {
                        cause: version,
                        since: at,
                    };
                }
                // Sent at once, it answers what a person was called for; a wait keeps its reason on the list.
                if *due <= at {
                    self.attention = self.attention.take().filter(Attention::outlives_progress);
                }
            }
            EventBody::OrderAccepted {
                ids, under_review, ..
            } => {
                let State::Requested { .. } = self.state else {
                    return None;
                };
                self.ids.learn(ids);
                self.enter(
                    State::Accepted {
                        since: at,
                        under_review: *under_review,
                    },
                    at,
                );
            }
            EventBody::ProviderIdsLearned { ids, .. } => self.ids.learn(ids),
            EventBody::IdvRequired { link, .. } => {
                let State::Accepted { .. } = self.state else {
                    return None;
                };
                let idv = Idv {
                    since: at,
                    link: link.clone(),
                    number: 1,
                    submitted_at: None,
                    renewal: None,
                };
                self.enter(State::IdvPending { idv }, at);
                // Without a link there is one to be found.
                self.look_up = Some(LookUp {
                    cause: version,
                    at,
                    at_once: link.is_none(),
                });
                self.owe_notice(version, at);
            }
            EventBody::IdvLinkIssued { link, .. } => {
                let State::IdvPending { idv } = &mut self.state else {
                    return None;
                };
                idv.number += u32::from(idv.link.is_some());
                idv.link = Some(link.clone());
                idv.submitted_at = None;
                idv.renewal = None;
                self.attention = self.attention.take().filter(Attention::outlives_progress);
                self.owe_notice(version, at);
            }
            EventBody::IdvSubmitted { .. } => match &mut self.state {
                State::IdvPending { idv } => {
                    idv.submitted_at.get_or_insert(at);
                }
                State::Accepted { under_review, .. } => *under_review = true,
                State::Requested { .. } | State::Active { .. } | State::Failed { .. } => {
                    return None;
                }
            },
            EventBody::IdvLinkExpired { .. } => self.owe_renewal(version, at)?,
            EventBody::IdvPassed { .. } => {
                // One message says rejected, another verified: from here only the provider's record decides.
                if let Some(claim) = self.claim.as_mut().filter(|claim| claim.blames_person()) {
                    claim.contradicted = true;
                }
                let (State::IdvPending { .. }
                | State::Accepted {
                    under_review: true, ..
                }) = self.state
                else {
                    return None;
                };
                self.enter(
                    State::Accepted {
                        since: at,
                        under_review: false,
                    },
                    at,
                );
            }
            EventBody::FailureReported { code, source } => {
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
                claim.code = claim.code.take().or_else(|| code.clone());
                self.look_up = Some(LookUp {
                    cause: version,
                    at,
                    at_once: true,
                });
            }
            EventBody::LookedUp { cause } => {
                let look_up = self
                    .look_up
                    .take()
                    .filter(|look_up| look_up.cause == *cause)?;
                self.late_looks = self
                    .late_looks
                    .map(|done| done + u32::from(!look_up.at_once));
                self.look_up = self.late_looks.map(|_| LookUp {
                    cause: version,
                    at,
                    at_once: false,
                });
            }
            EventBody::LookUpRequested { cause } => {
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
            }
            EventBody::CardActivated { card, .. } => {
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
            }
            EventBody::OrderFailed { failure, .. } => {
                if self.state.is_terminal() {
                    return None;
                }
                let card_may_come = failure.kind.is_our_decision() && self.may_have_a_card();
                // There is nothing left to be paused but the looks for a card that may come all the same.
                let was_paused = std::mem::take(&mut self.paused);
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
            }
            EventBody::AttentionRaised { reason } => {
                self.attention = Some(Attention {
                    reason: reason.clone(),
                    since: at,
                });
            }
            EventBody::DiscrepancyNoted { discrepancy, .. } => {
                self.discrepancy = Some(discrepancy.clone());
                if matches!(discrepancy, Discrepancy::LateSuccess { .. }) {
                    // What was looked for is found.
                    self.late_looks = None;
                    self.look_up = self.look_up.take().filter(|look_up| look_up.at_once);
                }
                self.attention = Some(Attention {
                    reason: AttentionReason::Discrepancy,
                    since: at,
                });
            }
            EventBody::CompensationStarted { by } => {
                self.compensation = Some(Compensation {
                    by: by.clone(),
                    since: at,
                    submission: None,
                    done: false,
                    ended: None,
                });
                if self.state.is_terminal() {
                    self.owe_cancel(version, at);
                }
            }
            EventBody::CompensationCompleted { status } => {
                let running = self.compensation.as_mut()?;
                running.done = true;
                running.ended = status.clone();
                running.submission = None;
                if matches!(self.discrepancy, Some(Discrepancy::LateSuccess { .. })) {
                    self.discrepancy = None;
                }
                self.settle_attention(at);
                self.look_up = self.look_up.take().filter(|_| self.late_looks.is_some());
                self.owe_notice(version, at);
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
        Some(self)
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

    fn act(&mut self, act: &OperatorAct, version: Version, at: Timestamp) -> Option<()> {
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
                if let Some(discrepancy) = self.discrepancy.take() {
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
        if self.discrepancy.is_some() {
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
