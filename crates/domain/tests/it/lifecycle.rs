//! `docs/lifecycle.md`, written by asking `decide`, `evolve` and `outbox`. `UPDATE_DOCS=1` rewrites it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use issuance_domain::{
    AbsencePolicy, Action, AttentionReason, By, CardOrderStatus, CardStatus, CardholderStatus,
    Command, Creation, Discrepancy, Event, EventBody, ExpiryCause, Fact, Likeness, Observation,
    OperatorAction, Order, Policy, Purpose, RefusalClass, Scan, SilenceCause, Source, StateKind,
    Verification, allowed_actions, decide, evolve, outbox, transition,
};

use crate::given::{Given, given};
use crate::sample::*;

const HEAD: &str = "# The life of an order

Generated from the code by a test of `crates/domain`, which asks `decide`, `evolve` and `outbox` and compares; to rewrite
it: `UPDATE_DOCS=1 cargo test -p issuance-domain lifecycle`. Waits are the standard policy's.
";

/// The five states, as the tables below begin them.
fn states() -> [(&'static str, Vec<EventBody>, &'static str); 5] {
    [
        (
            "requested",
            sent(),
            "The host asked; the create call is owed, on its way, or its outcome is unknown.",
        ),
        (
            "accepted",
            accepted(),
            "The provider has it and makes the card, or reviews the person.",
        ),
        (
            "idv_pending",
            idv_pending(),
            "A person has to visit the identity-check link.",
        ),
        (
            "active",
            active(),
            "The card is usable. Absorbs: later facts are recorded, never silently applied.",
        ),
        (
            "failed",
            failed(),
            "There will be no card. Absorbs, but a live card behind it is a discrepancy.",
        ),
    ]
}

/// What may be heard or done, with the time it takes to matter.
type Row = (String, Duration, Command);

