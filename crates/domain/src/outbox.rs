//! What an order owes now, each with a time. A function of the order, so recovery is: fold, call this, replace the rows.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::absence::Absence;
use crate::attention::AttentionReason;
use crate::ids::{OrderId, Version};
use crate::key::Purpose;
use crate::order::{Idv, Order, Phase, State, Submission};
use crate::planted::{self, Bug};
use crate::time::Timestamp;

/// One thing an order owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name: a new cause is a new task with a fresh due time.
    pub id: TaskId,
    /// When it is due.
    pub due: Timestamp,
}

/// A task is named by its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// Whose it is.
    pub order: OrderId,
    /// What is to be done.
    pub action: Action,
    /// The version that made it owed.
    pub cause: Version,
}

/// What is to be done. The order itself says the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Send what this purpose's submission says.
    Submit {
        /// What the call is for.
        purpose: Purpose,
    },
    /// Read the provider's record.
    LookUp,
    /// The identity-check link's time is over: read first, then renew or fail.
    ExpireIdv,
    /// It takes too long: a person should look.
    Escalate,
    /// Tell the host.
    NotifyHost,
    /// Erase what the vault holds of it.
    ErasePersonalData,
}

impl Action {
    /// The name used in lists and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit {
                purpose: Purpose::CreateCard,
            } => "submit",
            Self::Submit {
                purpose: Purpose::RenewIdvLink,
            } => "refresh_idv_link",
            Self::Submit {
                purpose: Purpose::CancelCard,
            } => "cancel_card",
            Self::LookUp => "look_up",
            Self::ExpireIdv => "expire_idv",
            Self::Escalate => "escalate",
            Self::NotifyHost => "notify_host",
            Self::ErasePersonalData => "erase_personal_data",
        }
    }
}

/// Waits, limits and choices. The standard values come from contract §9.4 and reliability §2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// No create call with a key first sent longer ago; the provider forgets keys at 24 h (contract §6.4).
    #[serde(with = "crate::time::duration")]
    pub key_safe_age: Duration,
    /// A call without recorded answer is taken for lost after this; longer than the client's own time-out.
    #[serde(with = "crate::time::duration")]
    pub call_deadline: Duration,
    /// A sent call without definite answer for this long is shown to an operator; retries go on.
    #[serde(with = "crate::time::duration")]
    pub outcome_unknown_alarm: Duration,
    /// First look-up after acceptance; then doubling.
    #[serde(with = "crate::time::duration")]
    pub look_up_first: Duration,
    /// Longest wait between look-ups.
    #[serde(with = "crate::time::duration")]
    pub look_up_cap: Duration,
    /// First look-up while a person has to act, or while the provider reviews.
    #[serde(with = "crate::time::duration")]
    pub look_up_person_first: Duration,
    /// Accepted for this long without a card: a person should look.
    #[serde(with = "crate::time::duration")]
    pub activation_alarm: Duration,
    /// Under review for this long: a person should look.
    #[serde(with = "crate::time::duration")]
    pub review_alarm: Duration,
    /// A reported failure that a read does not show yet is believed after this.
    #[serde(with = "crate::time::duration")]
    pub failure_confirmation: Duration,
    /// A card the provider named may be unknown to its reads for this long.
    #[serde(with = "crate::time::duration")]
    pub card_missing_grace: Duration,
    /// The link's expiry is acted on this long after it.
    #[serde(with = "crate::time::duration")]
    pub idv_grace: Duration,
    /// A person must act and no link came for this long: an operator should look.
    #[serde(with = "crate::time::duration")]
    pub idv_link_wait: Duration,
    /// A link without a readable expiry is taken to live this long (contract §7); longer ones are cut to it.
    #[serde(with = "crate::time::duration")]
    pub idv_link_life: Duration,
    /// How many fresh links an order may get by itself.
    pub idv_renewals: u32,
    /// When no renewal is left.
    pub idv_expired: IdvExpired,
    /// Whether a webhook alone may activate.
    pub activation: Activation,
    /// A live card behind a failed order.
    pub late_success: LateSuccess,
    /// Least time between two searches that prove absence together, and from the last possible arrival to the first
    /// (contract §6.5).
    #[serde(with = "crate::time::duration")]
    pub absence_scan_gap: Duration,
    /// Once absence is proved.
    pub absence: AbsencePolicy,
    /// How old a proof may be that an operator sends under a new key with.
    #[serde(with = "crate::time::duration")]
    pub absence_proof_life: Duration,
    /// No cards, no money, no quota: tried again after this, under a new key.
    #[serde(with = "crate::time::duration")]
    pub capacity_retry: Duration,
    /// How many new keys a cancel that came to nothing gets by itself.
    pub cancel_retries: u32,
    /// Before each of them.
    #[serde(with = "crate::time::duration")]
    pub cancel_retry: Duration,
    /// The card order is done and the card is not usable for this long: a person should look (contract §9.3).
    #[serde(with = "crate::time::duration")]
    pub order_success_alarm: Duration,
    /// How often an order we ended ourselves is looked up for a card that came after all.
    pub late_look_ups: u32,
    /// The first of these; then doubling.
    #[serde(with = "crate::time::duration")]
    pub late_look_up_first: Duration,
    /// How long the vault keeps an order's personal data once it is closed.
    pub retention: Retention,
    /// Whether there is a host to be told over HTTP.
    pub notify_host: bool,
}

