//! An order, as hosts and operators see it.

use issuance::domain::{
    Account, Action, Amount, Attention, AttentionReason, By, CardId, CardOrderId, CardholderId,
    Compensation, Currency, Discrepancy, Failure, Idv, OperatorAction, Order, OrderId, ProductId,
    Purpose, Reference, State, Timestamp, Version,
};
use issuance::store::TaskRow;
use serde::Serialize;

/// One order.
#[derive(Debug, Clone, Serialize)]
pub struct OrderView {
    /// Our id.
    pub id: OrderId,
    /// The host's name for it.
    pub reference: Reference,
    /// The provider's sub-account; none is the main one.
    pub account: Option<Account>,
    /// The provider's product.
    pub product_id: ProductId,
    /// Of the card.
    pub currency: Currency,
    /// Spending cap or first load.
    pub limit: Option<Amount>,
    /// `requested`, `accepted`, `idv_pending`, `active` or `failed`.
    pub state: &'static str,
    /// Counts its events; names what was seen.
    pub version: Version,
    /// When the host asked.
    pub placed_at: Timestamp,
    /// When its newest event was recorded.
    pub updated_at: Timestamp,
    /// The provider's card, as soon as it is known; usable only when the state is `active`.
    pub card_id: Option<CardId>,
    /// The provider's cardholder.
    pub cardholder_id: Option<CardholderId>,
    /// The provider's card order.
    pub card_order_id: Option<CardOrderId>,
    /// The identity check, while a person must act.
    pub idv: Option<IdvView>,
    /// Why there will be no card.
    pub failure: Option<FailureView>,
    /// Why an operator should look.
    pub attention: Option<AttentionView>,
    /// What the provider says that the log contradicts, and nobody dealt with yet; the oldest first.
    pub discrepancies: Vec<DiscrepancyView>,
    /// The cancelling of its card.
    pub compensation: Option<CompensationView>,
    /// An operator stopped it.
    pub paused: bool,
    /// What one person asked for and another has to approve.
    pub awaits_approval: Option<AskedView>,
    /// What is done for it next, and when. None: it is at rest.
    pub next_step: Option<NextStepView>,
    /// What is kept of the person.
    pub personal_data: PersonalDataView,
}

/// What is kept of the person behind an order. The order itself holds nothing of them.
#[derive(Debug, Clone, Serialize)]
pub struct PersonalDataView {
    /// `kept`, `erasing` or `erased`. Nothing erased comes back.
    pub state: &'static str,
    /// `policy`, `operator` or `host`: who had it erased.
    pub by: Option<&'static str>,
    /// When it was erased, or will be; none when it is kept until somebody asks.
    pub at: Option<Timestamp>,
}

/// The identity check of an order. The link has a route of its own.
#[derive(Debug, Clone, Serialize)]
pub struct IdvView {
    /// Since when a person is asked.
    pub since: Timestamp,
    /// When the newest link stops working.
    pub expires_at: Option<Timestamp>,
    /// There is a link and the person has not done their part. In its last minutes the link's route answers 404 already.
    pub link_available: bool,
    /// When the person had done their part.
    pub submitted_at: Option<Timestamp>,
}

/// Why an order ended without a card.
#[derive(Debug, Clone, Serialize)]
pub struct FailureView {
    /// What happened.
    pub kind: &'static str,
    /// The same in words.
    pub meaning: &'static str,
    /// The provider's code.
    pub code: Option<Box<str>>,
    /// What the code means, in words, if it is a known one.
    pub code_meaning: Option<&'static str>,
    /// Dotted paths the provider missed.
    pub missing_fields: Vec<Box<str>>,
    /// `host`, `operator`, `provider` or `nobody`.
    pub who_must_act: &'static str,
    /// Whether a new order, once they acted, could succeed.
    pub new_order_could_succeed: bool,
}

