//! What the provider's side shows against the log.

use issuance_audit::Invariant::*;
use issuance_audit::{Call, Checker, Ending, Ledger, Outcome, ProviderFact, Rules};
use issuance_domain::{
    AttentionReason, By, CardStatus, EventBody, FailureKind, OperatorAction, Policy, SilenceCause,
    Source,
};
use serde_json::json;

use crate::world::*;

#[test]
fn s1_a_second_card() {
    let mut world = World::good();
    world.card(9, 1);
    world.breaks(S1);
}

#[test]
fn s1_a_second_card_may_be_where_two_people_asked_for_it() {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1);
    world.event(1, acted(OperatorAction::Resubmit, "mara"));
    world.event(1, acted(OperatorAction::ApproveResubmit, "ines"));
    world.request(1, CREATE, 1, 200).card(1, 1).card(2, 1);
    world.event(1, accepted(1));
    world.is_sound_so_far();
}

#[test]
fn s2_two_people_behind_one_order() {
    let mut world = World::good();
    for told in &mut world.told {
        if let Told::Provider(ProviderFact::Card(made)) = told
            && made.card == card(1)
        {
            made.cardholder = Some("person-7".parse().unwrap());
        }
    }
    let verdict = world.verdict();
    assert_eq!(broken(&verdict), ["S2", "X5"].into(), "{verdict}");
}

#[test]
fn s30_an_order_failed_by_its_card_and_the_card_did_not() {
    let ended = |kind, status| {
        let mut world = World::new();
        world.placed(1).accept(1).status(1, status);
        let reason = AttentionReason::Refused {
            code: "cancelled_by_provider".into(),
        };
        let called = EventBody::AttentionRaised { reason };
        world.together(1, vec![failed(kind, Some(Source::LookUp)), called]);
        world
    };
    ended(FailureKind::CreationFailed, CardStatus::Failed).is_sound_so_far();
    ended(FailureKind::CreationFailed, CardStatus::Pending).breaks(S30);
    ended(FailureKind::CancelledByProvider, CardStatus::PreCancel).is_sound_so_far();
    ended(FailureKind::CancelledByProvider, CardStatus::Failed).breaks(S30);
}

#[test]
fn s6_an_effect_before_its_intent() {
    let mut world = World::new();
    world.placed(1).request(1, CREATE, 1, 500);
    world.breaks(S6);
    // Shown afterwards, it is the times that tell.
    let mut world = World::new();
    world.rules.as_it_happens = false;
    world.placed(1);
    let early = world.now;
    world.wait(minutes(1)).start(1, 1, 1);
    let key = key(1, CREATE, 1).to_string();
    world.sent(1, early, Call::CreateCard, Some(&key), "body", 500);
    world.breaks(S6);
}

#[test]
fn s6_a_card_of_which_the_log_knows_nothing() {
    let mut world = World::good();
    world.card(8, 8);
    world.breaks(S6);
    world.rules.sole = false;
    world.is_sound();
}

#[test]
fn s7_two_bodies_under_one_key() {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1).request(1, CREATE, 1, 500);
    let (at, key) = (world.now, key(1, CREATE, 1).to_string());
    world.sent(1, at, Call::CreateCard, Some(&key), "another", 500);
    world.breaks(S7);
}

#[test]
fn s7_a_key_that_is_none_or_is_for_something_else() {
    let used = key(1, CREATE, 1).to_string();
    for (call, key) in [
        (Call::Other, used.clone()),
        (Call::CreateCard, used.to_uppercase()),
        (Call::CreateCard, "retry-1".to_owned()),
    ] {
        let mut world = World::new();
        world.placed(1).start(1, 1, 1);
        let at = world.now;
        world.sent(1, at, call, Some(&key), "body", 500);
        world.breaks(S7);
    }
}

#[test]
fn s7_a_card_made_under_a_key_that_is_not_its_orders() {
    let mut world = World::good();
    for told in &mut world.told {
        if let Told::Provider(ProviderFact::Card(made)) = told
            && made.card == card(2)
        {
            made.key = Some(key(1, CREATE, 1).to_string().into());
        }
    }
    world.breaks(S7);
}

