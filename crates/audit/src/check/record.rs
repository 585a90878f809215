//! What the log alone shows, event by event: order and versions, transitions, keys, ends, operators.

use issuance_domain::{
    AbsencePolicy, Action, Activation, By, EventBody, FailureKind, Generation, IdvExpired,
    OperatorAction, Purpose, Refusal, RefusalClass, Retention, Source, State, StateKind, Timestamp,
    evolve, outbox, transition,
};
use issuance_store::Recorded;

use super::Checker;
use super::basis;
use super::cards;
use super::inbox::judge_applied;
use super::invariant::{Input, Invariant};
use super::order::{Seen, Tracked, is_proof};
use super::provider::Expiry;
use super::refusal::may_be;
use super::rules::Rules;
use super::standing;
use super::verdicts::Verdicts;
use super::violation::Evidence;

impl Checker {
    /// The next event of the log.
    pub fn record(&mut self, recorded: &Recorded) {
        let seen = Seen::of(recorded);
        self.verdicts.see(Input::Log);
        let last = self.head;
        self.verdicts.hold(
            Invariant::S13,
            Some(recorded.order),
            recorded.position > last,
            || {
                let what = format!("position {} comes after {last}", recorded.position);
                (what, vec![seen.into()])
            },
        );
        self.head = last.max(recorded.position);
        // Events of one append have one time; what stands between them is no state of the order's.
        if self
            .unjudged
            .is_some_and(|(order, at)| order != recorded.order || at != seen.at)
        {
            self.settle();
        }
        let tracked = self
            .orders
            .entry(recorded.order)
            .or_insert_with(|| Tracked::new(recorded.order));
        if tracked.broken {
            return;
        }
        let expected = tracked.version().next();
        let whole = self.verdicts.hold(
            Invariant::S13,
            Some(recorded.order),
            recorded.version == expected,
            || {
                let what = format!(
                    "version {} stands where {expected} should be",
                    recorded.version
                );
                let before = tracked.newest();
                (what, [before, vec![seen.into()]].concat())
            },
        );
        let possible = whole && follows(tracked, recorded, seen, &mut self.verdicts);
        if !possible {
            tracked.broken = true;
            return;
        }
        self.judge_event(recorded, seen);
    }

    /// Judges what the newest append left. Done by itself before the next append's first event and by a report; a simulation
    /// can do it after each step.
    pub fn settle(&mut self) {
        let Some((order, _)) = self.unjudged.take() else {
            return;
        };
        let applying = std::mem::take(&mut self.applying);
        judge_applied(&applying, &self.messages, &self.orders, &mut self.verdicts);
        if let Some(tracked) = self.orders.get(&order) {
            rests_or_goes_on(tracked, &self.rules, &mut self.verdicts);
        }
    }

    /// The same without taking it for done.
    pub(super) fn judge_unjudged(&self, verdicts: &mut Verdicts) {
        judge_applied(&self.applying, &self.messages, &self.orders, verdicts);
        let order = self.unjudged.map(|(order, _)| order);
        if let Some(tracked) = order.and_then(|order| self.orders.get(&order)) {
            rests_or_goes_on(tracked, &self.rules, verdicts);
        }
    }

    fn judge_event(&mut self, recorded: &Recorded, seen: Seen) {
        let id = recorded.order;
        let body = &recorded.event.body;
        // A reason to read is no effect: an old message may give one each time it comes (F-053).
        let is_reading = matches!(body, EventBody::LookUpRequested { .. });
        if let Some(source) = body.source().filter(|_| !is_reading) {
            let is_noted = matches!(body, EventBody::DiscrepancyNoted { .. });
            self.judge_source(id, source, seen, is_noted);
        }
        match body {
            EventBody::OrderRequested { terms, .. } => self.judge_reference(id, terms, seen),
            EventBody::SubmissionStarted {
                purpose,
                generation,
                key,
                body_digest,
                ..
            } => self.judge_start(id, *purpose, *generation, *key, body_digest, seen),
            _ => {}
        }
        let Some(tracked) = self.orders.get_mut(&id) else {
            return;
        };
        let expiry = judge_body(tracked, body, seen, &self.rules, &mut self.verdicts);
        if self.rules.clocks.is_some() {
            self.provider.expiries.extend(expiry);
        }
        fold(tracked, recorded, seen, &mut self.verdicts);
        cards::judge(
            &self.provider,
            tracked,
            body,
            seen,
            &self.rules,
            &mut self.verdicts,
        );
        if matches!(body, EventBody::CardActivated { .. }) && self.rules.as_it_happens {
            let tracked = &*tracked;
            self.provider
                .judge_active(tracked, &self.rules, &mut self.verdicts);
        }
        if let EventBody::OrderFailed { failure, .. } = body
            && self.rules.as_it_happens
            && failure.kind == FailureKind::CreationFailed
        {
            let tracked = &*tracked;
            self.provider
                .judge_failed(tracked, seen, &self.rules, &mut self.verdicts);
        }
        self.unjudged = Some((id, seen.at));
    }
}

