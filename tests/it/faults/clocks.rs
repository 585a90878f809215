//! Clocks that are set or differ, and what is told of time (F-029, F-071, F-072, contract §9.4).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use issuance::domain::{OrderId, Policy};
use issuance::store::{Field, Receipt, Standing, Store as _};
use issuance::{Clock as _, Engine, Notice, Notifier, NotifyError, SystemClock};
use issuance_audit::Invariant;
use issuance_simulator::{Config, Endpoint, Fault, IdvOutcome};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{simple, with_idv};
use issuance_tests::world::{Hands, World, client, client_of, limits, policy};
use serde_json::json;
use uuid::Uuid;

use super::support::{
    calls, count, deliver, deliver_at, event, eventually, fault_everywhere, ids, judge, names, now,
    place, world,
};
use super::webhooks::{accepted, standings};

async fn world_by(clock: &Arc<Hands>) -> World {
    let store = Arc::new(SimulatedStore::new(policy()));
    World::by(clock.clone(), store, Config::default(), policy()).await
}

#[tokio::test]
async fn f_071_a_clock_that_was_set_expires_no_link() {
    let clock = Arc::new(Hands::default());
    let world = world_by(&clock).await;
    let mut orders = Vec::new();
    for number in 1..=5 {
        orders.push(place(&world, with_idv(number)).await);
    }
    for id in &orders {
        world.until_state(*id, "idv_pending").await;
    }
    let reads = calls(&world.simulator, Endpoint::GetCardholder);
    clock.set_by(2 * 24 * 3600);
    eventually("read again by the new time", async || {
        calls(&world.simulator, Endpoint::GetCardholder) >= reads + 2 * orders.len()
    })
    .await;
    for id in &orders {
        let names = names(&world.engine, *id).await;
        assert_eq!(count(&names, "idv_link_expired"), 0, "{names:?}");
        assert_eq!(count(&names, "order_failed"), 0, "{names:?}");
    }
    clock.set_by(0);
    for id in orders {
        let order = world.until_state(id, "idv_pending").await;
        let person = order
            .ids
            .cardholder
            .as_ref()
            .unwrap()
            .as_str()
            .parse()
            .unwrap();
        world
            .simulator
            .act_on_idv(person, IdvOutcome::Pass)
            .await
            .unwrap();
        world.until_state(id, "active").await;
        judge(&world.simulator, id, 1);
    }
}

/// An order with a link, by a process that began with its clock two days behind.
async fn behind() -> (Arc<Hands>, World, OrderId) {
    let clock = Arc::new(Hands::default());
    clock.set_by(-2 * 24 * 3600);
    let world = world_by(&clock).await;
    let id = place(&world, with_idv(1)).await;
    world.until_state(id, "idv_pending").await;
    assert_eq!(world.engine.health().await.clock_doubt, None);
    (clock, world, id)
}

/// Nobody knew while it was wrong; set right it is in doubt, until the provider's own time agrees: an answer's date.
#[tokio::test]
async fn f_071_a_process_that_began_by_a_wrong_clock_believes_the_right_one_by_the_next_answer() {
    let (clock, world, id) = behind().await;
    clock.set_by(0);
    eventually("expired by the right time", async || {
        count(&names(&world.engine, id).await, "idv_link_expired") == 1
    })
    .await;
    assert_eq!(world.engine.health().await.clock_doubt, None);
}

/// Or a message's, while nobody answers.
#[tokio::test]
async fn f_071_a_process_that_began_by_a_wrong_clock_holds_links_until_a_message_shows_that_it_is_right()
 {
    let (clock, world, id) = behind().await;
    for endpoint in [Endpoint::GetCard, Endpoint::GetCardholder] {
        fault_everywhere(&world.simulator, endpoint, None, Fault::LostBeforeEffect);
    }
    let asked = calls(&world.simulator, Endpoint::GetCard);
    eventually("nobody answers", async || {
        calls(&world.simulator, Endpoint::GetCard) >= asked + 3
    })
    .await;
    clock.set_by(0);
    let doubt = world.engine.health().await.clock_doubt.unwrap();
    assert!(doubt.as_secs().abs_diff(2 * 24 * 3600) < 60, "{doubt:?}");
    let stranger = "6f7e0d1c-2b3a-4958-8776-655443322110";
    let data = json!({ "card_id": stranger, "card_status": "ACTIVE" });
    let body = event("card.update.succeeded", stranger, &data);
    deliver(&world.engine, &body).await.unwrap();
    assert_eq!(world.engine.health().await.clock_doubt, None);
    world.simulator.clear_faults();
    eventually("expired by the right time", async || {
        count(&names(&world.engine, id).await, "idv_link_expired") == 1
    })
    .await;
}

