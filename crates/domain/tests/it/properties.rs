//! Random lives: whatever is done to an order, at whatever time, these hold after every step.

use std::collections::BTreeMap;

use issuance_domain::{
    AbsencePolicy, Action, Activation, By, CardStatus, Command, Creation, Digest, Echo, Event,
    EventBody, Fact, Generation, Holder, IdvExpired, LateSuccess, Likeness, Link, Observation,
    OperatorAct, OperatorAction, Order, Phase, Policy, ProviderIds, Purpose, RefusalClass,
    Retention, Scan, SilenceCause, Source, State, Timestamp, Version, decide, evolve, outbox,
    transition,
};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use crate::given::{Given, given};
use crate::sample::*;

/// One thing done to an order, as far as it can be said before the order is known.
#[derive(Debug, Clone)]
enum Move {
    Send {
        purpose: Purpose,
        stale: bool,
        body: u8,
    },
    Miss {
        purpose: Purpose,
    },
    /// A complete search, begun so many seconds ago.
    Search {
        ago: u64,
        holder: Option<Likeness>,
    },
    EndLookUp,
    Silence {
        purpose: Purpose,
        cause: SilenceCause,
        retry: u64,
    },
    Hear {
        fact: Fact,
        ids: ProviderIds,
        source: Heard,
        /// It bears another order's mark.
        strange: bool,
    },
    Expire {
        link: Option<u32>,
    },
    Escalate,
    Erase,
    Confirm {
        through: u64,
    },
    Cancel,
    Operate {
        action: OperatorAction,
    },
}

#[derive(Debug, Clone)]
enum Heard {
    Answer {
        purpose: Purpose,
        generation: Option<u32>,
    },
    Webhook {
        event_type: &'static str,
    },
    Read,
}

fn current(order: &Order, purpose: Purpose) -> Generation {
    order
        .submission(purpose)
        .map_or(Generation(1), |submission| submission.generation)
}

impl Move {
    fn command(self, order: &Order, now: Timestamp) -> Command {
        match self {
            Self::Send {
                purpose,
                stale,
                body,
            } => {
                let generation = Generation(current(order, purpose).0 + u32::from(stale));
                Command::StartSubmission {
                    purpose,
                    generation,
                    body_digest: Digest(format!("body-{body}").into()),
                }
            }
            Self::Miss { purpose } => Command::MissData {
                purpose,
                generation: current(order, purpose),
            },
            Self::Search { ago, holder } => {
                let holder = holder.map(|likeness| Holder {
                    id: "cardholder-9".parse().unwrap(),
                    likeness,
                });
                absent(Scan {
                    began: now.before(seconds(ago)),
                    pages: 1,
                    rows: 0,
                    holder,
                })
            }
            Self::EndLookUp => Command::EndLookUp {
                cause: order
                    .look_up
                    .as_ref()
                    .map_or(Version::NONE, |owed| owed.cause),
            },
            Self::Silence {
                purpose,
                cause,
                retry,
            } => {
                let (generation, retry_at) = (current(order, purpose), now.after(minutes(retry)));
                let attempt = order.submission(purpose).map_or(1, |sent| sent.attempts);
                Command::HearNothing {
                    purpose,
                    generation,
                    attempt,
                    cause,
                    retry_at,
                }
            }
            Self::Hear {
                fact,
                ids,
                source,
                strange,
            } => {
                let source = match source {
                    Heard::Answer {
                        purpose,
                        generation,
                    } => Source::Answer {
                        purpose,
                        generation: generation.map_or(current(order, purpose), Generation),
                    },
                    Heard::Webhook { event_type } => webhook(event_type),
                    Heard::Read => Source::LookUp,
                };
                // A refusal names nothing.
                let ids = if let Fact::Refused(_) = fact {
                    ProviderIds::default()
                } else {
                    ids
                };
                let echo = Echo {
                    mark: strange.then(|| "another".into()),
                    ..Echo::default()
                };
                Command::Learn(Observation {
                    fact,
                    ids,
                    echo: echo.into(),
                    source,
                })
            }
            Self::Expire { link } => {
                let newest = if let State::IdvPending { idv } = &order.state {
                    idv.number
                } else {
                    1
                };
                Command::ExpireIdv {
                    link: link.unwrap_or(newest),
                }
            }
            Self::Escalate => Command::Escalate,
            Self::Erase => Command::ErasePersonalData,
            Self::Confirm { through } => Command::ConfirmNotified {
                through: Version(through),
            },
            Self::Cancel => Command::Cancel,
            Self::Operate { action } => {
                let approves = action == OperatorAction::ApproveResubmit;
                let act = OperatorAct {
                    actor: if approves { "bob" } else { "ada" }.into(),
                    reason: "because".into(),
                    action,
                };
                Command::Operate {
                    act,
                    expected: approves.then_some(order.version),
                }
            }
        }
    }
}