#[test]
fn s9_a_key_arrives_when_the_provider_may_have_forgotten_it() {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1).request(1, CREATE, 1, 500);
    world.wait(minutes(22 * 60)).request(1, CREATE, 1, 500);
    world.breaks(S9);
}

#[test]
fn s18_called_active_and_never_was() {
    let mut world = World::new();
    world
        .placed(1)
        .accept(1)
        .event(1, activated(1, succeeded()));
    world.breaks(S18);
    // Too late is never.
    world.status(1, CardStatus::Active);
    world.breaks(S18);
}

#[test]
fn s18_active_with_a_card_nobody_has() {
    let mut world = World::good();
    world.told.retain(
        |told| !matches!(told, Told::Provider(ProviderFact::Card(made)) if made.card == card(1)),
    );
    world.breaks(S18);
}

#[test]
fn s19_a_live_card_behind_a_failed_order_and_nobody_knows() {
    let mut world = World::new();
    world.placed(1).accept(1);
    world.event(1, failed(FailureKind::KycRejected, Some(Source::LookUp)));
    world.status(1, CardStatus::Active);
    world.breaks(S19);
    let discrepancy = issuance_domain::Discrepancy::LateSuccess { card: card(1) };
    world.event(
        1,
        issuance_domain::EventBody::DiscrepancyNoted {
            discrepancy,
            source: Source::LookUp,
        },
    );
    world.is_sound();
}

#[test]
fn s19_a_live_card_behind_a_cancelled_order() {
    let cancelled = |is: CardStatus| {
        let mut world = World::good();
        world.event(1, EventBody::CompensationStarted { by: By::Host });
        world.status(1, is);
        let status = Some(CardStatus::PreCancel);
        world.event(1, EventBody::CompensationCompleted { status });
        world
    };
    cancelled(CardStatus::Frozen).breaks(S19);
    cancelled(CardStatus::PreCancel).is_sound();
    // It was cancelled, and lives again.
    cancelled(CardStatus::PreCancel)
        .status(1, CardStatus::Active)
        .breaks(S19);
}

#[test]
fn s19_a_card_that_comes_after_a_cancelled_order_failed() {
    let mut world = World::new();
    world.placed(1).accept(1);
    world.event(1, EventBody::CompensationStarted { by: By::Host });
    let over = EventBody::CompensationCompleted { status: None };
    let end = failed(FailureKind::OperatorFailed, None);
    world.together(1, [acted(OperatorAction::Fail, "mara"), end, over]);
    world.status(1, CardStatus::Active);
    world.breaks(S19);
}

#[test]
fn s19_a_second_live_card_beside_an_active_one() {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1);
    world.event(1, acted(OperatorAction::Resubmit, "mara"));
    world.event(1, acted(OperatorAction::ApproveResubmit, "ines"));
    world.request(1, CREATE, 1, 200).card(1, 1).card(2, 1);
    world.event(1, accepted(1)).status(1, CardStatus::Active);
    world.event(1, activated(1, Source::LookUp)).is_sound();
    world.status(2, CardStatus::Active).breaks(S19);
    let discrepancy = issuance_domain::Discrepancy::SecondCard {
        card: card(2),
        status: None,
    };
    let source = Source::LookUp;
    world.event(
        1,
        EventBody::DiscrepancyNoted {
            discrepancy,
            source,
        },
    );
    world.is_sound();
}

#[test]
fn s30_a_card_that_may_still_come_is_called_failed() {
    let believed = |later: u64, status: Option<CardStatus>| {
        let mut world = World::new();
        world.placed(1).accept(1);
        let source = webhook("event-5", "card.create.failed");
        world.deliver("event-5", "card.create.failed");
        world.event(1, EventBody::FailureReported { code: None, source });
        if let Some(status) = status {
            world.status(1, status);
        }
        world.wait(minutes(later));
        world.event(1, failed(FailureKind::CreationFailed, Some(Source::LookUp)));
        world
    };
    believed(0, None).breaks(S30);
    believed(1, None).is_sound();
    believed(0, Some(CardStatus::Failed)).is_sound();
}

