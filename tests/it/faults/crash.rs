//! Death at every step between an order and its card (F-014 to F-024).

use issuance::domain::{EventBody, Generation, OperatorAct, OperatorAction, Policy, Retention};
use issuance::store::Receipt;
use issuance_simulator::{Answer, CardEntry, CardStatus, Endpoint, Fault, IdvOutcome, Running};
use issuance_tests::requests::{simple, with_idv};
use serde_json::json;

use super::mortal::{At, Death, Lives, brief};
use super::support::{
    calls, count, deliver, event, fault_everywhere, judge, judge_one_key, keys, millis, names,
    story,
};

#[tokio::test]
async fn f_014_dead_after_the_request_the_first_key_is_made_by_the_next_life() {
    let first = Lives::begin(brief(), Death::Before, At::Event("submission_started")).await;
    let id = first.place(simple(1)).await;
    // Never run, and dead before the intent: two lives without a call.
    first.run_at_most(0).await;
    let second = first.again(Death::Before, At::Event("submission_started"));
    assert_eq!(names(&second.engine, id).await, ["order_requested"]);
    second.run().await;
    assert_eq!(calls(&second.simulator, Endpoint::CreateCard), 0);
    let last = second.end(&[id], "active").await;
    let started = story(&last.engine, id)
        .await
        .into_iter()
        .find_map(|event| match event {
            EventBody::SubmissionStarted {
                generation,
                attempt,
                ..
            } => Some((generation, attempt)),
            _ => None,
        });
    assert_eq!(started, Some((Generation(1), 1)));
    judge_one_key(&last.engine, &last.simulator, id).await;
}

#[tokio::test]
async fn f_015_an_intent_that_is_not_durable_sent_nothing() {
    for death in [Death::Unsynced, Death::Before] {
        let first = Lives::begin(brief(), death, At::Event("submission_started")).await;
        let id = first.place(simple(1)).await;
        first.run().await;
        assert_eq!(
            calls(&first.simulator, Endpoint::CreateCard),
            0,
            "{death:?}"
        );
        let last = first.end(&[id], "active").await;
        assert_eq!(calls(&last.simulator, Endpoint::CreateCard), 1);
        judge_one_key(&last.engine, &last.simulator, id).await;
    }
}

#[tokio::test]
async fn f_016_an_intent_without_a_call_is_sent_under_its_key() {
    for death in [Death::After, Death::Surviving] {
        let first = Lives::begin(brief(), death, At::Event("submission_started")).await;
        let id = first.place(simple(1)).await;
        first.run().await;
        assert_eq!(calls(&first.simulator, Endpoint::CreateCard), 0);
        let second = first.again(Death::Before, At::Nothing);
        let before = keys(&second.engine, id).await;
        assert_eq!(before.len(), 1, "{death:?}: the key is durable");
        second.run_at_most(0).await;
        let last = second.end(&[id], "active").await;
        assert_eq!(keys(&last.engine, id).await, before);
        judge_one_key(&last.engine, &last.simulator, id).await;
    }
}

#[tokio::test]
async fn f_017_a_call_that_never_arrived_is_repeated_under_its_key() {
    let first = Lives::begin(brief(), Death::Before, At::Event("submission_unanswered")).await;
    fault_everywhere(
        &first.simulator,
        Endpoint::CreateCard,
        Some(1),
        Fault::LostBeforeEffect,
    );
    let id = first.place(simple(1)).await;
    first.run().await;
    judge(&first.simulator, id, 0);
    let last = first.end(&[id], "active").await;
    judge_one_key(&last.engine, &last.simulator, id).await;
}

#[tokio::test]
async fn f_018_a_card_whose_answer_was_lost_is_the_one_the_next_life_has() {
    let first = Lives::begin(brief(), Death::Before, At::Event("submission_unanswered")).await;
    fault_everywhere(
        &first.simulator,
        Endpoint::CreateCard,
        Some(1),
        Fault::LostAfterEffect,
    );
    let id = first.place(simple(1)).await;
    first.run().await;
    judge(&first.simulator, id, 1);
    let last = first.end(&[id], "active").await;
    judge_one_key(&last.engine, &last.simulator, id).await;
    let replayed = last
        .simulator
        .ledger()
        .requests
        .iter()
        .any(|request| request.replayed);
    assert!(
        replayed,
        "the same key was answered from the provider's memory"
    );
}