fn any_purpose() -> impl Strategy<Value = Purpose> {
    prop::sample::select(vec![
        Purpose::CreateCard,
        Purpose::RenewIdvLink,
        Purpose::CancelCard,
    ])
}

fn any_silence() -> impl Strategy<Value = SilenceCause> {
    prop::sample::select(vec![
        SilenceCause::NotSent,
        SilenceCause::TokenRefused,
        SilenceCause::Blocked {
            code: "forbidden".into(),
        },
        SilenceCause::RateLimited,
        SilenceCause::Processing,
        SilenceCause::TimedOut,
        SilenceCause::ServerError { http_status: 500 },
    ])
}

fn any_link() -> impl Strategy<Value = Option<Link>> {
    prop::option::of((1..6_u32, 1..96_u64).prop_map(|(number, good_for)| link(number, good_for)))
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

const CARD: &[&str] = &[
    "PENDING",
    "ACTIVE",
    "FAILED",
    "FROZEN",
    "BLOCKED",
    "PRE_CANCEL",
    "CANCELLED",
    "WARP",
];
const ORDER: &[&str] = &["PENDING", "PROCESSING", "SUCCESS", "FAILED", "WARP"];
const PERSON: &[&str] = &["PENDING", "INCOMPLETE", "SUCCESS", "FAILED", "WARP"];
const VERIFICATION: &[&str] = &["VERIFIED", "ACTION_REQUIRED", "UNDER_REVIEW", "WARP"];
const EVENTS: &[&str] = &[
    "card.create.succeeded",
    "card.create.failed",
    "card.status.update.succeeded",
];

fn any_fact() -> impl Strategy<Value = Fact> {
    let class = prop::sample::select(vec![
        RefusalClass::Input,
        RefusalClass::Duplicate,
        RefusalClass::Capacity,
        RefusalClass::KeyConflict,
        RefusalClass::Configuration,
        RefusalClass::Unknown,
    ]);
    let code = || prop::option::of(Just("some_code".into()));
    let creation = (
        word(CARD),
        word(ORDER),
        word(PERSON),
        word(VERIFICATION),
        any_link(),
    );
    prop_oneof![
        2 => creation.prop_map(|(card, order, person, verification, link)| Fact::Created(Creation {
            card: card.into(),
            order: Some(order.into()),
            cardholder: Some(person.into()),
            verification: Some(verification.into()),
            link,
        })),
        2 => Just(Fact::Created(idv_creation())),
        2 => class.prop_map(|class| Fact::Refused(refusal(class, "some_code"))),
        5 => word(CARD).prop_map(|status| Fact::Card(status.into())),
        1 => code().prop_map(|code| Fact::CardCreationFailed { code }),
        1 => Just(Fact::CardMissing),
        2 => (word(ORDER), code()).prop_map(|(status, failure_code)| Fact::CardOrder {
            status: status.into(), failure_code,
        }),
        4 => (word(PERSON), any_link()).prop_map(|(status, link)| person(status.into(), link)),
        1 => Just(Fact::CancelTaken),
        1 => Just(Fact::CancelFailed),
        1 => Just(Fact::CardholderUpdated),
    ]
}

fn any_ids() -> impl Strategy<Value = ProviderIds> {
    let card_only = ProviderIds {
        card: ids().card,
        ..ProviderIds::default()
    };
    let order_only = ProviderIds {
        card_order: ids().card_order,
        ..ProviderIds::default()
    };
    prop_oneof![
        8 => Just(ids()),
        2 => Just(card_only),
        1 => Just(order_only),
        1 => Just(ProviderIds::default()),
        1 => Just(second_card()),
    ]
}

fn any_heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        2 => (any_purpose(), prop::option::weighted(0.2, 1..4_u32))
            .prop_map(|(purpose, generation)| Heard::Answer { purpose, generation }),
        2 => word(EVENTS).prop_map(|event_type| Heard::Webhook { event_type }),
        3 => Just(Heard::Read),
    ]
}