/// Why an operator should look.
#[derive(Debug, Clone, Serialize)]
pub struct AttentionView {
    /// The reason's name.
    pub reason: &'static str,
    /// The same in words.
    pub meaning: &'static str,
    /// The provider's code, if it is about one.
    pub code: Option<Box<str>>,
    /// What the code means, in words, if it is a known one.
    pub code_meaning: Option<&'static str>,
    /// Since when.
    pub since: Timestamp,
}

/// What the provider says that the log contradicts.
#[derive(Debug, Clone, Serialize)]
pub struct DiscrepancyView {
    /// `late_success`, `second_card`, `active_card_failed`, `active_person_rejected`, `active_card_missing` or `mismatched`.
    pub kind: &'static str,
    /// The card it is about.
    pub card_id: Option<CardId>,
}

/// The cancelling of an order's card.
#[derive(Debug, Clone, Serialize)]
pub struct CompensationView {
    /// `policy`, `operator` or `host`.
    pub by: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// Whether it is over.
    pub done: bool,
}

/// A send under a new key that waits for a second person.
#[derive(Debug, Clone, Serialize)]
pub struct AskedView {
    /// The action that approves it.
    pub action: &'static str,
    /// Who asked; cannot approve.
    pub asked_by: Box<str>,
    /// When.
    pub asked_at: Timestamp,
}

/// What is done for an order next.
#[derive(Debug, Clone, Serialize)]
pub struct NextStepView {
    /// The task's name.
    pub action: &'static str,
    /// When it is due.
    pub due_at: Timestamp,
}

/// A page of orders, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct OrderPageView {
    /// The orders.
    pub orders: Vec<OrderView>,
    /// Pass as `cursor` for the next page; none when this is the last.
    pub next_cursor: Option<String>,
}

impl OrderView {
    /// An order and what it owes.
    #[must_use]
    pub fn of(order: &Order, tasks: &[TaskRow]) -> Self {
        Self {
            id: order.id,
            reference: order.terms.reference.clone(),
            account: order.terms.account.clone(),
            product_id: order.terms.product_id.clone(),
            currency: order.terms.currency.clone(),
            limit: order.terms.limit,
            state: order.state.name(),
            version: order.version,
            placed_at: order.placed_at,
            updated_at: order.updated_at,
            card_id: order.ids.card.clone(),
            cardholder_id: order.ids.cardholder.clone(),
            card_order_id: order.ids.card_order.clone(),
            idv: match &order.state {
                State::IdvPending { idv } => Some(idv.into()),
                State::Requested { .. }
                | State::Accepted { .. }
                | State::Active { .. }
                | State::Failed { .. } => None,
            },
            failure: match &order.state {
                State::Failed { failure, .. } => Some(failure.into()),
                State::Requested { .. }
                | State::Accepted { .. }
                | State::IdvPending { .. }
                | State::Active { .. } => None,
            },
            attention: order.attention.as_ref().map(Into::into),
            discrepancies: order.discrepancies.iter().map(Into::into).collect(),
            compensation: order.compensation.as_ref().map(Into::into),
            paused: order.paused,
            awaits_approval: AskedView::of(order),
            next_step: NextStepView::first_of(tasks),
            personal_data: PersonalDataView::of(order, tasks),
        }
    }
}

impl PersonalDataView {
    fn of(order: &Order, tasks: &[TaskRow]) -> Self {
        let due = tasks
            .iter()
            .find(|task| task.id.action == Action::ErasePersonalData)
            .map(|task| task.due);
        match &order.erasure {
            None => Self {
                state: "kept",
                by: None,
                at: due,
            },
            Some(erasure) => Self {
                state: if erasure.done_at.is_some() {
                    "erased"
                } else {
                    "erasing"
                },
                by: Some(by_word(&erasure.by)),
                at: erasure.done_at.or(due),
            },
        }
    }
}

impl AskedView {
    fn of(order: &Order) -> Option<Self> {
        let submission = order.submission(Purpose::CreateCard)?;
        let asked = submission.resubmit_asked.as_ref()?;
        Some(Self {
            action: OperatorAction::ApproveResubmit.name(),
            asked_by: asked.by.clone(),
            asked_at: asked.at,
        })
    }
}