fn signals() -> Vec<(&'static str, Vec<Row>)> {
    let row = |name: &str, command| (name.to_owned(), minutes(2), command);
    let answers = [
        ("`PENDING`", Fact::Created(creation())),
        ("with a link", Fact::Created(idv_creation())),
        (
            "`ACTION_REQUIRED`, no link",
            Fact::Created(Creation {
                link: None,
                ..idv_creation()
            }),
        ),
        (
            "`UNDER_REVIEW`",
            Fact::Created(Creation {
                verification: Some(Verification::UnderReview),
                ..creation()
            }),
        ),
        (
            "card `ACTIVE`",
            Fact::Created(Creation {
                card: CardStatus::Active,
                ..creation()
            }),
        ),
        (
            "card `FAILED`",
            Fact::Created(Creation {
                card: CardStatus::Failed,
                ..creation()
            }),
        ),
        (
            "a word we do not know",
            Fact::Created(Creation {
                card: "WARP".into(),
                ..creation()
            }),
        ),
        (
            "refused: input",
            Fact::Refused(refusal(RefusalClass::Input, "cardholder_incomplete_fields")),
        ),
        (
            "refused: duplicate",
            Fact::Refused(refusal(RefusalClass::Duplicate, "email_duplicated")),
        ),
        (
            "refused: capacity",
            Fact::Refused(refusal(RefusalClass::Capacity, "insufficient_sub_bin")),
        ),
        (
            "refused: key conflict",
            Fact::Refused(refusal(RefusalClass::KeyConflict, "idempotency_error")),
        ),
        (
            "refused: configuration",
            Fact::Refused(refusal(
                RefusalClass::Configuration,
                "card_art_not_configured",
            )),
        ),
        (
            "refused: unknown code",
            Fact::Refused(refusal(RefusalClass::Unknown, "new_code")),
        ),
    ];
    let people = [
        ("`SUCCESS`", CardholderStatus::Success, None),
        ("`FAILED`", CardholderStatus::Failed, None),
        ("`INCOMPLETE`", CardholderStatus::Incomplete, None),
        (
            "`INCOMPLETE`, newer link",
            CardholderStatus::Incomplete,
            Some(link(2, 48)),
        ),
        ("`PENDING`", CardholderStatus::Pending, None),
        ("unknown word", "WARP".into(), None),
    ];
    let cards = [
        "ACTIVE",
        "FAILED",
        "PENDING",
        "FROZEN",
        "PRE_CANCEL",
        "WARP",
    ];
    let card = |word: &str, source| learn(Fact::Card(word.into()), source);
    let order = |status, failure_code| Fact::CardOrder {
        status,
        failure_code,
    };

    let silences = [
        ("never left", SilenceCause::NotSent),
        ("token refused twice", SilenceCause::TokenRefused),
        (
            "turned away at the door",
            SilenceCause::Blocked {
                code: "forbidden".into(),
            },
        ),
        ("rate limited", SilenceCause::RateLimited),
        ("being processed", SilenceCause::Processing),
        ("no answer in time", SilenceCause::TimedOut),
        (
            "server error",
            SilenceCause::ServerError { http_status: 500 },
        ),
        (
            "unreadable answer",
            SilenceCause::Unreadable { http_status: 200 },
        ),
    ];
    let mut calls: Vec<_> = answers
        .into_iter()
        .map(|(name, fact)| row(&format!("answer: {name}"), learn(fact, answer(1))))
        .collect();
    let again = Observation {
        fact: Fact::Created(creation()),
        ids: second_card(),
        echo: Default::default(),
        source: answer(1),
    };
    calls.push(row("answer: another card", Command::Learn(again)));
    calls.push(row("answer: another order's card", strange(answer(1))));
    calls.extend(silences.into_iter().map(|(name, cause)| {
        row(
            &format!("silence: {name}"),
            silence(Purpose::CreateCard, 1, cause),
        )
    }));
    calls.push(row(
        "sent again after its deadline",
        send(Purpose::CreateCard, 1),
    ));
    calls.push((
        "sent again after 20 h".into(),
        hours(20),
        send(Purpose::CreateCard, 1),
    ));

    let mut hooks: Vec<_> = ["ACTIVE", "PENDING"]
        .into_iter()
        .map(|word| {
            row(
                &format!("`card.create.succeeded`: `{word}`"),
                card(word, created_hook()),
            )
        })
        .collect();
    hooks.push(row(
        "`card.create.failed`",
        learn(Fact::CardCreationFailed { code: None }, failed_hook()),
    ));
    hooks.extend(cards.iter().map(|word| {
        row(
            &format!("`card.status.update.succeeded`: `{word}`"),
            card(word, status_hook()),
        )
    }));
    hooks.push(row(
        "`card.status.update.failed`",
        learn(Fact::CancelFailed, webhook("card.status.update.failed")),
    ));
    hooks.push(row(
        "`cardholder.updated`",
        learn(Fact::CardholderUpdated, webhook("cardholder.updated")),
    ));
    hooks.extend(people.iter().filter(|(_, _, link)| link.is_none()).map(
        |(name, status, link)| {
            row(
                &format!("`cardholder.kyc.status_changed`: {name}"),
                learn(person(status.clone(), link.clone()), kyc_hook()),
            )
        },
    ));

    let mut reads = vec![
        row(
            "card order `SUCCESS`",
            read(order(CardOrderStatus::Success, None)),
        ),
        row(
            "card order `FAILED`",
            read(order(CardOrderStatus::Failed, Some("no_cards".into()))),
        ),
        row(
            "card order `PROCESSING`",
            read(order(CardOrderStatus::Processing, None)),
        ),
    ];
    reads.extend(
        cards
            .iter()
            .map(|word| row(&format!("card `{word}`"), card(word, Source::LookUp))),
    );
    reads.push((
        "no such card, within 2 min".into(),
        minutes(1),
        read(Fact::CardMissing),
    ));
    reads.push(row("no such card, later", read(Fact::CardMissing)));
    reads.push(row("another order's mark", strange(Source::LookUp)));
    reads.extend(
        people
            .into_iter()
            .map(|(name, status, link)| row(&format!("person {name}"), read(person(status, link)))),
    );

    let acts = [
        OperatorAction::RetryNow,
        OperatorAction::Resubmit,
        OperatorAction::ApproveResubmit,
        OperatorAction::LookUpNow,
        OperatorAction::RefreshIdvLink,
        OperatorAction::Fail,
        OperatorAction::Cancel,
        OperatorAction::Pause,
        OperatorAction::ErasePersonalData,
    ];
    let mut others = vec![
        (
            "the alarm goes off (7 days)".to_owned(),
            hours(7 * 24),
            Command::Escalate,
        ),
        (
            "the link's time is over".to_owned(),
            hours(25),
            Command::ExpireIdv { link: 1 },
        ),
        row("the host cancels", Command::Cancel),
    ];
    others.extend(
        acts.into_iter()
            .map(|action| row(&format!("operator: {}", action.name()), operate(action))),
    );
    vec![
        ("Our create call", calls),
        ("Webhooks, verified", hooks),
        ("Look-ups", reads),
        ("Time and people", others),
    ]
}