/// How long personal data is kept: `"forever"`, or a duration such as `"30d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Until an operator erases it.
    Forever,
    /// Erased this long after an order closed, or an operator last acted on it.
    For(Duration),
}

impl Serialize for Retention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Forever => serializer.serialize_str("forever"),
            Self::For(time) => crate::time::duration::serialize(time, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let time = crate::time::duration::deserialize(text.into_deserializer())?;
        Ok(Self::For(time))
    }
}

/// Once it is proved that nothing came of a create call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsencePolicy {
    /// It is sent under a new key; where money is loaded, a person decides all the same.
    Resubmit,
    /// A person decides.
    Attention,
}

/// When no renewal is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdvExpired {
    /// The order fails; a late success is a discrepancy.
    Fail,
    /// A person decides.
    Attention,
}

/// What is enough to call a card active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// A verified webhook that says `ACTIVE`, or a read.
    Webhook,
    /// Only a read.
    Read,
}

/// What to do with a live card behind a failed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateSuccess {
    /// A person decides.
    Attention,
    /// It is cancelled.
    Cancel,
}

impl Policy {
    /// The standard values.
    #[must_use]
    pub fn standard() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let hours = |count: u64| minutes(count * 60);
        Self {
            key_safe_age: hours(20),
            call_deadline: Duration::from_secs(60),
            outcome_unknown_alarm: minutes(15),
            look_up_first: Duration::from_secs(30),
            look_up_cap: minutes(15),
            look_up_person_first: minutes(15),
            activation_alarm: minutes(30),
            review_alarm: hours(7 * 24),
            failure_confirmation: minutes(1),
            card_missing_grace: minutes(2),
            idv_grace: minutes(10),
            idv_link_wait: minutes(5),
            idv_link_life: hours(24),
            idv_renewals: 3,
            idv_expired: IdvExpired::Fail,
            activation: Activation::Webhook,
            late_success: LateSuccess::Attention,
            absence_scan_gap: minutes(10),
            absence: AbsencePolicy::Resubmit,
            absence_proof_life: hours(1),
            capacity_retry: minutes(30),
            cancel_retries: 3,
            cancel_retry: minutes(1),
            order_success_alarm: minutes(10),
            late_look_ups: 6,
            late_look_up_first: minutes(30),
            retention: Retention::Forever,
            notify_host: true,
        }
    }
}