/// Whether the event can follow by the published table.
fn follows(
    tracked: &mut Tracked,
    recorded: &Recorded,
    seen: Seen,
    verdicts: &mut Verdicts,
) -> bool {
    let body = &recorded.event.body;
    let next = transition(tracked.kind, body);
    let complaint = || {
        let state = tracked.kind.map_or("nothing", StateKind::name);
        let what = format!("{} cannot follow in {state}", seen.name);
        (what, [tracked.newest(), vec![seen.into()]].concat())
    };
    let ended = tracked.kind.is_some_and(StateKind::is_terminal);
    let id = Some(recorded.order);
    let possible = if !ended {
        verdicts.hold(Invariant::S11, id, next.is_some(), complaint)
    } else if sends_for_a_card(body) {
        verdicts.hold(Invariant::S28, id, next.is_some(), complaint)
    } else {
        verdicts.hold(Invariant::S12, id, next.is_some(), complaint)
    };
    if possible {
        tracked.kind = next;
    }
    possible
}

fn sends_for_a_card(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::SubmissionStarted { purpose, .. } | EventBody::ResubmissionOwed { purpose, .. }
            if *purpose != Purpose::CancelCard
    )
}

/// Folds the event in, and holds the fold against the table.
fn fold(tracked: &mut Tracked, recorded: &Recorded, seen: Seen, verdicts: &mut Verdicts) {
    let id = tracked.id;
    let before = tracked.newest();
    let ended = tracked.kind.is_some_and(StateKind::is_terminal);
    match evolve(id, tracked.order.take(), &recorded.event) {
        Ok(order) => {
            let is = order.state.kind();
            let agrees = verdicts.hold(Invariant::S11, Some(id), tracked.kind == Some(is), || {
                let table = tracked.kind.map_or("none", StateKind::name);
                let what = format!(
                    "{} leads to {}, by the table to {table}",
                    seen.name,
                    is.name()
                );
                (what, [before, vec![seen.into()]].concat())
            });
            tracked.broken = !agrees;
            tracked.order = Some(order);
        }
        Err(corrupt) => {
            verdicts.hold(Invariant::S11, Some(id), false, || {
                (corrupt.to_string(), [before, vec![seen.into()]].concat())
            });
            tracked.broken = true;
        }
    }
    if ended && tracked.ended.is_none() {
        tracked.ended = Some(seen);
    }
    tracked.newest = Some(seen);
    tracked.remember(&recorded.event.body, seen);
}