#[tokio::test]
async fn f_072_two_nodes_with_clocks_ten_minutes_apart_make_one_card_each() {
    let (ahead, behind) = (Arc::new(Hands::default()), Arc::new(Hands::default()));
    ahead.set_by(300);
    behind.set_by(-300);
    let store = Arc::new(SimulatedStore::new(policy()));
    let world = World::by(ahead, store.clone(), Config::default(), policy()).await;
    let other = Engine::builder()
        .store(store)
        .uqpay(client_of(&world.simulator, "the-other-node"))
        .clock(behind)
        .policy(policy())
        .limits(limits())
        .build()
        .unwrap();
    let running = other.clone();
    tokio::spawn(async move { running.run().await });
    let mut orders: Vec<OrderId> = Vec::new();
    for number in 1..=12 {
        if number % 3 == 0 {
            world.fault_at(
                number,
                Some(1),
                Some(Endpoint::CreateCard),
                Fault::LostAfterEffect,
            );
        }
        if number % 2 == 0 {
            world.fault(number, None, Fault::WebhookDrop);
        }
        let node = if number % 4 == 0 {
            &other
        } else {
            &world.engine
        };
        orders.push(node.place(simple(number)).await.unwrap().order.id);
    }
    for id in orders {
        world.until_state(id, "active").await;
        judge(&world.simulator, id, 1);
    }
}

#[tokio::test]
async fn f_029_somebody_who_mints_in_turns_with_us_is_an_alarm_and_every_order_goes_on() {
    const TURNS: u32 = 6;
    let world = world().await;
    for number in 1..=TURNS {
        world.fault(number, None, Fault::WebhookDrop);
        let id = place(&world, simple(number)).await;
        world.until_state(id, "active").await;
        judge(&world.simulator, id, 1);
        let now = SystemClock.now().to_string().parse().unwrap();
        client(&world.simulator).mint_token(now).await.unwrap();
    }
    let ours = calls(&world.simulator, Endpoint::Token) - TURNS as usize;
    assert!(ours <= TURNS as usize, "one for each of theirs: {ours}");
    let token = world.engine.health().await.token.unwrap();
    assert!(token.is_contested, "{token:?}");
}

#[tokio::test]
async fn contract_9_4_i_a_message_that_finds_no_order_for_a_day_is_reported() {
    let clock = Arc::new(Hands::default());
    let world = world_by(&clock).await;
    let stranger = "6f7e0d1c-2b3a-4958-8776-655443322110";
    let data = json!({ "card_id": stranger, "card_status": "ACTIVE" });
    deliver(
        &world.engine,
        &event("card.create.succeeded", stranger, &data),
    )
    .await
    .unwrap();
    eventually("parked", async || {
        world.engine.unsettled_messages(10).await.unwrap().len() == 1
    })
    .await;
    assert_eq!(world.engine.health().await.orphans, Some(0));
    clock.set_by(25 * 3600);
    assert_eq!(world.engine.health().await.orphans, Some(1));
    // A week is enough: no order will explain it, and it stands no longer among those that wait.
    clock.set_by(8 * 24 * 3600);
    let another = event("card.update.succeeded", stranger, &json!({}));
    let at = now() + 8 * 24 * 3_600_000;
    deliver_at(&world.engine, &another, at).await.unwrap();
    eventually("given up", async || {
        let unsettled = world.engine.unsettled_messages(10).await.unwrap();
        let standings: Vec<_> = unsettled
            .into_iter()
            .map(|(_, standing)| standing)
            .collect();
        let why = "no order explains it".into();
        standings == [Standing::Quarantined { why }]
    })
    .await;
    assert_eq!(world.engine.health().await.orphans, Some(0));
}

#[tokio::test]
async fn an_unreadable_webhook_is_kept_sealed_for_thirty_days() {
    let clock = Arc::new(Hands::default());
    let store = Arc::new(SimulatedStore::new(policy()));
    let world = World::by(clock.clone(), store.clone(), Config::default(), policy()).await;
    deliver(&world.engine, b"{\"torn\": \"Mina Okafor\"")
        .await
        .unwrap();
    let mut kept = Vec::new();
    eventually("quarantined", async || {
        kept = world.engine.unsettled_messages(10).await.unwrap();
        matches!(kept.as_slice(), [(_, Standing::Quarantined { .. })])
    })
    .await;
    let body = Field::Body(kept[0].0.id.clone());
    let said = async || {
        let opened = store.open_sealed(OrderId(Uuid::nil()), &body).await;
        opened.unwrap().map(|body| body.to_vec())
    };
    assert_eq!(said().await.unwrap(), b"{\"torn\": \"Mina Okafor\"");
    for (days, is_kept) in [(29, true), (31, false)] {
        clock.set_by(days * 24 * 3600);
        let stranger = format!("6f7e0d1c-2b3a-4958-8776-6554433221{days}");
        let another = event("card.update.succeeded", &stranger, &json!({}));
        let at = now() + days * 24 * 3_600_000;
        deliver_at(&world.engine, &another, at).await.unwrap();
        eventually("swept", async || said().await.is_some() == is_kept).await;
    }
    assert!(
        world
            .engine
            .unsettled_messages(10)
            .await
            .unwrap()
            .is_empty()
    );
}

