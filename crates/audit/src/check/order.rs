//! What a checker knows of one order: the fold of its events, and beside it, kept apart from the fold so that one can be
//! held against the other, what was sent under which key and what the provider said to that.

use std::collections::BTreeSet;

use issuance_domain::{
    CardId, Digest, Discrepancy, EventBody, Generation, IdempotencyKey, OperatorAction, Order,
    OrderId, Policy, Purpose, RefusalClass, Scan, SilenceCause, StateKind, Timestamp, Version,
};
use issuance_store::{Position, Recorded};

use super::basis;
use super::standing::Standing;
use super::violation::Evidence;

/// One event, by where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) position: Position,
    pub(super) version: Version,
    pub(super) name: &'static str,
    pub(super) at: Timestamp,
}

impl Seen {
    pub(super) fn of(recorded: &Recorded) -> Self {
        Self {
            position: recorded.position,
            version: recorded.version,
            name: recorded.event.body.name(),
            at: recorded.event.at,
        }
    }
}

impl From<Seen> for Evidence {
    fn from(seen: Seen) -> Self {
        Self::Event {
            position: seen.position,
            version: seen.version,
            name: seen.name,
            at: seen.at,
        }
    }
}

/// What was sent under one key.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) purpose: Purpose,
    pub(super) generation: Generation,
    pub(super) key: IdempotencyKey,
    pub(super) body: Digest,
    /// When it was started first, and when last.
    pub(super) first: Seen,
    pub(super) last: Timestamp,
    in_flight: bool,
    maybe_arrived: bool,
    pub(super) refused: Option<RefusalClass>,
    pub(super) leftover: bool,
    /// An answer to it was another order's.
    pub(super) mismatched: bool,
    pub(super) proved: bool,
    /// When the later search of the newest proof began.
    pub(super) proved_from: Option<Timestamp>,
}

impl Sent {
    /// Whether the provider may have acted on it and nothing says that it did not.
    pub(super) fn is_open(&self) -> bool {
        let arrived = self.in_flight || self.maybe_arrived;
        match self.refused {
            // Something else was done under our key: what, nobody can say.
            Some(RefusalClass::KeyConflict) => !self.proved,
            Some(
                RefusalClass::Input
                | RefusalClass::Duplicate
                | RefusalClass::Capacity
                | RefusalClass::Configuration
                | RefusalClass::Unknown,
            ) => false,
            None => arrived && !self.proved,
        }
    }
}

/// One order as a checker follows it.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) id: OrderId,
    /// The fold; none before the first event, and after one that cannot follow.
    pub(super) order: Option<Order>,
    /// Where the published table says it stands.
    pub(super) kind: Option<StateKind>,
    /// Its newest event.
    pub(super) newest: Option<Seen>,
    /// The event that ended it.
    pub(super) ended: Option<Seen>,
    pub(super) sent: Vec<Sent>,
    /// What its events demand of how it stands.
    pub(super) standing: Standing,
    /// Who asked for a new key, until a second person approves it.
    pub(super) asked: Option<Box<str>>,
    /// When a second person approved a new key last.
    pub(super) approved: Option<Timestamp>,
    /// How often two people sent it under a new key.
    pub(super) resubmitted: usize,
    /// Cards a person was called for, in the log; somebody may have dealt with them since.
    pub(super) noted: BTreeSet<CardId>,
    /// It is known, in the log, that a live card stands behind the failure.
    pub(super) contradicted: bool,
    /// The newest link whose end was acted on.
    pub(super) expired_link: u32,
    /// The newest event, if it is an operator's.
    pub(super) act: Option<OperatorAction>,
    /// How many acts of operators there are.
    pub(super) acts: u32,
    /// Its events make no sense from some place on: nothing more is judged.
    pub(super) broken: bool,
}