fn any_likeness() -> impl Strategy<Value = Option<Likeness>> {
    prop::option::weighted(
        0.3,
        prop::sample::select(vec![Likeness::Ours, Likeness::Stranger, Likeness::Unclear]),
    )
}

fn any_action() -> impl Strategy<Value = OperatorAction> {
    prop::sample::select(vec![
        OperatorAction::RetryNow,
        OperatorAction::RetryNow,
        OperatorAction::Resubmit,
        OperatorAction::ApproveResubmit,
        OperatorAction::LookUpNow,
        OperatorAction::RefreshIdvLink,
        OperatorAction::Fail,
        OperatorAction::Cancel,
        OperatorAction::Pause,
        OperatorAction::Resume,
        OperatorAction::Resume,
        OperatorAction::ResolveDiscrepancy,
        OperatorAction::ErasePersonalData,
        OperatorAction::Note,
    ])
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => (any_purpose(), prop::bool::weighted(0.1), 0..8_u8).prop_map(|(purpose, stale, body)| Move::Send {
            // Other bytes only now and then.
            purpose, stale, body: u8::from(body == 0),
        }),
        1 => any_purpose().prop_map(|purpose| Move::Miss { purpose }),
        5 => (0..900_u64, any_likeness()).prop_map(|(ago, holder)| Move::Search { ago, holder }),
        1 => Just(Move::EndLookUp),
        3 => (any_purpose(), any_silence(), 0..600_u64)
            .prop_map(|(purpose, cause, retry)| Move::Silence { purpose, cause, retry }),
        10 => (any_fact(), any_ids(), any_heard(), prop::bool::weighted(0.03))
            .prop_map(|(fact, ids, source, strange)| Move::Hear { fact, ids, source, strange }),
        1 => prop::option::weighted(0.2, 1..4_u32).prop_map(|link| Move::Expire { link }),
        1 => Just(Move::Escalate),
        1 => Just(Move::Erase),
        1 => prop_oneof![0..20_u64, Just(u64::MAX)].prop_map(|through| Move::Confirm { through }),
        1 => Just(Move::Cancel),
        3 => any_action().prop_map(|action| Move::Operate { action }),
    ]
}

fn any_wait() -> impl Strategy<Value = u64> {
    // Seconds: moments, minutes, hours, now and then a day; the clock may stand still.
    prop_oneof![3 => 0..2_u64, 4 => 0..120_u64, 3 => 0..7200_u64, 1 => 0..90_000_u64]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any::<[bool; 6]>(), 0..3_u32).prop_map(
        |([read, cancel, ask, tell, prove, end], idv_renewals)| Policy {
            absence: if prove {
                AbsencePolicy::Resubmit
            } else {
                AbsencePolicy::Attention
            },
            activation: if read {
                Activation::Read
            } else {
                Activation::Webhook
            },
            late_success: if cancel {
                LateSuccess::Cancel
            } else {
                LateSuccess::Attention
            },
            idv_expired: if ask {
                IdvExpired::Attention
            } else {
                IdvExpired::Fail
            },
            retention: if end {
                Retention::For(hours(1))
            } else {
                Retention::Forever
            },
            notify_host: tell,
            idv_renewals,
            ..Policy::standard()
        },
    )
}

