//! How an order must stand after each append, by what its events say and not by the fold that the engine shares: whoever
//! must act is called or will be, the host is owed what it must hear, and what the policy promised is done.

use issuance_domain::{
    Action, Discrepancy, EventBody, FailureKind, LateSuccess, LookUpCause, OperatorAction, Order,
    Phase, Purpose, RefusalClass, State, Task, Timestamp, Who, outbox,
};

use super::basis;
use super::invariant::Invariant;
use super::order::{Seen, Tracked};
use super::rules::Rules;
use super::verdicts::Verdicts;

/// What the events of one order demand of how it stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    /// The newest event that its host must hear of.
    news: Option<Seen>,
    /// Contradictions that nobody dealt with, the oldest first.
    contradictions: Vec<(Seen, Discrepancy)>,
    /// What a person dealt with.
    resolved: Vec<Discrepancy>,
    /// A failure that only a person of ours can act on.
    ours: Option<Seen>,
    /// A cancel of its card was begun.
    cancelling: bool,
    /// The provider took it.
    has_card: bool,
    /// Its card was seen to be cancelled, by whomever.
    pub(super) gone: bool,
    /// A failure that messages report.
    pub(super) report: Option<Report>,
    /// The latest time of its events: clocks of several processes differ.
    latest: Option<Timestamp>,
    /// When it ended, or an operator moved it last.
    pub(super) moved: Option<Timestamp>,
}

/// A failure that messages report and a read has to confirm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub(super) at: Timestamp,
    /// The message that announces a card said otherwise since.
    pub(super) contradicted: bool,
    /// A read showed another verdict since: what it left of the report is not followed.
    pub(super) refuted: bool,
}

impl Standing {
    pub(super) fn remember(&mut self, body: &EventBody, seen: Seen) {
        self.latest = self.latest.max(Some(seen.at));
        match body {
            EventBody::IdvRequired { .. }
            | EventBody::IdvLinkIssued { .. }
            | EventBody::CardActivated { .. } => self.news = Some(seen),
            EventBody::OrderFailed { failure, source } => {
                self.news = Some(seen);
                let read = source.as_ref().is_some_and(basis::is_read);
                self.gone = match failure.kind {
                    FailureKind::CancelledByProvider => true,
                    FailureKind::Cancelled => self.has_card && read,
                    FailureKind::Refused
                    | FailureKind::Duplicate
                    | FailureKind::KycRejected
                    | FailureKind::IdvExpired
                    | FailureKind::CreationFailed
                    | FailureKind::OperatorFailed => false,
                };
                // Nobody of ours cancelled it, whoever is said to act.
                let ours = failure.kind == FailureKind::CancelledByProvider
                    || failure.who == Who::Operator && failure.kind != FailureKind::Cancelled;
                self.ours = ours.then_some(seen);
            }
            EventBody::CompensationStarted { .. } => {
                self.cancelling = true;
                self.gone = false;
            }
            EventBody::OrderAccepted { .. } => self.has_card = true,
            EventBody::CompensationCompleted { status } => {
                self.news = Some(seen);
                self.gone |= status.is_some();
                self.contradictions.retain(|(_, of)| !is_late(of));
            }
            EventBody::DiscrepancyNoted { discrepancy, .. } => {
                self.contradictions.push((seen, discrepancy.clone()));
            }
            EventBody::FailureReported { .. } => {
                self.report.get_or_insert(Report {
                    at: seen.at,
                    contradicted: false,
                    refuted: false,
                });
            }
            EventBody::LookUpRequested {
                cause: LookUpCause::Confirm { source },
            } => {
                if let Some(report) = &mut self.report {
                    report.contradicted |= basis::announces_card(source);
                    report.refuted |= basis::is_read(source);
                }
            }
            EventBody::OperatorActed { act } => {
                // Whoever acts has seen it.
                self.ours = None;
                if act.action == OperatorAction::ResolveDiscrepancy {
                    let dealt_with = self.contradictions.drain(..).map(|(_, of)| of);
                    self.resolved.extend(dealt_with);
                }
            }
            _ => {}
        }
        let moves = match body {
            EventBody::OrderFailed { .. } | EventBody::CardActivated { .. } => true,
            EventBody::OperatorActed { act } => !matches!(
                act.action,
                OperatorAction::Note | OperatorAction::ErasePersonalData
            ),
            _ => false,
        };
        if moves {
            self.moved = Some(seen.at);
        }
    }

    /// Whether a person dealt with this very contradiction.
    pub(super) fn is_resolved(&self, discrepancy: &Discrepancy) -> bool {
        self.resolved.contains(discrepancy)
    }

    /// Whether a failure that messages report may be believed now, though no read shows it.
    pub(super) fn believes(&self, now: Timestamp, rules: &Rules) -> bool {
        self.report.is_none_or(|report| {
            let old = now.since(report.at) >= rules.policy.failure_confirmation;
            report.refuted || (old && !report.contradicted)
        })
    }
}

fn is_late(discrepancy: &Discrepancy) -> bool {
    matches!(discrepancy, Discrepancy::LateSuccess { .. })
}

