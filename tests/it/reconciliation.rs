//! The provider's lists against our log: a card too many, cards of nobody we know, cards that are not there. Every world
//! is one where messages are lost, so that only the lists can tell.

use std::sync::Arc;
use std::time::Duration;

use issuance::domain::{
    AttentionReason, Discrepancy, EventBody, OperatorAct, OperatorAction, Order, OrderId, Policy,
    Source,
};
use issuance::uqpay::{Answer, BaseUrl, Body, CardId, Client, Config as ClientConfig};
use issuance::{Difference, Finding, Proposal, Reconciliation};
use issuance_audit::Invariant;
use issuance_simulator::{Config, Endpoint, Fault, FaultMatch, FaultRule, Running, product};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{person, simple};
use issuance_tests::world::{World, policy};
use serde_json::{Value, json};
use uuid::Uuid;

async fn with(policy: Policy) -> World {
    World::with(
        Arc::new(SimulatedStore::new(policy.clone())),
        Config::default(),
        policy,
    )
    .await
}

fn everywhere(world: &World, endpoint: Option<Endpoint>, times: Option<u32>, fault: Fault) {
    let applies_to = FaultMatch {
        endpoint,
        ..FaultMatch::default()
    };
    world.simulator.add_faults([FaultRule {
        id: String::new(),
        applies_to,
        fault,
        times,
        probability: None,
        used: 0,
    }]);
}

/// An active order; from then on no message comes.
async fn settled(world: &World, number: u32) -> Arc<Order> {
    let id = world.engine.place(simple(number)).await.unwrap().order.id;
    let order = world.until_state(id, "active").await;
    world.simulator.set_webhook(None);
    order
}

/// Makes a card past the engine, by a client the provider knows under another name.
async fn strangers_card(simulator: &Running, holder: (&str, Value), metadata: Value) -> CardId {
    let client = Client::new(ClientConfig {
        base_url: BaseUrl::parse(&simulator.api_base(), true).unwrap(),
        client_id: "stranger".into(),
        api_key: "strangers-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: Duration::from_millis(500),
        total_timeout: Duration::from_millis(1_200),
        max_answer: ClientConfig::MAX_ANSWER,
    })
    .unwrap();
    let token = client
        .mint_token("2026-10-03T09:00:00Z".parse().unwrap())
        .await
        .unwrap();
    let (member, holder) = holder;
    let body = json!({
        "card_product_id": product::SIMPLIFIED,
        "card_currency": "USD",
        member: holder,
        "metadata": metadata,
    });
    let body = Body::from_bytes(body.to_string().into_bytes());
    match client.create_card(&token, Uuid::new_v4(), &body).await {
        Answer::Ok(made) => made.value.card_id,
        refused => panic!("no card for the stranger: {refused:?}"),
    }
}

/// One step, for a person of theirs.
fn new_person(number: u32) -> (&'static str, Value) {
    ("cardholder_required_fields", person(number))
}

async fn reconcile(world: &World) -> Arc<Reconciliation> {
    world.engine.reconcile().await.unwrap().unwrap()
}

fn only(report: &Reconciliation) -> &Finding {
    let [finding] = report.differences.as_slice() else {
        panic!("not one difference: {report:?}")
    };
    assert_eq!(report.total, 1);
    finding
}

/// Whether the only difference was news to its order.
async fn applied(world: &World) -> bool {
    let report = reconcile(world).await;
    only(&report).applied
}

async fn story(world: &World, id: OrderId) -> Vec<EventBody> {
    let history = world.engine.history(id).await.unwrap();
    history.into_iter().map(|told| told.event.body).collect()
}

async fn resolve(world: &World, id: OrderId) {
    let act = OperatorAct {
        actor: "ada".into(),
        reason: "asked the provider".into(),
        action: OperatorAction::ResolveDiscrepancy,
    };
    world.engine.operate(id, act, None).await.unwrap();
}

fn creates(simulator: &Running) -> usize {
    let asked = simulator.ledger().requests;
    asked
        .iter()
        .filter(|asked| asked.endpoint == Endpoint::CreateCard)
        .count()
}