#[tokio::test]
async fn f_019_an_answer_that_was_never_recorded_is_heard_again() {
    for death in [Death::Before, Death::Unsynced] {
        let first = Lives::begin(brief(), death, At::Event("order_accepted")).await;
        let id = first.place(simple(1)).await;
        first.run().await;
        let answered = first
            .simulator
            .ledger()
            .requests
            .into_iter()
            .find(|call| call.endpoint == Endpoint::CreateCard);
        assert_eq!(answered.map(|call| call.answer), Some(Answer::Sent));
        let last = first.end(&[id], "active").await;
        judge_one_key(&last.engine, &last.simulator, id).await;
    }
}

/// The first card, once it is what a message will say of it.
async fn active_card(simulator: &Running) -> CardEntry {
    for _ in 0..200 {
        let card = simulator.ledger_without_requests().cards.remove(0);
        if card.status == CardStatus::Active {
            return card;
        }
        tokio::time::sleep(millis(10)).await;
    }
    panic!("the card never was active");
}

#[tokio::test]
async fn f_020_a_message_may_be_handled_before_the_answer_that_was_lost() {
    let first = Lives::begin(brief(), Death::Unsynced, At::Event("order_accepted")).await;
    let id = first.place(simple(1)).await;
    first.run().await;
    let second = first.again(Death::Before, At::Nothing);
    let card = active_card(&second.simulator).await;
    let data = json!({
        "card_id": card.card_id, "card_status": "ACTIVE", "metadata": { "issuance_order": id.to_string() },
    });
    let message = event(
        "card.create.succeeded",
        &card.card_order_id.to_string(),
        &data,
    );
    assert_eq!(
        deliver(&second.engine, &message).await.unwrap(),
        Receipt::Stored
    );
    second.run_at_most(300).await;
    let last = second.end(&[id], "active").await;
    let order = last.engine.order(id).await.unwrap().unwrap();
    assert_eq!(
        order.ids.card.as_ref().map(ToString::to_string),
        Some(card.card_id.to_string())
    );
    assert_eq!(count(&names(&last.engine, id).await, "order_accepted"), 1);
    judge_one_key(&last.engine, &last.simulator, id).await;
}

#[tokio::test]
async fn f_021_a_durable_outcome_has_its_timers_in_the_next_life() {
    for death in [Death::After, Death::Surviving] {
        let first = Lives::begin(brief(), death, At::Event("order_accepted")).await;
        let id = first.place(simple(1)).await;
        first.run().await;
        // No webhook comes here: only the look-up that acceptance owes can activate it.
        let last = first.end(&[id], "active").await;
        assert_eq!(
            calls(&last.simulator, Endpoint::CreateCard),
            1,
            "accepted once, {death:?}"
        );
        judge_one_key(&last.engine, &last.simulator, id).await;
    }
}

#[tokio::test]
async fn f_022_fifty_deaths_in_a_row_spend_no_key_and_make_no_second_card() {
    let mut life = Lives::begin(brief(), Death::Before, At::Nothing).await;
    let mut orders = Vec::new();
    for number in 1..=4 {
        orders.push(life.place(simple(number)).await);
    }
    life.run_at_most(0).await;
    for number in 0..50 {
        let deaths = [
            Death::Before,
            Death::Unsynced,
            Death::After,
            Death::Surviving,
        ];
        life = life.again(deaths[number % 4], At::Append(1 + number % 3));
        life.run_at_most(60).await;
    }
    let last = life.end(&orders, "active").await;
    for id in orders {
        judge_one_key(&last.engine, &last.simulator, id).await;
        assert_eq!(count(&names(&last.engine, id).await, "order_accepted"), 1);
    }
}