/// What the order owes now. Empty only when it is at rest: terminal and told, paused, or standing on the attention list
/// behind a definite refusal.
#[must_use]
pub fn outbox(order: &Order, policy: &Policy) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut owe = |action, cause, due| {
        tasks.push(Task {
            id: TaskId {
                order: order.id,
                action,
                cause,
            },
            due,
        });
    };
    if policy.notify_host && order.notice.owed > order.notice.told {
        owe(Action::NotifyHost, order.notice.owed, order.notice.owed_at);
    }
    if let Some((cause, due)) = erasure_due(order, policy) {
        owe(Action::ErasePersonalData, cause, due);
    }
    if order.paused {
        return tasks;
    }
    for purpose in [
        Purpose::CreateCard,
        Purpose::RenewIdvLink,
        Purpose::CancelCard,
    ] {
        if let Some((submission, due)) = order
            .submission(purpose)
            .filter(|_| purpose != Purpose::CancelCard || !order.doubts_its_card())
            .and_then(|owed| Some((owed, due(owed, policy)?)))
        {
            owe(Action::Submit { purpose }, submission.cause, due);
        }
    }
    if let Some((cause, due)) = look_up_due(order, policy) {
        owe(Action::LookUp, cause, due);
    }
    if let Some((due, _)) = alarm(order, policy) {
        owe(Action::Escalate, order.watch.cause, due);
    }
    if let State::IdvPending {
        idv:
            Idv {
                link: Some(link),
                submitted_at: None,
                renewal: None,
                number,
                ..
            },
    } = &order.state
    {
        let decided_by_a_person = order
            .attention
            .as_ref()
            .is_some_and(|attention| attention.reason == AttentionReason::IdvExpired);
        if !decided_by_a_person {
            owe(
                Action::ExpireIdv,
                Version(u64::from(*number)),
                link.expires_at.after(policy.idv_grace),
            );
        }
    }
    tasks
}

/// An erasure that was requested is owed at once; one by retention when its time is over.
fn erasure_due(order: &Order, policy: &Policy) -> Option<(Version, Timestamp)> {
    match &order.erasure {
        Some(erasure) => (erasure.done_at.is_none() && order.is_closed())
            .then_some((erasure.requested, erasure.requested_at)),
        None => Some((order.watch.cause, retention_ends(order, policy)?)),
    }
}

/// When retention alone erases: not while anything is still to be read, cancelled or answered by a person.
pub(crate) fn retention_ends(order: &Order, policy: &Policy) -> Option<Timestamp> {
    let Retention::For(mut time) = policy.retention else {
        return None;
    };
    if planted::is(Bug::ErasedEarly) {
        time /= 10;
    }
    let at_rest = order.is_closed()
        && look_up_due(order, policy).is_none()
        && order.attention.is_none()
        && order.discrepancies.is_empty()
        && !order.paused;
    (at_rest && order.erasure.is_none()).then(|| order.watch.since.after(time))
}

/// The look-up that is owed, by cause and time.
fn look_up_due(order: &Order, policy: &Policy) -> Option<(Version, Timestamp)> {
    let Some(look_up) = &order.look_up else {
        return search_due(order, policy);
    };
    let due = match &order.state {
        _ if look_up.at_once => look_up.at,
        State::Requested {
            submission:
                Submission {
                    absence: Some(Absence::Seen { scan }),
                    ..
                },
        } => scan.began.after(policy.absence_scan_gap),
        State::Active { .. } | State::Failed { .. } if !order.is_compensating() => {
            let done = order
                .late_looks
                .filter(|done| *done < policy.late_look_ups)?;
            let wait = policy
                .late_look_up_first
                .saturating_mul(2_u32.saturating_pow(done));
            look_up.at.after(wait)
        }
        State::Requested { .. }
        | State::Accepted { .. }
        | State::IdvPending { .. }
        | State::Active { .. }
        | State::Failed { .. } => look_up.at.after(order.look_up_wait(policy)),
    };
    Some((look_up.cause, due))
}