/// What the world would remember of the keys an order used.
#[derive(Default)]
struct Keys {
    used: BTreeMap<(Purpose, u32), (Digest, Timestamp)>,
    /// What allows the key after: a definite refusal that leaves nothing behind, a proof, or a person to go on with.
    freed: Vec<(Purpose, u32)>,
    /// When each was last started.
    last: BTreeMap<u32, Timestamp>,
    /// E-mail or phone taken: spent, but perhaps not without a trace.
    duplicate: Option<u32>,
}

impl Keys {
    /// One key, one body; never an old key; a new create key only after a definite refusal of the one before.
    fn watch(&mut self, event: &Event, policy: &Policy) -> TestCaseResult {
        match &event.body {
            EventBody::SubmissionStarted {
                purpose,
                generation,
                key,
                body_digest,
                ..
            } => {
                if *purpose == Purpose::CreateCard {
                    self.last.insert(generation.0, event.at);
                }
                let derived =
                    issuance_domain::IdempotencyKey::derive(order_id(), *purpose, *generation);
                prop_assert_eq!(*key, derived);
                let first = (body_digest.clone(), event.at);
                let (digest, since) = self.used.entry((*purpose, generation.0)).or_insert(first);
                prop_assert_eq!(&*digest, body_digest, "two bodies under one key");
                prop_assert!(
                    event.at.since(*since) < policy.key_safe_age,
                    "an old key was sent"
                );
                let before = (*purpose, generation.0 - 1);
                if *purpose == Purpose::CreateCard && generation.0 > 1 {
                    prop_assert!(
                        self.freed.contains(&before),
                        "a new key without a refusal or a proof"
                    );
                }
            }
            // Only want of capacity leaves nothing behind and can be cured without other input.
            EventBody::SubmissionRefused {
                purpose,
                generation,
                refusal,
                ..
            } if refusal.class == RefusalClass::Capacity => {
                self.freed.push((*purpose, generation.0));
            }
            EventBody::SubmissionRefused {
                purpose: Purpose::CreateCard,
                generation,
                refusal,
                ..
            } if refusal.class == RefusalClass::Duplicate => {
                self.duplicate = Some(generation.0);
            }
            EventBody::AbsenceProved {
                generation,
                first,
                second,
            } => {
                let gap = policy.absence_scan_gap;
                let arrival = self
                    .last
                    .get(&generation.0)
                    .map(|sent| sent.after(policy.call_deadline));
                prop_assert!(
                    arrival.is_some_and(|arrival| first.began >= arrival.after(gap)),
                    "it may still arrive"
                );
                prop_assert!(
                    second.began >= first.began.after(gap),
                    "two searches in one breath"
                );
                self.freed.push((Purpose::CreateCard, generation.0));
            }
            EventBody::LeftoverFound { scan, .. } => {
                prop_assert!(scan.leftover().is_some(), "somebody else's cardholder");
                self.freed.extend(
                    self.duplicate
                        .map(|generation| (Purpose::CreateCard, generation)),
                );
            }
            EventBody::ResubmissionOwed {
                purpose: Purpose::CreateCard,
                generation,
                ..
            } => {
                let before = (Purpose::CreateCard, generation.0 - 1);
                prop_assert!(
                    self.freed.contains(&before),
                    "a new key without a refusal or a proof"
                );
            }
            _ => {}
        }
        Ok(())
    }
}

/// Promise 3: an open order owes something, or a person was called and can see why.
fn has_a_next_step(order: &Order, policy: &Policy) -> TestCaseResult {
    let tasks = outbox(order, policy);
    let names: std::collections::BTreeSet<_> = tasks.iter().map(|task| task.id).collect();
    prop_assert_eq!(
        names.len(),
        tasks.len(),
        "two tasks of one name: {:?}",
        tasks
    );
    let owed: Vec<_> = tasks
        .iter()
        .map(|task| task.id.action)
        .filter(|action| *action != Action::NotifyHost)
        .collect();
    if order.state.is_terminal() {
        for action in &owed {
            let allowed = matches!(
                action,
                Action::Submit {
                    purpose: Purpose::CancelCard
                }
            ) && order.is_compensating();
            let erasure = *action == Action::ErasePersonalData;
            prop_assert!(
                allowed || erasure || *action == Action::LookUp,
                "an ended order owes {:?}",
                action
            );
        }
        rests_in_the_end(order, policy)?;
        prop_assert!(
            order.paused || !order.is_compensating() || owed.contains(&Action::LookUp),
            "a cancel nobody watches"
        );
        return Ok(());
    }
    prop_assert!(order.erasure.is_none() && !owed.contains(&Action::ErasePersonalData));
    prop_assert!(!owed.is_empty() || order.is_parked(), "stuck: {:#?}", order);
    if let Some(submission) = order.submission(Purpose::CreateCard) {
        let expired = matches!(submission.phase, Phase::Expired { .. });
        prop_assert!(
            !expired || order.attention.is_some(),
            "an expired key nobody is shown"
        );
        prop_assert!(
            !expired || order.paused || owed.contains(&Action::LookUp),
            "an expired key nobody looks behind"
        );
    }
    Ok(())
}