impl Tracked {
    pub(super) fn new(id: OrderId) -> Self {
        Self {
            id,
            order: None,
            kind: None,
            newest: None,
            ended: None,
            sent: Vec::new(),
            standing: Standing::default(),
            asked: None,
            approved: None,
            resubmitted: 0,
            noted: BTreeSet::new(),
            contradicted: false,
            expired_link: 0,
            act: None,
            acts: 0,
            broken: false,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.newest.map_or(Version::NONE, |newest| newest.version)
    }

    /// Its newest event, as evidence.
    pub(super) fn newest(&self) -> Vec<Evidence> {
        self.newest.map(Evidence::from).into_iter().collect()
    }

    pub(super) fn sent(&self, purpose: Purpose, generation: Generation) -> Option<&Sent> {
        self.sent
            .iter()
            .rev()
            .find(|sent| sent.purpose == purpose && sent.generation == generation)
    }

    fn sent_mut(&mut self, purpose: Purpose, generation: Generation) -> Option<&mut Sent> {
        self.sent
            .iter_mut()
            .rev()
            .find(|sent| sent.purpose == purpose && sent.generation == generation)
    }

    /// The newest create call.
    pub(super) fn create(&self) -> Option<&Sent> {
        self.sent
            .iter()
            .rev()
            .find(|sent| sent.purpose == Purpose::CreateCard)
    }

    /// Whether a create call of it is on its way: neither answered, nor taken for lost.
    pub(super) fn flies(&self, now: Timestamp, policy: &Policy) -> bool {
        let asks = self.kind == Some(StateKind::Requested);
        let newest = self.create().filter(|_| asks);
        newest.is_some_and(|sent| sent.in_flight && sent.last.after(policy.call_deadline) > now)
    }

    /// Whether nobody can say what became of its create call.
    pub(super) fn is_unknown(&self) -> bool {
        self.create().is_some_and(Sent::is_open)
    }

    /// Whether an earlier send of a call that was refused for a taken e-mail may have left a card with the person.
    pub(super) fn may_have_left_a_card(&self) -> bool {
        let refused = |sent: &Sent| sent.refused == Some(RefusalClass::Duplicate);
        let left = |sent: &Sent| sent.maybe_arrived && !sent.proved && refused(sent);
        self.perhaps_its_own() && self.create().is_some_and(left)
    }

    /// Whether the person behind its e-mail or phone may be of its own making: of an earlier key, or of an earlier send of
    /// this one, where the call makes the person, too (contract §6.5).
    pub(super) fn perhaps_its_own(&self) -> bool {
        let makes_person = self.order.as_ref().is_some_and(|order| {
            let create = order.submission(Purpose::CreateCard);
            order.terms.cardholder_id.is_none()
                && create.is_some_and(|create| create.cardholder.is_none())
        });
        makes_person
            && self
                .create()
                .is_some_and(|sent| sent.maybe_arrived || sent.generation.0 > 1)
    }

    /// Remembers what an event says, once it was judged.
    pub(super) fn remember(&mut self, body: &EventBody, seen: Seen) {
        self.act = None;
        self.standing.remember(body, seen);
        match body {
            EventBody::SubmissionStarted {
                purpose,
                generation,
                key,
                body_digest,
                ..
            } => self.start(*purpose, *generation, *key, body_digest, seen),
            EventBody::SubmissionUnanswered {
                purpose,
                generation,
                cause,
                ..
            } => {
                let arrived = basis::may_have_arrived(cause);
                let mismatched = matches!(cause, SilenceCause::Mismatched { .. });
                if let Some(sent) = self.sent_mut(*purpose, *generation) {
                    sent.in_flight = false;
                    sent.maybe_arrived |= arrived;
                    sent.mismatched |= mismatched;
                }
            }
            EventBody::SubmissionRefused {
                purpose,
                generation,
                refusal,
                ..
            } => {
                if let Some(sent) = self.sent_mut(*purpose, *generation) {
                    sent.in_flight = false;
                    sent.refused = Some(refusal.class);
                }
            }
            EventBody::KeyExpired {
                purpose,
                generation,
                ..
            } => {
                if let Some(sent) = self.sent_mut(*purpose, *generation) {
                    sent.maybe_arrived |= sent.in_flight;
                    sent.in_flight = false;
                }
            }
            EventBody::AbsenceProved {
                generation, second, ..
            } => {
                if let Some(sent) = self.sent_mut(Purpose::CreateCard, *generation) {
                    sent.proved = true;
                    sent.proved_from = Some(second.began);
                }
            }
            EventBody::LeftoverFound { .. } => {
                let newest = self.sent.iter_mut().rev();
                let mut creates = newest.filter(|sent| sent.purpose == Purpose::CreateCard);
                if let Some(sent) = creates.next() {
                    sent.leftover = true;
                }
            }
            EventBody::IdvLinkExpired { link } => self.expired_link = *link,
            EventBody::DiscrepancyNoted { discrepancy, .. } => {
                self.contradicted |= matches!(discrepancy, Discrepancy::LateSuccess { .. });
                self.noted.extend(discrepancy.card().cloned());
            }
            // One begun before the end is over with it, and knows of no card that comes later.
            EventBody::CompensationStarted { .. } => self.contradicted |= self.ended.is_some(),
            EventBody::OperatorActed { act } => {
                self.act = Some(act.action);
                self.acts += 1;
                match act.action {
                    OperatorAction::Resubmit => self.asked = Some(act.actor.clone()),
                    OperatorAction::ApproveResubmit => {
                        self.asked = None;
                        self.resubmitted += 1;
                        self.approved = Some(seen.at);
                    }
                    OperatorAction::RetryNow
                    | OperatorAction::LookUpNow
                    | OperatorAction::RefreshIdvLink
                    | OperatorAction::Fail
                    | OperatorAction::Cancel
                    | OperatorAction::Pause
                    | OperatorAction::Resume
                    | OperatorAction::Note
                    | OperatorAction::ResolveDiscrepancy
                    | OperatorAction::ErasePersonalData => {}
                }
            }
            EventBody::OrderRequested { .. }
            | EventBody::FailureReported { .. }
            | EventBody::SubmissionAnswered { .. }
            | EventBody::AbsenceObserved { .. }
            | EventBody::ResubmissionOwed { .. }
            | EventBody::OrderAccepted { .. }
            | EventBody::ProviderIdsLearned { .. }
            | EventBody::IdvRequired { .. }
            | EventBody::IdvLinkIssued { .. }
            | EventBody::IdvSubmitted { .. }
            | EventBody::IdvPassed { .. }
            | EventBody::LookUpRequested { .. }
            | EventBody::LookedUp { .. }
            | EventBody::CardActivated { .. }
            | EventBody::OrderFailed { .. }
            | EventBody::AttentionRaised { .. }
            | EventBody::CompensationCompleted { .. }
            | EventBody::HostNotified { .. }
            | EventBody::ErasureRequested { .. }
            | EventBody::PersonalDataErased { .. } => {}
        }
    }

    fn start(
        &mut self,
        purpose: Purpose,
        generation: Generation,
        key: IdempotencyKey,
        body: &Digest,
        seen: Seen,
    ) {
        if let Some(sent) = self.sent_mut(purpose, generation) {
            // A call in flight that is started again was lost with its process; it may have arrived.
            sent.maybe_arrived |= sent.in_flight;
            sent.in_flight = true;
            sent.last = seen.at;
            return;
        }
        self.sent.push(Sent {
            purpose,
            generation,
            key,
            body: body.clone(),
            first: seen,
            last: seen.at,
            in_flight: true,
            maybe_arrived: false,
            refused: None,
            leftover: false,
            mismatched: false,
            proved: false,
            proved_from: None,
        });
    }
}

/// Whether two searches prove together that nothing came of a call (contract §6.5).
pub(super) fn is_proof(first: &Scan, second: &Scan, sent: Timestamp, policy: &Policy) -> bool {
    let arrived = sent.after(policy.call_deadline);
    first.began >= arrived.after(policy.absence_scan_gap)
        && second.began >= first.began.after(policy.absence_scan_gap)
}