/// A create call whose outcome stays unknown is searched for beside its replays.
fn search_due(order: &Order, policy: &Policy) -> Option<(Version, Timestamp)> {
    let State::Requested { submission } = &order.state else {
        return None;
    };
    let replayed = matches!(
        submission.phase,
        Phase::Owed { .. } | Phase::InFlight { .. }
    );
    let since = submission
        .unknown_since()
        .filter(|_| replayed && submission.outcome_unknown())?;
    Some((submission.cause, since.after(policy.outcome_unknown_alarm)))
}

impl Order {
    /// From when on a search counts towards the proof that nothing came of a spent key; none when there is nothing to
    /// prove, or a search has counted.
    #[must_use]
    pub fn absence_counts_from(&self, policy: &Policy) -> Option<Timestamp> {
        let State::Requested { submission } = &self.state else {
            return None;
        };
        let spent = match &submission.phase {
            Phase::Expired { .. } | Phase::Refused { .. } => submission.absence.is_none(),
            Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => false,
        };
        let sent = submission.last_started_at.filter(|_| spent)?;
        Some(
            sent.after(policy.call_deadline)
                .after(policy.absence_scan_gap),
        )
    }

    /// The first wait between look-ups in its state; the waits after it double.
    #[must_use]
    pub fn look_up_wait(&self, policy: &Policy) -> Duration {
        match &self.state {
            State::IdvPending { .. }
            | State::Accepted {
                under_review: true, ..
            } => policy.look_up_person_first,
            // A search reads whole lists.
            State::Requested { .. } => policy.look_up_cap,
            State::Accepted { .. } | State::Active { .. } | State::Failed { .. } => {
                policy.look_up_first
            }
        }
    }
}

/// When a person should look, and why. One alarm for each cause: none while a person is already called.
pub(crate) fn alarm(order: &Order, policy: &Policy) -> Option<(Timestamp, AttentionReason)> {
    if order.attention.is_some() || order.paused {
        return None;
    }
    if planted::is(Bug::AlarmMissing) && matches!(order.state, State::Accepted { .. }) {
        return None;
    }
    let (since, wait, reason) = match &order.state {
        State::Requested { submission } => {
            let reason = match &submission.phase {
                // What is looked for behind a refusal cannot be read.
                Phase::Refused { refusal } => AttentionReason::behind(submission.purpose, refusal),
                Phase::Owed { .. }
                | Phase::InFlight { .. }
                | Phase::Expired { .. }
                | Phase::Done => submission
                    .outcome_unknown()
                    .then_some(AttentionReason::OutcomeUnknown)?,
            };
            (
                submission.unknown_since()?,
                policy.outcome_unknown_alarm,
                reason,
            )
        }
        State::Accepted {
            since,
            under_review: false,
        } => (
            *since,
            policy.activation_alarm,
            AttentionReason::ActivationOverdue,
        ),
        State::Accepted {
            since,
            under_review: true,
        } => (*since, policy.review_alarm, AttentionReason::ReviewOverdue),
        State::IdvPending { idv } => match (&idv.link, idv.submitted_at) {
            (_, Some(submitted_at)) => (
                submitted_at,
                policy.review_alarm,
                AttentionReason::ReviewOverdue,
            ),
            (None, None) => (
                idv.since,
                policy.idv_link_wait,
                AttentionReason::IdvLinkMissing,
            ),
            (Some(_), None) => return None,
        },
        State::Active { .. } | State::Failed { .. } => return None,
    };
    Some((since.max(order.watch.since).after(wait), reason))
}

/// When a submission is to be sent; a call in flight is sent again once it must be lost.
fn due(submission: &Submission, policy: &Policy) -> Option<Timestamp> {
    match submission.phase {
        Phase::Owed { due } => Some(due),
        Phase::InFlight { since } => Some(since.after(policy.call_deadline)),
        Phase::Refused { .. } | Phase::Expired { .. } | Phase::Done => None,
    }
}