/// Looking up an ended order comes to an end, unless its card is being cancelled.
fn rests_in_the_end(order: &Order, policy: &Policy) -> TestCaseResult {
    let mut order = order.clone();
    for _ in 0..policy.late_look_ups + 2 {
        let owed = outbox(&order, policy)
            .into_iter()
            .find(|task| task.id.action == Action::LookUp);
        let Some(task) = owed.filter(|_| !order.is_compensating()) else {
            return Ok(());
        };
        let context = issuance_domain::Context {
            order_id: order_id(),
            now: task.due,
            policy,
        };
        let events = decide(
            Some(&order),
            Command::EndLookUp {
                cause: task.id.cause,
            },
            &context,
        )
        .unwrap_or_default();
        for event in events {
            order = evolve(order_id(), Some(order), &event)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
    }
    Err(TestCaseError::fail(format!(
        "looked up for ever: {order:#?}"
    )))
}

fn absorbs(before: &Order, after: &Order) -> TestCaseResult {
    if before.state.is_terminal() {
        prop_assert_eq!(&before.state, &after.state, "an end was undone");
    }
    Ok(())
}

fn survives_storage(order: &Order, event: &Event) -> TestCaseResult {
    let json = serde_json::to_value(&event.body)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&json["name"], event.body.name());
    let members: Vec<_> = json
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys())
        .collect();
    prop_assert_eq!(members, ["body", "name"]);
    let body: EventBody =
        serde_json::from_value(json).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&body, &event.body);
    let text =
        serde_json::to_string(order).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let again: Order =
        serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&again, order);
    Ok(())
}

fn live(mut life: Given, moves: Vec<(u64, Move)>) -> TestCaseResult {
    let mut keys = Keys::default();
    // Histories that begin with a send have used a key already.
    if life
        .order()
        .submission(Purpose::CreateCard)
        .is_some_and(|owed| owed.attempts > 0)
    {
        keys.used
            .insert((Purpose::CreateCard, 1), (digest(), start()));
        if life.order().is_refused_for_capacity() {
            keys.freed.push((Purpose::CreateCard, 1));
        }
        keys.last.insert(1, start());
        let duplicate =
            |refusal: &issuance_domain::Refusal| refusal.class == RefusalClass::Duplicate;
        if let Some(Phase::Refused { refusal }) = life
            .order()
            .submission(Purpose::CreateCard)
            .map(|owed| &owed.phase)
        {
            keys.duplicate = duplicate(refusal).then_some(1);
        }
    }
    for (wait, step) in moves {
        life.now = life.now.after(seconds(wait));
        let order = life.order().clone();
        let command = step.clone().command(&order, life.now);
        let learns = matches!(command, Command::Learn(_));
        let Ok(events) = decide(Some(&order), command.clone(), &life.context()) else {
            continue;
        };
        let mut after = order;
        for event in events {
            keys.watch(&event, &life.policy)?;
            let before = after.clone();
            after = evolve(order_id(), Some(after), &event).map_err(|error| {
                TestCaseError::fail(format!("{error}, after {step:?} on {before:#?}"))
            })?;
            absorbs(&before, &after)?;
            let published = transition(Some(before.state.kind()), &event.body);
            prop_assert_eq!(
                published,
                Some(after.state.kind()),
                "the table of transitions knows no {} in {}",
                event.body.name(),
                before.state.name()
            );
            survives_storage(&after, &event)?;
        }
        has_a_next_step(&after, &life.policy)?;
        if learns {
            let again = decide(Some(&after), command, &life.context());
            prop_assert_eq!(
                again,
                Ok(vec![]),
                "heard twice, applied twice: {:?} on {:#?}",
                step,
                after
            );
        }
        life.order = Some(after);
    }
    Ok(())
}