#[tokio::test]
async fn f_074_a_timer_that_fired_before_its_event_was_durable_fires_again_once() {
    let policy = issuance::domain::Policy {
        idv_renewals: 1,
        ..brief()
    };
    let first = Lives::begin(policy, Death::Before, At::Event("idv_link_expired")).await;
    let everything = issuance_simulator::FaultMatch::default;
    let rule = |fault, times| issuance_simulator::FaultRule {
        id: String::new(),
        applies_to: everything(),
        fault,
        times,
        probability: None,
        used: 0,
    };
    let leave = Fault::IdvPerson {
        outcome: IdvOutcome::Leave,
        after_ms: 0,
    };
    let pass = Fault::IdvPerson {
        outcome: IdvOutcome::Pass,
        after_ms: 100,
    };
    first.simulator.add_faults([
        rule(Fault::IdvLinkTtl { seconds: 1 }, Some(1)),
        rule(leave, Some(1)),
        rule(pass, None),
    ]);
    let id = first.place(with_idv(1)).await;
    first.run().await;
    let second = first.again(Death::After, At::Event("idv_link_expired"));
    second.run().await;
    let last = second.end(&[id], "active").await;
    assert_eq!(count(&names(&last.engine, id).await, "idv_link_expired"), 1);
    let renewals: Vec<_> = last
        .simulator
        .ledger()
        .requests
        .into_iter()
        .filter(|request| request.endpoint == Endpoint::UpdateCardholder && request.effect)
        .collect();
    assert_eq!(renewals.len(), 1, "one renewal for one expiry");
    judge(&last.simulator, id, 1);
}

#[tokio::test]
async fn f_122_an_erasure_survives_death_at_every_step() {
    for event in ["erasure_requested", "personal_data_erased"] {
        for death in [
            Death::Before,
            Death::Unsynced,
            Death::Surviving,
            Death::After,
        ] {
            let policy = Policy {
                retention: Retention::For(millis(100)),
                ..brief()
            };
            let first = Lives::begin(policy, death, At::Event(event)).await;
            let id = first.place(simple(1)).await;
            first.run().await;
            let second = first.again(Death::Before, At::Nothing);
            let told = names(&second.engine, id).await;
            let held = second.holds_data_of(id).await;
            let done = told.contains(&"personal_data_erased");
            let asked = told.contains(&"erasure_requested");
            assert!(
                !(done && held),
                "{event} {death:?}: an event that is not true"
            );
            assert!(asked || held, "{event} {death:?}: gone without a trace");

            let engine = second.engine.clone();
            let task = tokio::spawn(async move { engine.run().await });
            for _ in 0..400 {
                if names(&second.engine, id)
                    .await
                    .contains(&"personal_data_erased")
                {
                    break;
                }
                tokio::time::sleep(millis(20)).await;
            }
            task.abort();
            let told = names(&second.engine, id).await;
            for name in ["erasure_requested", "personal_data_erased"] {
                assert_eq!(count(&told, name), 1, "{event} {death:?}");
            }
            assert!(!second.holds_data_of(id).await);
        }
    }
}

/// Erased in the vault, and the event that says so is lost: whoever cancels then finds no data, and a cancel needs none.
#[tokio::test]
async fn f_122_a_card_is_cancelled_between_an_erasure_and_its_event() {
    let policy = Policy {
        retention: Retention::For(millis(100)),
        ..brief()
    };
    let erased = At::Event("personal_data_erased");
    let first = Lives::begin(policy, Death::Unsynced, erased).await;
    let id = first.place(simple(1)).await;
    first.run().await;
    let second = first.again(Death::After, erased);
    assert!(!second.holds_data_of(id).await);
    let act = OperatorAct {
        actor: "ops:mina".into(),
        reason: "no card is wanted".into(),
        action: OperatorAction::Cancel,
    };
    second.engine.operate(id, act, None).await.unwrap();
    second.run().await;
    let last = second.end(&[id], "active").await;
    let told = names(&last.engine, id).await;
    for (name, times) in [
        ("compensation_completed", 1),
        ("personal_data_erased", 1),
        ("key_expired", 0),
    ] {
        assert_eq!(count(&told, name), times, "{told:?}");
    }
}