/// Transitions seen while the tables were made: (from, to) → events.
type Edges = BTreeMap<(&'static str, &'static str), BTreeSet<&'static str>>;

fn cell(history: &[EventBody], after: Duration, command: Command, edges: &mut Edges) -> String {
    cell_under(history.to_vec(), after, command, |_| {}, edges)
}

fn cell_under(
    history: Vec<EventBody>,
    after: Duration,
    command: Command,
    policy: fn(&mut Policy),
    edges: &mut Edges,
) -> String {
    let life = given(history).at(after).under(policy);
    let Ok(events) = decide(life.order.as_ref(), command, &life.context()) else {
        return "refused".into();
    };
    if events.is_empty() {
        return "–".into();
    }
    let before = life.order().state.name();
    let mut order: Order = life.order().clone();
    let mut names = Vec::new();
    for event in events {
        let from = order.state.name();
        let published = transition(Some(order.state.kind()), &event.body);
        order = evolve(order_id(), Some(order), &event).unwrap();
        assert_eq!(published, Some(order.state.kind()), "{}", event.body.name());
        names.push(event.body.name());
        if from != order.state.name() {
            edges
                .entry((from, order.state.name()))
                .or_default()
                .insert(event.body.name());
        }
    }
    let state = order.state.name();
    let becomes = if state == before {
        String::new()
    } else {
        format!(" → **{state}**")
    };
    names.join(", ") + &becomes
}

