//! A person, a link and the time it lives (F-067 to F-070).

use std::sync::Arc;

use issuance::domain::{Order, OrderId, Policy, State, Timestamp};
use issuance::{Clock, SystemClock};
use issuance_simulator::{Config, Fault, IdvOutcome};
use issuance_tests::requests::with_idv;
use issuance_tests::world::{World, policy};
use secrecy::ExposeSecret;
use serde_json::json;

use super::support::{CREATE, count, judge, millis, names, place, with, world};

fn person(outcome: IdvOutcome, after_ms: u64) -> Fault {
    Fault::IdvPerson { outcome, after_ms }
}

fn is_pending(order: &Order) -> bool {
    matches!(&order.state, State::IdvPending { idv } if idv.link.is_some())
}

fn link_ends(order: &Order) -> Timestamp {
    match &order.state {
        State::IdvPending { idv } => idv.link.as_ref().expect("a link").expires_at,
        other => panic!("not waiting for a person: {other:?}"),
    }
}

/// No renewals: an expiry that is wrongly believed ends the order.
fn strict() -> Policy {
    Policy {
        idv_renewals: 0,
        look_up_person_first: millis(60_000),
        look_up_cap: millis(60_000),
        ..policy()
    }
}

async fn acted(world: &World, order: &Order, outcome: IdvOutcome) {
    let cardholder = order
        .ids
        .cardholder
        .as_ref()
        .expect("a person")
        .to_string()
        .parse()
        .unwrap();
    world
        .simulator
        .act_on_idv(cardholder, outcome)
        .await
        .unwrap();
}

// Links are told to end on a whole second, up to one before they do: two seconds are one at least.

#[tokio::test]
async fn f_067_a_success_on_its_way_when_the_link_ends_wins() {
    let world = with(Config::default(), strict()).await;
    world.fault(1, None, Fault::IdvLinkTtl { seconds: 2 });
    world.fault(1, None, person(IdvOutcome::Pass, 600));
    // Its messages come long after the expiry has been decided.
    world.fault(1, None, Fault::WebhookLate { ms: 120_000 });
    let id = place(&world, with_idv(1)).await;
    let order = world
        .until(id, "passed", |order| {
            !matches!(order.state.name(), "requested" | "idv_pending")
        })
        .await;
    assert_ne!(order.state.name(), "failed", "{order:#?}");
    world
        .simulator
        .advance(std::time::Duration::from_secs(120))
        .await;
    world.until_state(id, "active").await;
    assert_eq!(
        count(&names(&world.engine, id).await, "idv_link_expired"),
        0
    );
    judge(&world.simulator, id, 1);
}

#[tokio::test]
async fn f_068_a_person_who_did_their_part_in_time_is_waited_for() {
    let world = with(Config::default(), strict()).await;
    world.fault(1, None, Fault::IdvLinkTtl { seconds: 2 });
    world.fault(1, None, person(IdvOutcome::Submit, 300));
    let id = place(&world, with_idv(1)).await;
    let submitted = |order: &Order| matches!(&order.state, State::IdvPending { idv } if idv.submitted_at.is_some());
    let order = world.until(id, "submitted", submitted).await;
    let over = link_ends(&order).after(millis(800));
    world
        .until(id, "beyond the link", |_| SystemClock.now() > over)
        .await;
    let order = world.until(id, "still waiting", |_| true).await;
    assert_eq!(
        (order.state.name(), &order.attention),
        ("idv_pending", &None)
    );
    acted(&world, &order, IdvOutcome::Pass).await;
    world.until_state(id, "active").await;
    assert_eq!(
        count(&names(&world.engine, id).await, "idv_link_expired"),
        0
    );
    judge(&world.simulator, id, 1);
}

async fn url(world: &World, id: OrderId) -> Option<String> {
    world
        .engine
        .idv_link(id)
        .await
        .unwrap()
        .map(|link| link.url.expose_secret().to_owned())
}

#[tokio::test]
async fn f_069_the_timer_of_an_older_link_does_nothing_to_the_newer() {
    let world = with(
        Config::default(),
        Policy {
            idv_renewals: 3,
            ..policy()
        },
    )
    .await;
    world.fault(1, Some(1), Fault::IdvLinkTtl { seconds: 1 });
    let id = place(&world, with_idv(1)).await;
    world.until(id, "waiting for a person", is_pending).await;
    let first = url(&world, id).await.expect("shown");
    // An operator renews before the first link ends; its timer is still to come.
    let act = issuance::domain::OperatorAct {
        actor: "ada".into(),
        reason: "the person lost the link".into(),
        action: issuance::domain::OperatorAction::RefreshIdvLink,
    };
    world.engine.operate(id, act, None).await.unwrap();
    let renewed =
        |order: &Order| matches!(&order.state, State::IdvPending { idv } if idv.number == 2);
    world.until(id, "renewed", renewed).await;
    let second = url(&world, id).await.expect("shown");
    assert_ne!(first, second, "the newest link is shown");
    let order = world.until(id, "renewed", renewed).await;
    let first_is_over = order.placed_at.after(millis(1_000 + 300 + 700));
    let order = world
        .until(id, "beyond the first link", |_| {
            SystemClock.now() > first_is_over
        })
        .await;
    assert!(renewed(&order), "{order:#?}");
    assert_eq!(url(&world, id).await, Some(second));
    assert_eq!(
        count(&names(&world.engine, id).await, "idv_link_expired"),
        0
    );
    acted(&world, &order, IdvOutcome::Pass).await;
    world.until_state(id, "active").await;
    judge(&world.simulator, id, 1);
}

#[tokio::test]
async fn f_070_an_end_of_a_link_that_makes_no_sense_is_kept_within_reason() {
    let world = Arc::new(world().await);
    let ends = [
        json!(null),
        json!("2036-01-01T00:00:00+08:00"),
        json!("2026-11-24 10:00:00"),
        json!(7),
        json!(""),
    ];
    let life = world.engine.policy().idv_link_life;
    for (number, end) in (1..).zip(ends) {
        let merge = json!({ "idv_url_expires_at": end });
        world.fault_at(number, None, CREATE, Fault::AnswerPatch { merge });
        let id = place(&world, with_idv(number)).await;
        let order = world.until(id, "waiting for a person", is_pending).await;
        let ends = link_ends(&order);
        assert!(
            ends > order.placed_at && ends <= SystemClock.now().after(life),
            "{ends}"
        );
        assert!(
            ends.since(order.placed_at) >= life / 2,
            "the default, not an end at once: {ends}"
        );
        acted(&world, &order, IdvOutcome::Pass).await;
        world.until_state(id, "active").await;
    }
    // Over before it began: read, renewed under a key of its own, and gone on with.
    let merge = json!({ "idv_url_expires_at": "2020-01-01T00:00:00Z" });
    world.fault_at(99, None, CREATE, Fault::AnswerPatch { merge });
    let id = place(&world, with_idv(99)).await;
    let order = world
        .until(id, "renewed", |order| {
            order.renewals == 1 && is_pending(order)
        })
        .await;
    acted(&world, &order, IdvOutcome::Pass).await;
    world.until_state(id, "active").await;
    judge(&world.simulator, id, 1);
}