impl NextStepView {
    /// The task that is due first. An erasure changes nothing of the order and has a place of its own.
    pub(crate) fn first_of(tasks: &[TaskRow]) -> Option<Self> {
        let first = tasks
            .iter()
            .filter(|task| task.id.action != Action::ErasePersonalData)
            .min_by_key(|task| task.due)?;
        Some(Self {
            action: first.id.action.name(),
            due_at: first.due,
        })
    }
}

impl From<&Idv> for IdvView {
    fn from(idv: &Idv) -> Self {
        Self {
            since: idv.since,
            expires_at: idv.link.as_ref().map(|link| link.expires_at),
            link_available: idv.link.is_some() && idv.submitted_at.is_none(),
            submitted_at: idv.submitted_at,
        }
    }
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        Self {
            kind: failure.kind.name(),
            meaning: failure.kind.meaning(),
            code: failure.code.clone(),
            code_meaning: failure.code.as_deref().and_then(code_meaning),
            missing_fields: failure.missing_fields.clone(),
            who_must_act: failure.who.name(),
            new_order_could_succeed: failure.new_order_could_succeed,
        }
    }
}

impl From<&Attention> for AttentionView {
    fn from(attention: &Attention) -> Self {
        let code = attention_code(&attention.reason);
        Self {
            reason: attention.reason.name(),
            meaning: attention.reason.meaning(),
            code_meaning: code.as_deref().and_then(code_meaning),
            code,
            since: attention.since,
        }
    }
}

/// What one of the provider's codes means.
fn code_meaning(code: &str) -> Option<&'static str> {
    issuance::uqpay::Class::of_code(code).map(issuance::uqpay::Class::meaning)
}

/// The provider's code in a reason.
pub(crate) fn attention_code(reason: &AttentionReason) -> Option<Box<str>> {
    match reason {
        AttentionReason::Capacity { code }
        | AttentionReason::PossibleLeftover { code }
        | AttentionReason::Refused { code }
        | AttentionReason::CancelRefused { code } => Some(code.clone()),
        AttentionReason::UnknownWord { word, .. } => Some(word.clone()),
        AttentionReason::TaskGivenUp { action } => Some(action.clone()),
        AttentionReason::AnswerMismatched { mismatch } => Some(mismatch.name().into()),
        AttentionReason::OutcomeUnknown
        | AttentionReason::AbsenceProved
        | AttentionReason::BodyChanged
        | AttentionReason::DataMissing
        | AttentionReason::KeyConflict
        | AttentionReason::ActivationOverdue
        | AttentionReason::ReviewOverdue
        | AttentionReason::IdvLinkMissing
        | AttentionReason::IdvExpired
        | AttentionReason::CardNotFound
        | AttentionReason::Discrepancy
        | AttentionReason::Paused => None,
    }
}

impl From<&Discrepancy> for DiscrepancyView {
    fn from(discrepancy: &Discrepancy) -> Self {
        let kind = match discrepancy {
            Discrepancy::LateSuccess { .. } => "late_success",
            Discrepancy::SecondCard { .. } => "second_card",
            Discrepancy::ActiveCardFailed => "active_card_failed",
            Discrepancy::ActivePersonRejected => "active_person_rejected",
            Discrepancy::ActiveCardMissing { .. } => "active_card_missing",
            Discrepancy::Mismatched { .. } => "mismatched",
        };
        let card_id = discrepancy.card().cloned();
        Self { kind, card_id }
    }
}

impl From<&Compensation> for CompensationView {
    fn from(compensation: &Compensation) -> Self {
        Self {
            by: by_word(&compensation.by),
            since: compensation.since,
            done: compensation.done,
        }
    }
}

/// Who started something.
pub(crate) fn by_word(by: &By) -> &'static str {
    match by {
        By::Policy => "policy",
        By::Operator => "operator",
        By::Host => "host",
    }
}