/// After an append.
pub(super) fn judge(tracked: &Tracked, rules: &Rules, verdicts: &mut Verdicts) {
    let Some(order) = tracked.order.as_ref().filter(|_| !tracked.broken) else {
        return;
    };
    let standing = &tracked.standing;
    let (id, called) = (Some(tracked.id), order.attention.is_some());
    let owed = standing.news.map(|news| news.version);
    let is_owed = owed.is_none_or(|news| order.notice.owed >= news);
    verdicts.hold(Invariant::L1, id, is_owed, || {
        let what = "its host must hear of it, and no notice is owed".to_owned();
        (what, standing.news.into_iter().map(Into::into).collect())
    });
    let stands = standing.contradictions.last().map(|(seen, _)| *seen);
    verdicts.hold(Invariant::S19, id, stands.is_none() || called, || {
        let what = "log and provider disagree, and nobody is called".to_owned();
        (what, stands.into_iter().map(Into::into).collect())
    });
    // Of the append that is judged.
    let just = |seen: Seen| tracked.newest.is_some_and(|newest| newest.at == seen.at);
    let ours = standing.ours.filter(|seen| just(*seen));
    verdicts.hold(Invariant::L1, id, ours.is_none() || called, || {
        let what = "a failure of our own making ended it, and nobody is called".to_owned();
        (what, ours.into_iter().map(Into::into).collect())
    });
    let mut of_now = standing
        .contradictions
        .iter()
        .filter(|(seen, _)| just(*seen));
    let is_late = of_now.any(|(_, of)| is_late(of));
    let cancels = rules.as_it_happens && rules.policy.late_success == LateSuccess::Cancel;
    let acted = !is_late || !cancels || standing.cancelling;
    verdicts.hold(Invariant::S19, id, acted, || {
        let what = "a card came late, and is not cancelled as the policy says".to_owned();
        (what, tracked.newest())
    });
    let stopped = order.paused && matches!(order.state, State::Failed { .. });
    verdicts.hold(Invariant::S28, id, !stopped, || {
        let what =
            "it failed and stays paused: a card that comes late is not looked for".to_owned();
        (what, tracked.newest())
    });
    let tasks = outbox(order, &rules.policy);
    let missing = missing(tracked, order, &tasks, rules);
    verdicts.hold(Invariant::L1, id, missing.is_none(), || {
        let what = format!(
            "it is {}, and {}",
            order.state.name(),
            missing.unwrap_or_default()
        );
        (what, tracked.newest())
    });
}

/// What an open order should owe and does not: each step has its time, and behind each a person is called in time.
fn missing(
    tracked: &Tracked,
    order: &Order,
    tasks: &[Task],
    rules: &Rules,
) -> Option<&'static str> {
    let policy = &rules.policy;
    let latest = tracked.standing.latest?;
    let called = order.attention.is_some();
    if order.paused || rules.any_policy {
        return None;
    }
    let due = |action: Action| {
        let task = tasks.iter().find(|task| task.id.action == action)?;
        Some(task.due)
    };
    let within = |action, wait| due(action).is_some_and(|due| due <= latest.after(wait));
    for purpose in [
        Purpose::CreateCard,
        Purpose::RenewIdvLink,
        Purpose::CancelCard,
    ] {
        let Some(submission) = order.submission(purpose) else {
            continue;
        };
        let submit = Action::Submit { purpose };
        let doubted = purpose == Purpose::CancelCard && order.doubts_its_card();
        match &submission.phase {
            _ if doubted => {}
            Phase::Owed { .. } if due(submit).is_none() => return Some("its call is never sent"),
            Phase::InFlight { .. } if !within(submit, policy.call_deadline) => {
                return Some("a call that is lost is not sent again in time");
            }
            Phase::Refused { refusal }
                if !called
                    && due(Action::Escalate).is_none()
                    && (purpose != Purpose::CreateCard
                        || refusal.class != RefusalClass::Duplicate) =>
            {
                return Some("a call was refused, and nobody is called");
            }
            Phase::Expired { .. } if !called && due(Action::Escalate).is_none() => {
                return Some("a key is spent, and nobody is called");
            }
            Phase::Owed { .. }
            | Phase::InFlight { .. }
            | Phase::Refused { .. }
            | Phase::Expired { .. }
            | Phase::Done => {}
        }
    }
    let alarm = match &order.state {
        State::Requested { submission } => tracked
            .sent(Purpose::CreateCard, submission.generation)
            .filter(|sent| sent.is_open())
            .map(|_| policy.outcome_unknown_alarm),
        State::Accepted { under_review, .. } => Some(if *under_review {
            policy.review_alarm
        } else {
            policy.activation_alarm
        }),
        State::IdvPending { idv } => match (&idv.link, idv.submitted_at) {
            (_, Some(_)) => Some(policy.review_alarm),
            (None, None) => Some(policy.idv_link_wait),
            (Some(link), None) => {
                let ends = link.expires_at.max(latest).after(policy.idv_grace);
                let acted = due(Action::ExpireIdv).is_some_and(|due| due <= ends);
                if !called && idv.renewal.is_none() && !acted {
                    return Some("the end of its link is not acted on");
                }
                None
            }
        },
        State::Active { .. } | State::Failed { .. } => {
            // That a cancel was taken says nothing of what comes of it.
            let cancel = order.submission(Purpose::CancelCard);
            let waits = cancel.is_some_and(|cancel| cancel.phase == Phase::Done);
            let forgotten = waits && !called && due(Action::LookUp).is_none();
            return forgotten.then_some("nobody looks what came of its cancel");
        }
    };
    if alarm.is_some_and(|wait| !called && !within(Action::Escalate, wait)) {
        return Some("nobody is called in time");
    }
    let waits = matches!(
        order.state,
        State::Accepted { .. } | State::IdvPending { .. }
    );
    (waits && due(Action::LookUp).is_none()).then_some("the provider is never asked")
}