fn reason(order: &Order) -> Option<&AttentionReason> {
    order.attention.as_ref().map(|called| &called.reason)
}

#[tokio::test]
async fn f_038_a_provider_that_forgot_its_keys_is_found_out() {
    let world = with(policy()).await;
    // The test makes the second card, under a key of its own.
    world.makes_untrue(Invariant::S1);
    world.makes_untrue(Invariant::S7);
    let order = settled(&world, 1).await;
    let first = order.ids.card.clone().unwrap();
    let made = world.simulator.ledger_without_requests().cards.remove(0);
    // What a second send under a forgotten key leaves: the same holder, the same mark, another card.
    let second = strangers_card(
        &world.simulator,
        ("cardholder_id", json!(made.cardholder_id)),
        json!({ "issuance_order": order.id.to_string(), "test": "1" }),
    )
    .await;
    assert_eq!(world.cards_of(order.id), 2);
    let unaware = world.engine.order(order.id).await.unwrap().unwrap();
    assert_eq!(
        (&unaware.discrepancies[..], &unaware.attention),
        (&[][..], &None)
    );

    let report = reconcile(&world).await;
    assert!(report.complete, "{report:?}");
    assert_eq!((report.orders, report.cards), (1, 2));
    let finding = only(&report);
    let Difference::TwoCards {
        order: whose,
        cards,
    } = &finding.difference
    else {
        panic!("{finding:?}")
    };
    let mut told: Vec<_> = cards.iter().map(ToString::to_string).collect();
    let mut both = vec![first.to_string(), second.to_string()];
    told.sort();
    both.sort();
    assert_eq!((*whose, told), (order.id, both));
    assert_eq!((finding.proposal, finding.applied), (Proposal::Learn, true));

    let aware = world.engine.order(order.id).await.unwrap().unwrap();
    match &aware.discrepancies[..] {
        [Discrepancy::SecondCard { card, .. }] => {
            assert_eq!(card.to_string(), second.to_string())
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(reason(&aware), Some(&AttentionReason::Discrepancy));
    assert_eq!(aware.state.name(), "active");
    assert_eq!(aware.ids.card, Some(first), "the first card stays its card");

    // Found again and told again, but the order heard it already; nothing was sent for it.
    let length = story(&world, order.id).await.len();
    let again = reconcile(&world).await;
    let again = only(&again);
    assert_eq!(again.difference, finding.difference);
    assert!(!again.applied, "{again:?}");
    assert_eq!(story(&world, order.id).await.len(), length);
    assert_eq!(world.simulator.ledger_without_requests().cards.len(), 2);
    assert_eq!(creates(&world.simulator), 2, "ours and the stranger's");
}

/// The host gave its card back; what a forgotten key left beside it is live all the same.
#[tokio::test]
async fn f_038_a_live_card_beside_a_cancelled_one_is_a_second_card() {
    let world = with(policy()).await;
    // The test makes the second card, under a key of its own.
    world.makes_untrue(Invariant::S1);
    world.makes_untrue(Invariant::S7);
    let order = settled(&world, 1).await;
    let made = world.simulator.ledger_without_requests().cards.remove(0);
    let second = strangers_card(
        &world.simulator,
        ("cardholder_id", json!(made.cardholder_id)),
        json!({ "issuance_order": order.id.to_string(), "test": "1" }),
    )
    .await;
    world.engine.cancel(order.id).await.unwrap();
    let is_over = |order: &Order| order.compensation.as_ref().is_some_and(|over| over.done);
    world.until(order.id, "cancelled", is_over).await;
    let report = reconcile(&world).await;
    let finding = only(&report);
    assert!(
        matches!(&finding.difference, Difference::TwoCards { .. }),
        "{finding:?}"
    );
    let aware = world.engine.order(order.id).await.unwrap().unwrap();
    match &aware.discrepancies[..] {
        [Discrepancy::SecondCard { card, .. }] => {
            assert_eq!(card.to_string(), second.to_string())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_card_a_person_dealt_with_is_not_raised_by_every_run() {
    let world = with(policy()).await;
    // The test makes the second card, under a key of its own.
    world.makes_untrue(Invariant::S1);
    world.makes_untrue(Invariant::S7);
    let order = settled(&world, 1).await;
    let holder = world.simulator.ledger_without_requests().cards[0].cardholder_id;
    let mark = json!({ "issuance_order": order.id.to_string() });
    let another = || {
        strangers_card(
            &world.simulator,
            ("cardholder_id", json!(holder)),
            mark.clone(),
        )
    };
    let all_active = || {
        let cards = world.simulator.ledger_without_requests().cards;
        cards
            .iter()
            .all(|card| format!("{:?}", card.status) == "Active")
    };
    let settled = async || {
        while !all_active() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    another().await;
    settled().await;
    assert!(applied(&world).await);
    resolve(&world, order.id).await;
    // The card is still there, and the report still shows it; the order was freed and stays so.
    assert!(!applied(&world).await);
    let freed = world.engine.order(order.id).await.unwrap().unwrap();
    assert_eq!(
        (&freed.discrepancies[..], &freed.attention),
        (&[][..], &None)
    );
    // A third card is another matter.
    let third = another().await;
    settled().await;
    assert!(applied(&world).await);
    let called = world.engine.order(order.id).await.unwrap().unwrap();
    match &called.discrepancies[..] {
        [Discrepancy::SecondCard { card, .. }] => {
            assert_eq!(card.to_string(), third.to_string())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_card_without_a_mark_is_explained_by_no_order() {
    let world = with(policy()).await;
    let order = settled(&world, 1).await;
    let before = story(&world, order.id).await;
    let card = strangers_card(&world.simulator, new_person(2), json!({ "theirs": "yes" })).await;

    let report = reconcile(&world).await;
    assert!(report.complete, "{report:?}");
    let finding = only(&report);
    match &finding.difference {
        Difference::Unexplained { card: told, .. } => {
            assert_eq!(told.to_string(), card.to_string())
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((finding.proposal, finding.applied), (Proposal::Ask, false));
    untouched(&world, &order, before).await;
}

#[tokio::test]
async fn a_card_with_the_mark_of_no_order_of_ours_is_unknown_here() {
    let world = with(policy()).await;
    // Cards of somebody else's.
    world.shares_its_provider();
    let order = settled(&world, 1).await;
    let before = story(&world, order.id).await;
    // An order that is not in this log, and a mark that is no order's name at all.
    let marks = [Uuid::new_v4().to_string(), "not-an-order".to_owned()];
    let mut cards = Vec::new();
    for (number, mark) in (2..).zip(marks) {
        let mark = json!({ "issuance_order": mark });
        let card = strangers_card(&world.simulator, new_person(number), mark).await;
        cards.push(card.to_string());
    }

    let report = reconcile(&world).await;
    assert!(report.complete, "{report:?}");
    let mut told = Vec::new();
    for finding in &report.differences {
        let Difference::NoSuchOrder { card, .. } = &finding.difference else {
            panic!("{finding:?}")
        };
        assert_eq!((finding.proposal, finding.applied), (Proposal::Ask, false));
        told.push(card.to_string());
    }
    told.sort();
    cards.sort();
    assert_eq!(told, cards);
    untouched(&world, &order, before).await;
}

/// Nothing of ours changed, and nothing was done to a card.
async fn untouched(world: &World, order: &Order, before: Vec<EventBody>) {
    let after = world.engine.order(order.id).await.unwrap().unwrap();
    assert_eq!(*after, *order);
    assert_eq!(story(world, order.id).await, before);
    assert_eq!(world.cards_of(order.id), 1);
    let asked = world.simulator.ledger().requests;
    let ours = |endpoint| {
        asked
            .iter()
            .filter(|asked| asked.client.as_deref() == Some("tests") && asked.endpoint == endpoint)
            .count()
    };
    assert_eq!(ours(Endpoint::CreateCard), 1);
    assert_eq!(ours(Endpoint::UpdateCardStatus), 0);
}

#[tokio::test]
async fn a_card_the_provider_lists_no_more_is_missing_there() {
    let world = with(Policy {
        card_missing_grace: Duration::ZERO,
        ..policy()
    })
    .await;
    let order = settled(&world, 1).await;
    let empty = |total: u32| Fault::AnswerPatch {
        merge: json!({ "data": [], "total_items": total, "total_pages": 1 }),
    };

    // A list that shrank under our hands proves nothing.
    everywhere(&world, Some(Endpoint::ListCards), Some(1), empty(1));
    let short = reconcile(&world).await;
    assert!(!short.complete && short.differences.is_empty(), "{short:?}");

    everywhere(&world, Some(Endpoint::ListCards), Some(1), empty(0));
    let report = reconcile(&world).await;
    assert!(report.complete, "{report:?}");
    assert_eq!((report.orders, report.cards), (1, 0));
    let finding = only(&report);
    let card = order.ids.card.clone().unwrap();
    let missing = Difference::MissingThere {
        order: order.id,
        card: card.clone(),
        ended: true,
    };
    assert_eq!(finding.difference, missing);
    assert_eq!((finding.proposal, finding.applied), (Proposal::Learn, true));
    // No list takes an active card from an order; a person is told that it is gone, with the list as evidence.
    let after = world.engine.order(order.id).await.unwrap().unwrap();
    assert_eq!((after.state.name(), &after.ids), ("active", &order.ids));
    let gone = Discrepancy::ActiveCardMissing { card };
    assert_eq!(after.discrepancies, std::slice::from_ref(&gone));
    assert_eq!(reason(&after), Some(&AttentionReason::Discrepancy));
    let noted = EventBody::DiscrepancyNoted {
        discrepancy: gone,
        source: Source::LookUp,
    };
    assert_eq!(story(&world, order.id).await.last(), Some(&noted));
    assert_eq!(world.cards_of(order.id), 1);

    // Once: not while it stands, and not when a person dealt with it.
    let length = story(&world, order.id).await.len();
    everywhere(&world, Some(Endpoint::ListCards), Some(2), empty(0));
    assert!(!applied(&world).await);
    resolve(&world, order.id).await;
    assert!(!applied(&world).await);
    assert_eq!(story(&world, order.id).await.len(), length + 1);

    let well = reconcile(&world).await;
    assert!(well.complete && well.differences.is_empty(), "{well:?}");
}

#[tokio::test]
async fn an_open_order_whose_card_is_missing_there_looks_again() {
    // Without the list it would not look for a minute.
    let world = with(Policy {
        look_up_first: Duration::from_secs(60),
        ..policy()
    })
    .await;
    world.simulator.set_webhook(None);
    let nowhere = Uuid::new_v4();
    let other_card = Fault::AnswerPatch {
        merge: json!({ "card_id": nowhere }),
    };
    everywhere(&world, Some(Endpoint::CreateCard), Some(1), other_card);
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    let order = world.until_state(id, "accepted").await;
    let card = order.ids.card.clone().unwrap();
    assert_eq!(card.to_string(), nowhere.to_string());

    let report = reconcile(&world).await;
    assert!(report.complete, "{report:?}");
    let missing = Difference::MissingThere {
        order: id,
        card,
        ended: false,
    };
    let found = |finding: &&Finding| finding.difference == missing;
    let Some(finding) = report.differences.iter().find(found) else {
        panic!("{report:?}")
    };
    assert_eq!(
        (finding.proposal, finding.applied),
        (Proposal::LookUp, true)
    );

    // The read finds the card that bears the mark, and it is another: a person is called, no more cards are made.
    let called = |order: &Order| order.attention.is_some();
    let order = world.until(id, "shown to a person", called).await;
    let made = world.simulator.ledger_without_requests().cards.remove(0);
    match &order.discrepancies[..] {
        [Discrepancy::SecondCard { card, .. }] => {
            assert_eq!(card.to_string(), made.card_id.to_string())
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(reason(&order), Some(&AttentionReason::Discrepancy));
    assert_eq!(world.cards_of(id), 1);
    assert_eq!(creates(&world.simulator), 1);
}