/// What one event of one order shows. An acted-on expiry is given back: the provider's side shows whether it was asked.
fn judge_body(
    tracked: &Tracked,
    body: &EventBody,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) -> Option<Expiry> {
    judge_answer(tracked, body, seen, verdicts);
    basis::judge(tracked, body, seen, rules, verdicts);
    match body {
        EventBody::SubmissionStarted {
            purpose,
            generation,
            ..
        } => {
            let is_new = tracked.sent(*purpose, *generation).is_none();
            if *purpose == Purpose::CreateCard && is_new && generation.0 > 1 {
                judge_new_key(tracked, *purpose, *generation, seen, verdicts);
            }
            let goes_on = tracked.order.as_ref().is_none_or(|order| !order.paused);
            verdicts.hold(Invariant::S25, Some(tracked.id), goes_on, || {
                let what = format!(
                    "a call to {} was recorded while it is paused",
                    purpose.name()
                );
                (what, [tracked.newest(), vec![seen.into()]].concat())
            });
        }
        EventBody::ResubmissionOwed {
            purpose: purpose @ (Purpose::CreateCard | Purpose::CancelCard),
            generation,
            due,
            ..
        } => {
            judge_new_key(tracked, *purpose, *generation, seen, verdicts);
            if rules.as_it_happens {
                judge_wait(
                    tracked,
                    (*purpose, *generation),
                    *due,
                    seen,
                    rules,
                    verdicts,
                );
            }
            if *purpose == Purpose::CreateCard {
                judge_who_renews(tracked, *generation, seen, rules, verdicts);
            }
        }
        EventBody::SubmissionRefused { refusal, .. } => {
            let definite = may_be(refusal);
            verdicts.hold(Invariant::S30, Some(tracked.id), definite, || {
                let Refusal {
                    class,
                    code,
                    http_status,
                    ..
                } = refusal;
                let what =
                    format!("{code} with status {http_status} is called a refusal ({class:?})");
                (what, vec![seen.into()])
            });
        }
        EventBody::AbsenceProved {
            generation,
            first,
            second,
        } => {
            let sent = tracked.sent(Purpose::CreateCard, *generation);
            let proof = sent.is_some_and(|sent| is_proof(first, second, sent.last, &rules.policy));
            verdicts.hold(Invariant::S8, Some(tracked.id), proof, || {
                let what = format!(
                    "searches begun at {} and {} prove no absence: too early, too close, or nothing was sent",
                    first.began, second.began
                );
                let sent = sent.map(|sent| sent.first.into());
                (what, sent.into_iter().chain([seen.into()]).collect())
            });
        }
        EventBody::CardActivated { card, source, .. } => {
            let known = tracked
                .order
                .as_ref()
                .and_then(|order| order.ids.card.as_ref());
            let believed = !rules.as_it_happens || rules.policy.activation == Activation::Webhook;
            let proved = basis::is_read(source) || (believed && basis::announces_card(source));
            verdicts.hold(
                Invariant::S18,
                Some(tracked.id),
                proved && known == Some(card),
                || {
                    let what = if proved {
                        format!("it is called active with card {card}, which is not its card")
                    } else {
                        "it is called active on the word of what proves nothing".to_owned()
                    };
                    (what, vec![seen.into()])
                },
            );
        }
        EventBody::OrderFailed { failure, source } => {
            judge_failure(
                tracked,
                failure.kind,
                source.as_ref(),
                seen,
                rules,
                verdicts,
            );
            if failure.kind == FailureKind::IdvExpired {
                judge_last_link(tracked, seen, rules, verdicts);
                return judge_expiry(tracked, None, seen, rules, verdicts);
            }
        }
        EventBody::IdvLinkExpired { link } => {
            let order = tracked.order.as_ref();
            // A policy may have been another when an old log was written.
            let left = !rules.as_it_happens
                || order.is_none_or(|order| order.renewals < rules.policy.idv_renewals);
            verdicts.hold(Invariant::S24, Some(tracked.id), left, || {
                let what = "a fresh link is asked for more often than may be".to_owned();
                (what, vec![seen.into()])
            });
            verdicts.hold(
                Invariant::S14,
                Some(tracked.id),
                *link > tracked.expired_link,
                || {
                    let what = format!("the end of link {link} was acted on before");
                    (what, vec![seen.into()])
                },
            );
            return judge_expiry(tracked, Some(*link), seen, rules, verdicts);
        }
        EventBody::DiscrepancyNoted { discrepancy, .. } => {
            let is_news = !tracked.standing.is_resolved(discrepancy);
            verdicts.hold(Invariant::S19, Some(tracked.id), is_news, || {
                let what = "a person is called for what they have dealt with".to_owned();
                (what, [tracked.newest(), vec![seen.into()]].concat())
            });
        }
        EventBody::IdvLinkIssued { link, .. } => {
            let known = tracked.order.as_ref().and_then(|order| match &order.state {
                State::IdvPending { idv } => idv.link.as_ref(),
                _ => None,
            });
            let is_newest = known.is_none_or(|known| {
                known.digest == link.digest || known.expires_at < link.expires_at
            });
            verdicts.hold(Invariant::S24, Some(tracked.id), is_newest, || {
                let what = "an older link takes the place of a newer one".to_owned();
                (what, [tracked.newest(), vec![seen.into()]].concat())
            });
        }
        EventBody::ErasureRequested { by: By::Policy } if rules.as_it_happens => {
            judge_retention(tracked, seen, rules, verdicts);
        }
        EventBody::OperatorActed { act } => {
            let sets_going = matches!(
                act.action,
                OperatorAction::RetryNow
                    | OperatorAction::LookUpNow
                    | OperatorAction::Resubmit
                    | OperatorAction::ApproveResubmit
                    | OperatorAction::RefreshIdvLink
            );
            let paused = tracked.order.as_ref().is_some_and(|order| order.paused);
            verdicts.hold(
                Invariant::S25,
                Some(tracked.id),
                !(sets_going && paused),
                || {
                    let what = format!("{} while it is paused", act.action.name());
                    (what, [tracked.newest(), vec![seen.into()]].concat())
                },
            );
            let over = tracked.kind.is_some_and(StateKind::is_terminal);
            let stops = act.action == OperatorAction::Pause;
            verdicts.hold(Invariant::S25, Some(tracked.id), !(stops && over), || {
                let what = "an order that has ended is paused".to_owned();
                (what, [tracked.newest(), vec![seen.into()]].concat())
            });
            let ends = matches!(act.action, OperatorAction::Fail | OperatorAction::Cancel);
            let flies = ends && !rules.any_policy && tracked.flies(seen.at, &rules.policy);
            verdicts.hold(Invariant::S30, Some(tracked.id), !flies, || {
                let what = format!("{} while its call was on its way", act.action.name());
                (what, [tracked.newest(), vec![seen.into()]].concat())
            });
            let named = !act.actor.trim().is_empty() && !act.reason.trim().is_empty();
            verdicts.hold(Invariant::S25, Some(tracked.id), named, || {
                let what = format!("{} without an actor or a reason", act.action.name());
                (what, vec![seen.into()])
            });
            if act.action == OperatorAction::ApproveResubmit {
                let two = tracked
                    .asked
                    .as_ref()
                    .is_some_and(|asked| *asked != act.actor);
                verdicts.hold(Invariant::S25, Some(tracked.id), two, || {
                    let what =
                        "a new key was approved that no other person had asked for".to_owned();
                    (what, [tracked.newest(), vec![seen.into()]].concat())
                });
            }
        }
        _ => {}
    }
    None
}