#[test]
fn s24_a_link_is_over_and_nobody_asked() {
    let mut world = World::good();
    world.told.retain(
        |told| !matches!(told, Told::Provider(ProviderFact::Request(asked)) if asked.call == Call::Read),
    );
    world.breaks(S24);
}

#[test]
fn s26_too_many_calls_in_a_minute() {
    let mut world = World::good();
    world.rules.calls_per_minute = Some(3);
    world.is_sound();
    world.read(1);
    world.read(1);
    world.breaks(S26);
    // Another's calls are no part of ours.
    let mut world = World::good();
    world.rules.calls_per_minute = Some(3);
    world.read_by("somebody", 1);
    world.is_sound();
    // One that was slow is told of late, and counts where it came.
    let mut world = World::good();
    world.rules.calls_per_minute = Some(4);
    world.wait(minutes(5)).read(1);
    world.wait(minutes(2));
    for _ in 0..4 {
        world.read(1);
    }
    let slow = world.told.len() - 5;
    world.told[slow..].rotate_left(1);
    world.is_sound();
    world.read(1);
    world.breaks(S26);
}

#[test]
fn s28_a_create_call_long_after_the_end() {
    let mut world = World::new();
    world.placed(1).accept(1).activate(1);
    world.is_sound();
    world.wait(minutes(5)).request(1, CREATE, 1, 200);
    world.breaks(S28);
}

/// An event has its decision's time. One that waited to be recorded is older than what stands before it.
#[test]
fn s28_a_send_before_an_end_that_was_decided_on_earlier() {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1).request(1, CREATE, 1, 200);
    world.card(1, 1).status(1, CardStatus::Active);
    let decided = world.now;
    world.wait(minutes(2));
    world.event(1, unanswered(SilenceCause::TimedOut, world.now));
    world.wait(minutes(2)).start(1, 1, 2);
    world.together(1, [accepted(1), activated(1, Source::LookUp)]);
    for told in world.told.iter_mut().rev().take(2) {
        if let Told::Event(recorded) = told {
            recorded.event.at = decided;
        }
    }
    world.event(1, notified(6)).request(1, CREATE, 1, 200);
    world.is_sound();
    world.wait(minutes(2)).request(1, CREATE, 1, 200);
    world.breaks(S28);
}

#[test]
fn x5_the_card_is_not_what_was_asked_for() {
    let changes: [fn(&mut issuance_audit::Card); 3] = [
        |made| made.currency = Some("SGD".into()),
        |made| made.product = Some("product-2".into()),
        |made| made.limit = Some("2050".parse().unwrap()),
    ];
    for change in changes {
        let mut world = World::good();
        for told in &mut world.told {
            if let Told::Provider(ProviderFact::Card(made)) = told {
                change(made);
            }
        }
        world.breaks(X5);
    }
}

#[test]
fn without_the_providers_side_nothing_of_it_holds() {
    let mut world = World::good();
    world.told.retain(|told| matches!(told, Told::Event(_)));
    let verdict = world.verdict();
    assert!(verdict.is_sound(), "{verdict}");
    for invariant in [S1, S2, S3, S4, S5, S19, S20, S26, L3, L4, X5] {
        let outcome = verdict.outcome(invariant);
        assert!(
            matches!(outcome, Outcome::NotJudged { .. }),
            "{invariant}: {outcome}"
        );
    }
    for invariant in [S7, S8, S13, S18, S30, L1, L2] {
        let outcome = verdict.outcome(invariant);
        assert!(
            !matches!(outcome, Outcome::Violated { .. }),
            "{invariant}: {outcome}"
        );
    }
}