fn any_beginning() -> impl Strategy<Value = Vec<EventBody>> {
    prop::sample::select(vec![
        requested(),
        sent(),
        unknown(),
        refused(RefusalClass::Capacity, "quota"),
        refused(RefusalClass::KeyConflict, "idempotency_error"),
        refused(RefusalClass::Duplicate, "email_duplicated"),
        expired(),
        expired(),
        accepted(),
        under_review(),
        idv_pending(),
        idv_without_link(),
        renewing(),
        active(),
        and(active(), [cancelling(By::Host)]),
        failed(),
        idv_expired(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_life_keeps_the_promises(
        beginning in any_beginning(),
        policy in any_policy(),
        moves in prop::collection::vec((any_wait(), any_move()), 1..40),
    ) {
        live(given(beginning).under(|standard| *standard = policy), moves)?;
    }
}

/// The walk is worth nothing if it never gets anywhere.
#[test]
fn random_lives_reach_every_event() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let moves = prop::collection::vec((any_wait(), any_move()), 40);
    let mut seen = std::collections::BTreeSet::from(["order_requested"]);
    for _ in 0..1500 {
        let beginning = any_beginning().new_tree(&mut runner).unwrap().current();
        let mut life = given(beginning);
        for (wait, step) in moves.new_tree(&mut runner).unwrap().current() {
            life.now = life.now.after(seconds(wait));
            let command = step.command(life.order(), life.now);
            let events = decide(life.order.as_ref(), command, &life.context()).unwrap_or_default();
            seen.extend(events.iter().map(|event| event.body.name()));
            life = life.and(events.into_iter().map(|event| event.body));
        }
    }
    let all = crate::golden::names_of::<EventBody>(r#"{"name":"?","body":{}}"#);
    let missing: Vec<_> = all
        .iter()
        .filter(|name| !seen.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

#[test]
fn a_history_that_cannot_be_true_is_refused() {
    let fits = |history: Vec<EventBody>, event: EventBody| {
        evolve(
            order_id(),
            Some(fold(history)),
            &Event {
                at: start(),
                body: event,
            },
        )
        .is_ok()
    };
    let card: CardStatus = CardStatus::Active;
    let activated = EventBody::CardActivated {
        card: "card-1".parse().unwrap(),
        status: card,
        source: Source::LookUp,
    };
    assert!(fits(accepted(), activated.clone()));
    for history in [requested(), active(), failed()] {
        assert!(!fits(history, activated.clone()));
    }
    for event in requested() {
        assert!(!fits(accepted(), event), "a second beginning");
    }
    for history in [active(), failed()] {
        let end = ended(
            issuance_domain::FailureKind::OperatorFailed,
            issuance_domain::Who::Nobody,
            None,
            None,
        );
        assert!(!fits(history, end), "a second end");
    }
    let refused = was_refused(2, refusal(RefusalClass::Input, "no"));
    assert!(!fits(sent(), refused), "a refusal of a key never used");
    assert!(!fits(
        active(),
        EventBody::IdvPassed {
            source: Source::LookUp
        }
    ));
    assert!(
        !fits(
            accepted(),
            EventBody::IdvPassed {
                source: Source::LookUp
            }
        ),
        "nothing was asked"
    );
    assert!(!fits(
        requested(),
        EventBody::FailureReported {
            code: None,
            source: Source::LookUp
        }
    ));
    let orphan = evolve(
        order_id(),
        None,
        &Event {
            at: start(),
            body: activated,
        },
    );
    assert_eq!(orphan.unwrap_err().state, "none");
}