/// What is answered was sent.
fn judge_answer(tracked: &Tracked, body: &EventBody, seen: Seen, verdicts: &mut Verdicts) {
    let (purpose, generation) = match body {
        EventBody::SubmissionUnanswered {
            purpose,
            generation,
            ..
        }
        | EventBody::SubmissionRefused {
            purpose,
            generation,
            ..
        }
        | EventBody::SubmissionAnswered {
            purpose,
            generation,
            ..
        } => (*purpose, *generation),
        _ => match body.source() {
            Some(Source::Answer {
                purpose,
                generation,
            }) => (*purpose, *generation),
            Some(Source::Webhook { .. } | Source::LookUp) | None => return,
        },
    };
    let sent = tracked.sent(purpose, generation).is_some();
    verdicts.hold(Invariant::S6, Some(tracked.id), sent, || {
        let what = format!(
            "an answer to key {generation} to {} is recorded, and no send of it",
            purpose.name()
        );
        (what, [tracked.newest(), vec![seen.into()]].concat())
    });
}

fn judge_new_key(
    tracked: &Tracked,
    purpose: Purpose,
    generation: Generation,
    seen: Seen,
    verdicts: &mut Verdicts,
) {
    let spent = Generation(generation.0.saturating_sub(1));
    let sent = tracked.sent(purpose, spent);
    let free = sent.is_some_and(|sent| match (purpose, sent.refused) {
        (Purpose::CancelCard, refused) => refused.is_some(),
        (_, Some(RefusalClass::Capacity)) => true,
        (_, Some(RefusalClass::Duplicate)) => sent.leftover || sent.proved,
        _ => sent.proved,
    });
    verdicts.hold(Invariant::S8, Some(tracked.id), free, || {
        let what = format!(
            "key {generation} to {} is owed, and nothing says that key {spent} came to nothing",
            purpose.name()
        );
        let sent = sent.map(|sent| sent.first.into());
        (what, sent.into_iter().chain([seen.into()]).collect())
    });
}