/// The files it reads: a simulator's ledger, and the pages of the provider's list.
#[test]
fn ledgers_are_read_from_json() {
    let mark = json!({ "issuance_order": order(1).to_string() });
    let kept = json!({
        "seed": 1, "now": 1_767_225_600_000_i64, "card_orders": [], "cardholders": [],
        "deliveries": [{ "number": 1, "event_id": "event-9", "state": "delivered", "attempts": [
            { "at": 1, "status": null }, { "at": 2, "status": 200 },
        ]}],
        "cards": [{
            "card_id": "card-1", "card_order_id": "o", "cardholder_id": "person-1", "product_id": "product-1",
            "account": null, "currency": "USD", "limit": "20.50", "status": "ACTIVE", "metadata": mark,
            "idempotency_key": key(1, CREATE, 1).to_string(), "created_at": 1,
            "history": [[1, "PENDING"], [2, "ACTIVE"]],
        }],
        "requests": [{
            "number": 1, "at": 1, "endpoint": "create_card", "method": "POST", "path": "/", "idempotency_key": null,
            "body_sha256": "aa", "client": "tests", "status": 200, "code": null, "answer": "sent", "effect": true,
            "replayed": false, "fault": null, "card_id": "card-1", "cardholder_id": null,
        }],
    });
    let ledger = Ledger::parse(kept.to_string().as_bytes()).unwrap();
    assert_eq!(ledger.facts().len(), 4);
    let mut checker = Checker::new(Rules::of(Policy::standard()));
    checker.messages_are_known();
    checker.ledger(&ledger);
    let verdict = checker.report(Ending::Cut);
    assert!(
        broken(&verdict).contains("S4"),
        "acknowledged, and not in the inbox: {verdict}"
    );
    let page = json!({ "data": [
        { "card_id": "card-1", "card_status": "ACTIVE", "metadata": mark, "mode_type": "SHARE" },
        { "card_id": "card-2" },
    ]});
    let pages = format!("{page}\n{page}");
    assert_eq!(Ledger::parse(pages.as_bytes()).unwrap().facts().len(), 6);
    assert_eq!(
        Ledger::parse(page["data"].to_string().as_bytes())
            .unwrap()
            .facts()
            .len(),
        3
    );
    assert!(Ledger::parse(b"{\"orders\": []}").is_err());
    let partial = json!({ "total_pages": 2, "total_items": 3, "data": page["data"] });
    let refused = Ledger::parse(partial.to_string().as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("2 of the 3"), "{refused}");
}

/// Metadata may come as text, and a list that grows while it is read shows a card twice.
#[test]
fn a_card_on_two_pages_is_one_card() {
    let mark = json!({ "issuance_order": order(1).to_string() });
    let card =
        |metadata| json!({ "card_id": "card-1", "card_status": "ACTIVE", "metadata": metadata });
    let page = json!({ "data": [card(mark.clone()), card(mark.to_string().into()), { "card_id": "card-2", "metadata": "" }] });
    let ledger = Ledger::parse(page.to_string().as_bytes()).unwrap();
    let marks = ledger.facts().iter().filter(
        |fact| matches!(fact, issuance_audit::ProviderFact::Card(card) if card.order.is_some()),
    );
    assert_eq!(marks.count(), 2);
    let mut checker = World::good().seen();
    checker.ledger(&ledger);
    let verdict = checker.report(Ending::Cut);
    assert!(!broken(&verdict).contains("S1"), "{verdict}");
}

/// A log goes on after the list was taken: what came later is not missed in it.
#[test]
fn a_list_says_nothing_of_what_came_after_it() {
    let world = World::good();
    let before = world.events().next().unwrap().event.at;
    let mut ledger = Ledger::parse(br#"{ "data": [] }"#).unwrap();
    for (taken_at, missed) in [(None, true), (Some(before), false), (Some(world.now), true)] {
        ledger.taken_at = taken_at;
        let mut checker = Checker::new(Rules::of_any_policy());
        world.events().for_each(|record| checker.record(record));
        checker.ledger(&ledger);
        let verdict = checker.report(Ending::Cut);
        assert_eq!(
            broken(&verdict).contains("S18"),
            missed,
            "{taken_at:?}: {verdict}"
        );
    }
}