/// A host that remembers.
#[derive(Debug, Default)]
struct Host(Mutex<Vec<Notice>>);

#[async_trait]
impl Notifier for Host {
    async fn notify(&self, notice: Notice) -> Result<(), NotifyError> {
        self.0.lock().unwrap().push(notice);
        Ok(())
    }
}

/// When to remind a person is the host's choice: every notice of a link says until when it works.
#[tokio::test]
async fn contract_9_4_f_the_host_is_told_of_every_link_and_until_when_it_works() {
    let policy = issuance::domain::Policy {
        notify_host: true,
        ..policy()
    };
    let world = world().await;
    world.shares_its_provider();
    world.fault(1, Some(1), Fault::IdvLinkTtl { seconds: 1 });
    let host = Arc::new(Host::default());
    let engine = Engine::builder()
        .store(Arc::new(SimulatedStore::new(policy.clone())))
        .uqpay(client_of(&world.simulator, "another"))
        .policy(policy)
        .limits(limits())
        .notifier(host.clone())
        .build()
        .unwrap();
    let running = engine.clone();
    tokio::spawn(async move { running.run().await });
    engine.place(with_idv(1)).await.unwrap();
    let links = || {
        let told = host.0.lock().unwrap();
        let mut ends: Vec<_> = told
            .iter()
            .filter_map(|notice| notice.idv_expires_at)
            .collect();
        ends.dedup();
        ends
    };
    eventually("told of the renewed link", async || links().len() == 2).await;
    let ends = links();
    assert!(
        ends[1].since(ends[0]) > Duration::from_secs(3600),
        "{ends:?}"
    );
}

#[tokio::test]
async fn f_052_a_message_played_again_after_a_month_is_taken_for_new_and_changes_nothing() {
    const DAY: i64 = 24 * 3600;
    let clock = Arc::new(Hands::default());
    let world = world_by(&clock).await;
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let active = json!({ "card_id": card, "card_status": "ACTIVE" });
    let message = event("card.create.succeeded", &card_order, &active);
    deliver(&world.engine, &message).await.unwrap();
    world.until_state(order.id, "active").await;
    let before = names(&world.engine, order.id).await;
    let other = || event("issuing.fee.card", &card_order, &json!({}));
    for (days, expected) in [(29, Receipt::Repeat), (32, Receipt::Stored)] {
        clock.set_by(days * DAY);
        let then = now() + days * DAY * 1_000;
        deliver_at(&world.engine, &other(), then).await.unwrap();
        let receipt = deliver_at(&world.engine, &message, then).await.unwrap();
        assert_eq!(receipt, expected, "after {days} days");
        let settled = async || {
            let counts = world.engine.health().await.counts.unwrap();
            counts.pending_messages == 0 && standings(&world).await.is_empty()
        };
        eventually("settled", settled).await;
        assert_eq!(names(&world.engine, order.id).await, before);
    }
}

#[tokio::test]
async fn f_037_two_hours_between_the_clocks_send_no_key_the_provider_forgot() {
    const HOUR: i64 = 3600;
    let clock = Arc::new(Hands::default());
    let policy = Policy {
        key_safe_age: Duration::from_secs(20 * 3600),
        ..policy()
    };
    let store = Arc::new(SimulatedStore::new(policy.clone()));
    let world = World::by(clock.clone(), store, Config::default(), policy).await;
    let create = Some(Endpoint::CreateCard);
    world.fault_at(1, None, create, Fault::LostAfterEffect);
    world.fault(1, None, Fault::WebhookDrop);
    // Nothing else tells of the card.
    for endpoint in [Endpoint::ListCards, Endpoint::ListCardholders] {
        let error = serde_json::from_value(json!({ "status": 500 })).unwrap();
        let lists = Fault::ErrorBeforeEffect(error);
        fault_everywhere(&world.simulator, endpoint, None, lists);
    }
    let id = place(&world, simple(1)).await;
    let sent = || calls(&world.simulator, Endpoint::CreateCard);
    eventually("sent", async || sent() > 0).await;
    // While it was away, our clock fell back by two hours, and lets the key be used a last time.
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    world
        .simulator
        .advance(hours(22) - Duration::from_secs(120))
        .await;
    let before = sent();
    clock.set_by(20 * HOUR - 120);
    eventually("sent again", async || sent() > before).await;
    judge(&world.simulator, id, 1);
    // By theirs the key is forgotten, by ours it is just too old.
    world
        .simulator
        .advance(hours(2) + Duration::from_secs(240))
        .await;
    let before = sent();
    clock.set_by(20 * HOUR);
    let expired = async || count(&names(&world.engine, id).await, "key_expired") > 0;
    eventually("given up", expired).await;
    let keys = world.simulator.ledger().requests.into_iter();
    let keys: BTreeSet<_> = keys.filter_map(|asked| asked.idempotency_key).collect();
    assert_eq!((sent(), keys.len()), (before, 1), "nothing more was sent");
    world.simulator.clear_faults();
    world.until_state(id, "active").await;
    judge(&world.simulator, id, 1);
}