/// What was refused is tried anew after the policy's wait; a cancel only so often, and no later.
fn judge_wait(
    tracked: &Tracked,
    (purpose, generation): (Purpose, Generation),
    due: Timestamp,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) {
    let policy = &rules.policy;
    let spent = Generation(generation.0.saturating_sub(1));
    let refused = tracked.sent(purpose, spent).and_then(|sent| sent.refused);
    let (wait, left) = match (purpose, refused) {
        (Purpose::CancelCard, _) => (policy.cancel_retry, spent.0 <= policy.cancel_retries),
        (_, Some(RefusalClass::Capacity)) => (policy.capacity_retry, true),
        _ => return,
    };
    let late = purpose == Purpose::CancelCard && rules.as_it_happens && due > seen.at.after(wait);
    let holds = left && due >= seen.at.after(wait) && !late;
    verdicts.hold(Invariant::S8, Some(tracked.id), holds, || {
        let what = format!(
            "{} is tried anew too soon, too late or too often",
            purpose.name()
        );
        (what, vec![seen.into()])
    });
}

/// Where a second card would cost money, answers were mixed up, or the policy says so, only two people make a new key of a
/// proof; and of an old proof nobody.
fn judge_who_renews(
    tracked: &Tracked,
    generation: Generation,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) {
    let spent = Generation(generation.0.saturating_sub(1));
    let sent = tracked.sent(Purpose::CreateCard, spent);
    let Some(sent) = sent.filter(|sent| sent.refused.is_none()) else {
        return;
    };
    let order = tracked.order.as_ref();
    let attention = rules.as_it_happens && rules.policy.absence == AbsencePolicy::Attention;
    let is_delicate = sent.mismatched || order.is_some_and(|order| order.prepaid);
    let by_two = tracked.approved == Some(seen.at);
    let may = by_two || !(attention || is_delicate);
    verdicts.hold(Invariant::S8, Some(tracked.id), may, || {
        let what = format!("key {generation} was made without the two people it takes");
        (what, vec![sent.first.into(), seen.into()])
    });
    let Some(from) = sent.proved_from.filter(|_| by_two && !rules.any_policy) else {
        return;
    };
    let young = seen.at.since(from) <= rules.policy.absence_proof_life;
    verdicts.hold(Invariant::S8, Some(tracked.id), young, || {
        let what = format!("key {generation} was made of a proof from {from}, which was too old");
        (what, vec![seen.into()])
    });
}

/// What ends an order without a card: the provider's definite word, proof, a person, or that nothing was ever sent.
fn judge_failure(
    tracked: &Tracked,
    kind: FailureKind,
    source: Option<&Source>,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) {
    let read = source.is_some_and(basis::is_read);
    let unread = (!read && rules.as_it_happens).then(|| tracked.standing.believes(seen.at, rules));
    let waiting =
        matches!(&tracked.order, Some(order) if !matches!(order.state, State::Requested { .. }));
    let refused = tracked.create().is_some_and(|sent| sent.refused.is_some());
    let proved = match kind {
        FailureKind::OperatorFailed => tracked.act == Some(OperatorAction::Fail),
        FailureKind::Refused => !waiting && refused,
        // What an earlier send of its own may have left is looked for first.
        FailureKind::Duplicate => !waiting && refused && (read || !tracked.perhaps_its_own()),
        FailureKind::Cancelled => {
            read || (!waiting && !tracked.is_unknown() && !tracked.may_have_left_a_card())
        }
        FailureKind::CancelledByProvider => read,
        // Reported by a message that no read could confirm or deny for long.
        FailureKind::CreationFailed | FailureKind::KycRejected => {
            read || (waiting && tracked.standing.report.is_some() && unread != Some(false))
        }
        // Judged by its link.
        FailureKind::IdvExpired => true,
    };
    verdicts.hold(Invariant::S30, Some(tracked.id), proved, || {
        let what = format!(
            "it failed ({kind:?}), and neither the provider's word, nor proof, nor a person ended it"
        );
        (what, [tracked.newest(), vec![seen.into()]].concat())
    });
}