fn span(wait: Duration) -> String {
    let seconds = wait.as_secs();
    match seconds {
        0 => "at once".into(),
        s if s % 86_400 == 0 && s > 86_400 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 && s > 60 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn owed(order: &Order, due: impl Fn(Action) -> Option<&'static str>) -> String {
    let tasks = outbox(order, &Policy::standard());
    let named = tasks.into_iter().map(|task| {
        let when = due(task.id.action).map_or_else(|| span(task.due.since(start())), Into::into);
        format!("`{}` {when}", task.id.action.name())
    });
    let all: Vec<_> = named.collect();
    if all.is_empty() {
        "nothing".into()
    } else {
        all.join(", ")
    }
}

fn actions(order: &Order) -> String {
    let life = Given {
        order: Some(order.clone()),
        now: start().after(minutes(2)),
        policy: Policy::standard(),
    };
    let names: Vec<_> = allowed_actions(order, &life.context())
        .into_iter()
        .map(OperatorAction::name)
        .collect();
    names.join(", ")
}

/// Where an order stands when a person is called, one history for each reason.
fn marks() -> Vec<Vec<EventBody>> {
    let create = Purpose::CreateCard;
    let given_up = |because, reason| and(unknown(), [key_expired(create, because), raised(reason)]);
    let code = || "some_code".into();
    let word = AttentionReason::UnknownWord {
        field: "card_status".into(),
        word: "WARP".into(),
    };
    let late = Discrepancy::LateSuccess {
        card: "card-1".parse().unwrap(),
    };
    let cancel = [
        cancelling(By::Host),
        started(Purpose::CancelCard, 1, 1),
        EventBody::SubmissionRefused {
            purpose: Purpose::CancelCard,
            generation: issuance_domain::Generation(1),
            refusal: refusal(RefusalClass::Unknown, "some_code"),
            source: answer_to(Purpose::CancelCard, 1),
        },
        raised(AttentionReason::CancelRefused { code: code() }),
    ];
    vec![
        given_up(ExpiryCause::TooOld, AttentionReason::OutcomeUnknown),
        given_up(ExpiryCause::BodyChanged, AttentionReason::BodyChanged),
        given_up(ExpiryCause::DataMissing, AttentionReason::DataMissing),
        and(proved(), [raised(AttentionReason::AbsenceProved)]),
        refused(RefusalClass::KeyConflict, "idempotency_error"),
        and(sent(), another_orders_answer()),
        parked(),
        refused(RefusalClass::Duplicate, "email_duplicated"),
        and(
            failed(),
            [raised(AttentionReason::Refused { code: code() })],
        ),
        and(accepted(), [raised(word)]),
        and(accepted(), [raised(AttentionReason::ActivationOverdue)]),
        and(under_review(), [raised(AttentionReason::ReviewOverdue)]),
        and(
            idv_without_link(),
            [raised(AttentionReason::IdvLinkMissing)],
        ),
        and(idv_pending(), [raised(AttentionReason::IdvExpired)]),
        and(accepted(), [raised(AttentionReason::CardNotFound)]),
        and(
            accepted(),
            [raised(AttentionReason::TaskGivenUp {
                action: "look_up".into(),
            })],
        ),
        and(
            failed(),
            [EventBody::DiscrepancyNoted {
                discrepancy: late,
                source: created_hook(),
            }],
        ),
        and(active(), cancel),
        and(accepted(), [operated(OperatorAction::Pause)]),
    ]
}

/// Where a create call stands whose key is spent, and what a complete search that finds no card makes of it.
fn searches(page: &mut String, edges: &mut Edges) {
    let seen = |history| and(history, [observed(scan(minutes(11)))]);
    let by_hand = |policy: &mut Policy| policy.absence = AbsencePolicy::Attention;
    let standard = |_: &mut Policy| {};
    let key = |because| {
        and(
            unknown(),
            [
                key_expired(Purpose::CreateCard, because),
                raised(AttentionReason::DataMissing),
            ],
        )
    };
    let duplicate = refused(RefusalClass::Duplicate, "email_duplicated");
    let prepaid = {
        let mut history = expired();
        if let Some(EventBody::OrderRequested { prepaid, .. }) = history.first_mut() {
            *prepaid = true;
        }
        history
    };
    type Searched = (&'static str, Vec<EventBody>, Scan, fn(&mut Policy));
    let rows: [Searched; 12] = [
        (
            "the key can still be sent",
            unknown(),
            scan(minutes(11)),
            standard,
        ),
        (
            "key expired, searched within 10 min of the last possible arrival",
            expired(),
            scan(minutes(10)),
            standard,
        ),
        (
            "key expired, searched later",
            expired(),
            scan(minutes(11)),
            standard,
        ),
        (
            "searched again within 10 min",
            seen(expired()),
            scan(minutes(20)),
            standard,
        ),
        (
            "searched again later",
            seen(expired()),
            scan(minutes(21)),
            standard,
        ),
        (
            "searched again later, our person is there",
            seen(expired()),
            scan_with(minutes(21), Likeness::Ours),
            standard,
        ),
        (
            "searched again later, money is loaded",
            seen(prepaid),
            scan(minutes(21)),
            standard,
        ),
        (
            "searched again later, policy `attention`",
            seen(expired()),
            scan(minutes(21)),
            by_hand,
        ),
        (
            "searched again later, the data is gone",
            seen(key(ExpiryCause::DataMissing)),
            scan(minutes(21)),
            standard,
        ),
        (
            "e-mail or phone taken: our person",
            duplicate.clone(),
            scan_with(minutes(2), Likeness::Ours),
            standard,
        ),
        (
            "e-mail or phone taken: somebody else",
            duplicate,
            scan_with(minutes(2), Likeness::Stranger),
            standard,
        ),
        (
            "e-mail or phone taken: nobody to be found",
            and(
                sent(),
                [was_refused(
                    1,
                    refusal(RefusalClass::Duplicate, "email_duplicated"),
                )],
            ),
            scan(minutes(2)),
            standard,
        ),
    ];
    page.push_str(
        "\n### A complete search without the card\n\nOf a create call whose key is spent (contract §6.5). A card that is \
         found is a look-up like any other.\n\n| | requested |\n|---|---|\n",
    );
    for (name, history, found, policy) in rows {
        let said = cell_under(
            history,
            found.began.since(start()),
            absent(found),
            policy,
            edges,
        );
        let _ = writeln!(page, "| {name} | {said} |");
    }
}

/// The published table: what a checker of a log holds every step against.
fn transitions(page: &mut String) {
    page.push_str(
        "\n## Which event can follow where\n\nThe table by which a log is judged (`transition` in `crates/domain`, stated apart \
         from `evolve`): the state after the\nevent, – where it cannot follow. What is sent and answered follows only where \
         its purpose belongs.\n\n",
    );
    let names: Vec<_> = StateKind::ALL.into_iter().map(StateKind::name).collect();
    let _ = writeln!(
        page,
        "| event | first | {} |\n|---|---|---|---|---|---|---|",
        names.join(" | ")
    );
    let mut rows = BTreeMap::new();
    for body in crate::golden::examples() {
        let name = body.name().to_owned();
        let of = |purpose: Purpose| format!("{name}, {}", purpose.name());
        match body {
            EventBody::SubmissionStarted { .. }
            | EventBody::SubmissionUnanswered { .. }
            | EventBody::SubmissionRefused { .. }
            | EventBody::KeyExpired { .. }
            | EventBody::SubmissionAnswered { .. }
            | EventBody::ResubmissionOwed { .. } => {
                let all = [
                    Purpose::CreateCard,
                    Purpose::RenewIdvLink,
                    Purpose::CancelCard,
                ];
                rows.extend(all.map(|purpose| (of(purpose), with_purpose(body.clone(), purpose))));
            }
            other => drop(rows.insert(name, other)),
        }
    }
    for (name, body) in rows {
        let cells: Vec<_> = [None]
            .into_iter()
            .chain(StateKind::ALL.map(Some))
            .map(|from| match transition(from, &body) {
                None => "–".to_owned(),
                Some(to) if Some(to) == from => to.name().into(),
                Some(to) => format!("**{}**", to.name()),
            })
            .collect();
        let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
    }
}

fn with_purpose(body: EventBody, wanted: Purpose) -> EventBody {
    let mut json = serde_json::to_value(body).unwrap();
    json["body"]["purpose"] = serde_json::to_value(wanted).unwrap();
    serde_json::from_value(json).unwrap()
}

fn tasks(page: &mut String) {
    let compensating = and(active(), [cancelling(By::Host)]);
    let cancel_taken = EventBody::SubmissionAnswered {
        purpose: Purpose::CancelCard,
        generation: issuance_domain::Generation(1),
        source: answer_to(Purpose::CancelCard, 1),
    };
    let taken = and(
        compensating.clone(),
        [started(Purpose::CancelCard, 1, 1), cancel_taken],
    );
    let expiry = |action| (action == Action::ExpireIdv).then_some("10 min after the link's end");
    let retry = |action| {
        let create = action
            == Action::Submit {
                purpose: Purpose::CreateCard,
            };
        create.then_some("when the executor's back-off says")
    };
    let refused = refused(RefusalClass::Capacity, "some_code");
    let rows = [
        ("requested", owed(&fold(requested()), |_| None)),
        ("requested, call in flight", owed(&fold(sent()), |_| None)),
        ("requested, call unanswered", owed(&fold(unknown()), retry)),
        (
            "requested, definitely refused",
            owed(&fold(refused), |_| None),
        ),
        ("requested, no capacity", owed(&fold(parked()), |_| None)),
        ("requested, key given up", owed(&fold(expired()), |_| None)),
        (
            "requested, one search found nothing",
            owed(&fold(and(expired(), [observed(scan(minutes(11)))])), |_| {
                None
            }),
        ),
        ("requested, absence proved", owed(&fold(proved()), |_| None)),
        ("accepted", owed(&fold(accepted()), |_| None)),
        (
            "accepted, under review",
            owed(&fold(under_review()), |_| None),
        ),
        ("idv_pending", owed(&fold(idv_pending()), expiry)),
        (
            "idv_pending, no link",
            owed(&fold(idv_without_link()), |_| None),
        ),
        (
            "idv_pending, submitted",
            owed(
                &fold(and(
                    idv_pending(),
                    [EventBody::IdvSubmitted { source: kyc_hook() }],
                )),
                |_| None,
            ),
        ),
        ("idv_pending, renewing", owed(&fold(renewing()), |_| None)),
        ("active", owed(&fold(active()), |_| None)),
        (
            "active, to be cancelled",
            owed(&fold(compensating), |_| None),
        ),
        ("active, cancel taken", owed(&fold(taken), |_| None)),
        ("failed", owed(&fold(failed()), |_| None)),
        (
            "failed by ourselves, a card may come",
            owed(&fold(idv_expired()), |_| None),
        ),
        (
            "any, paused",
            owed(
                &fold(and(accepted(), [operated(OperatorAction::Pause)])),
                |_| None,
            ),
        ),
    ];
    page.push_str("\n## What is owed\n\nAfter the event that made it owed; look-ups repeat, each wait twice the one before, up to ");
    let _ = writeln!(
        page,
        "{}.\n\n| state | tasks |\n|---|---|",
        span(Policy::standard().look_up_cap)
    );
    for (state, tasks) in rows {
        let _ = writeln!(page, "| {state} | {tasks} |");
    }
}

fn page() -> String {
    let mut edges = Edges::new();
    let mut tables = String::new();
    for (title, rows) in signals() {
        let _ = writeln!(tables, "\n### {title}\n");
        let names: Vec<_> = states().iter().map(|(name, _, _)| *name).collect();
        let _ = writeln!(
            tables,
            "| | {} |\n|---|---|---|---|---|---|",
            names.join(" | ")
        );
        for (name, after, command) in rows {
            let cells: Vec<_> = states()
                .iter()
                .map(|(_, history, _)| cell(history, after, command.clone(), &mut edges))
                .collect();
            let _ = writeln!(tables, "| {name} | {} |", cells.join(" | "));
        }
    }
    searches(&mut tables, &mut edges);
    let mut page =
        HEAD.to_owned() + "\n```mermaid\nstateDiagram-v2\n    [*] --> requested: order_requested\n";
    for ((from, to), events) in &edges {
        let events: Vec<_> = events.iter().copied().collect();
        let _ = writeln!(page, "    {from} --> {to}: {}", events.join(", "));
    }
    page.push_str("    active --> [*]\n    failed --> [*]\n```\n\n## States\n\n| state | meaning | an operator can |\n|---|---|---|\n");
    for (name, history, meaning) in states() {
        let _ = writeln!(page, "| {name} | {meaning} | {} |", actions(&fold(history)));
    }
    page.push_str(
        "\n## What follows from what\n\nEvents, and the state if it changes; – means nothing new, *refused* that the \
         command is no longer possible.\nA second state in one cell is reached through the first.\n",
    );
    page.push_str(&tables.replace("| refused", "| *refused*"));
    transitions(&mut page);
    tasks(&mut page);
    page.push_str(
        "\n## The attention list\n\nOne example of each reason: the state it usually sits on, and what an operator can do \
         about it there.\n\n| reason | state | allowed actions |\n|---|---|---|\n",
    );
    for history in marks() {
        let order = fold(history);
        let reason = order.attention.as_ref().unwrap().reason.name();
        let _ = writeln!(
            page,
            "| {reason} | {} | {} |",
            order.state.name(),
            actions(&order)
        );
    }
    page
}

#[test]
fn lifecycle_is_what_the_code_does() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/lifecycle.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written
        .lines()
        .zip(page.lines())
        .position(|(old, new)| old != new);
    assert!(
        written == page,
        "docs/lifecycle.md differs from line {differs:?} on; UPDATE_DOCS=1 rewrites it"
    );
}

#[test]
fn every_reason_stands_on_the_page() {
    let shown: BTreeSet<_> = marks()
        .into_iter()
        .map(|history| fold(history).attention.unwrap().reason.name().to_owned())
        .collect();
    assert_eq!(
        shown,
        crate::golden::names_of::<AttentionReason>(r#"{"kind":"?"}"#)
    );
}

/// The states the tables begin with are the states they are named after.
#[test]
fn the_columns_are_true() {
    for (name, history, _) in states() {
        assert_eq!(fold(history.clone()).state.name(), name);
        let replayed = history.iter().try_fold(None, |order, body| {
            evolve(
                order_id(),
                order,
                &Event {
                    at: start(),
                    body: body.clone(),
                },
            )
            .map(Some)
        });
        assert!(replayed.is_ok());
    }
}
