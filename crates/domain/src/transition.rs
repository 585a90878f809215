//! The table of transitions: which event can follow in which state, and the state after it. It is stated apart from
//! `evolve`, so that one can be held against the other: by tests, by `docs/lifecycle.md`, and by whoever judges a log.

use crate::event::EventBody;
use crate::key::Purpose;
use crate::order::State;

/// Which of the five states, without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKind {
    /// The host asked.
    Requested,
    /// The provider has it.
    Accepted,
    /// A person has to act.
    IdvPending,
    /// The card is usable.
    Active,
    /// There will be no card.
    Failed,
}

impl StateKind {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Requested,
        Self::Accepted,
        Self::IdvPending,
        Self::Active,
        Self::Failed,
    ];

    /// The name used in lists, metrics and documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::IdvPending => "idv_pending",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing can change it any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Active | Self::Failed => true,
            Self::Requested | Self::Accepted | Self::IdvPending => false,
        }
    }
}

impl State {
    /// Which of the five.
    #[must_use]
    pub fn kind(&self) -> StateKind {
        match self {
            Self::Requested { .. } => StateKind::Requested,
            Self::Accepted { .. } => StateKind::Accepted,
            Self::IdvPending { .. } => StateKind::IdvPending,
            Self::Active { .. } => StateKind::Active,
            Self::Failed { .. } => StateKind::Failed,
        }
    }
}

/// The state after an event; none when the event cannot follow there. `from` is none before the first event.
#[must_use]
pub fn transition(from: Option<StateKind>, event: &EventBody) -> Option<StateKind> {
    use StateKind::{Accepted, Active, Failed, IdvPending, Requested};
    let Some(from) = from else {
        return matches!(event, EventBody::OrderRequested { .. }).then_some(Requested);
    };
    let stays_in = |states: &[StateKind]| states.contains(&from).then_some(from);
    let leads = |states: &[StateKind], to| states.contains(&from).then_some(to);
    match event {
        EventBody::OrderRequested { .. } => None,
        EventBody::SubmissionStarted { purpose, .. }
        | EventBody::SubmissionUnanswered { purpose, .. }
        | EventBody::SubmissionRefused { purpose, .. }
        | EventBody::SubmissionAnswered { purpose, .. }
        | EventBody::KeyExpired { purpose, .. }
        | EventBody::ResubmissionOwed { purpose, .. } => stays_in(match purpose {
            Purpose::CreateCard => &[Requested],
            Purpose::RenewIdvLink => &[IdvPending],
            Purpose::CancelCard => &[Active, Failed],
        }),
        EventBody::AbsenceObserved { .. }
        | EventBody::AbsenceProved { .. }
        | EventBody::LeftoverFound { .. } => stays_in(&[Requested]),
        EventBody::OrderAccepted { .. } => leads(&[Requested], Accepted),
        EventBody::ProviderIdsLearned { .. } => stays_in(&[Accepted, IdvPending, Active, Failed]),
        EventBody::IdvRequired { .. } => leads(&[Accepted], IdvPending),
        EventBody::IdvLinkIssued { .. } | EventBody::IdvLinkExpired { .. } => {
            stays_in(&[IdvPending])
        }
        EventBody::IdvSubmitted { .. } | EventBody::FailureReported { .. } => {
            stays_in(&[Accepted, IdvPending])
        }
        EventBody::IdvPassed { .. } => leads(&[Accepted, IdvPending], Accepted),
        EventBody::CardActivated { .. } => leads(&[Accepted, IdvPending], Active),
        EventBody::OrderFailed { .. } => leads(&[Requested, Accepted, IdvPending], Failed),
        EventBody::LookedUp { .. }
        | EventBody::CompensationCompleted { .. }
        | EventBody::ErasureRequested { .. }
        | EventBody::PersonalDataErased { .. } => stays_in(&[Active, Failed]),
        EventBody::LookUpRequested { .. }
        | EventBody::AttentionRaised { .. }
        | EventBody::DiscrepancyNoted { .. }
        | EventBody::CompensationStarted { .. }
        | EventBody::HostNotified { .. }
        | EventBody::OperatorActed { .. } => Some(from),
    }
}