/// An order fails for its link's end only where the policy says so, and after its last one.
fn judge_last_link(tracked: &Tracked, seen: Seen, rules: &Rules, verdicts: &mut Verdicts) {
    let Some(order) = tracked.order.as_ref().filter(|_| rules.as_it_happens) else {
        return;
    };
    let policy = &rules.policy;
    let is_last = order.is_compensating() || order.renewals >= policy.idv_renewals;
    let may = is_last && policy.idv_expired == IdvExpired::Fail;
    verdicts.hold(Invariant::S24, Some(tracked.id), may, || {
        let what =
            "it failed for its link's end, where a fresh link or a person was due".to_owned();
        (what, vec![seen.into()])
    });
}

/// Retention erases after its time, and nothing that a person must still decide on.
fn judge_retention(tracked: &Tracked, seen: Seen, rules: &Rules, verdicts: &mut Verdicts) {
    let (Some(order), Retention::For(time)) = (&tracked.order, rules.policy.retention) else {
        return;
    };
    let moved = tracked.standing.moved;
    let over = moved.is_some_and(|moved| seen.at >= moved.after(time));
    let rests = order.attention.is_none() && order.discrepancies.is_empty();
    verdicts.hold(Invariant::S24, Some(tracked.id), over && rests, || {
        let what = if rests {
            "its data is erased before its time".to_owned()
        } else {
            "its data is erased while a person is called".to_owned()
        };
        (what, [tracked.newest(), vec![seen.into()]].concat())
    });
}

fn judge_expiry(
    tracked: &Tracked,
    link: Option<u32>,
    seen: Seen,
    rules: &Rules,
    verdicts: &mut Verdicts,
) -> Option<Expiry> {
    let order = tracked.order.as_ref()?;
    verdicts.hold(Invariant::S25, Some(tracked.id), !order.paused, || {
        let what = "a link's end was acted on while it is paused".to_owned();
        (what, vec![seen.into()])
    });
    let newest = match &order.state {
        State::IdvPending { idv } if link.is_none_or(|link| link == idv.number) => {
            idv.link.as_ref()
        }
        _ => None,
    };
    let over = newest.map(|newest| newest.expires_at.after(rules.policy.idv_grace));
    let holds = over.is_some_and(|over| seen.at >= over);
    verdicts.hold(Invariant::S24, Some(tracked.id), holds, || {
        let what = match over {
            Some(over) => format!("a link's end was acted on before {over}"),
            None => "the end of a link was acted on that is not the newest".to_owned(),
        };
        (what, [tracked.newest(), vec![seen.into()]].concat())
    });
    holds.then(|| Expiry {
        order: tracked.id,
        over: over.unwrap_or(seen.at),
        acted: seen,
        ids: order.ids.clone(),
    })
}

/// After an append: an open order has a next step or stands before a person; an ended one is quiet.
fn rests_or_goes_on(tracked: &Tracked, rules: &Rules, verdicts: &mut Verdicts) {
    let Some(order) = tracked.order.as_ref().filter(|_| !tracked.broken) else {
        return;
    };
    standing::judge(tracked, rules, verdicts);
    let tasks = outbox(order, &rules.policy);
    let stirs = tasks.iter().filter(|_| order.paused).find(|task| {
        !matches!(
            task.id.action,
            Action::NotifyHost | Action::ErasePersonalData
        )
    });
    verdicts.hold(Invariant::S25, Some(tracked.id), stirs.is_none(), || {
        let action = stirs.map_or("nothing", |task| task.id.action.name());
        let what = format!("it is paused and still owes {action}");
        (what, tracked.newest())
    });
    if order.state.is_terminal() {
        let loud = tasks.iter().find(|task| match task.id.action {
            Action::NotifyHost | Action::LookUp | Action::ErasePersonalData => false,
            Action::Submit { purpose } => purpose != Purpose::CancelCard,
            Action::ExpireIdv | Action::Escalate => true,
        });
        verdicts.hold(Invariant::S28, Some(tracked.id), loud.is_none(), || {
            let action = loud.map_or("nothing", |task| task.id.action.name());
            let what = format!("it has ended and still owes {action}");
            (what, tracked.newest())
        });
        return;
    }
    let goes_on = tasks
        .iter()
        .any(|task| task.id.action != Action::NotifyHost);
    verdicts.hold(
        Invariant::L1,
        Some(tracked.id),
        goes_on || order.is_parked(),
        || {
            let what = format!(
                "it is {} with nothing to do and nobody called",
                order.state.name()
            );
            let facts: Vec<Evidence> = tracked.newest();
            (what, facts)
        },
    );
}
