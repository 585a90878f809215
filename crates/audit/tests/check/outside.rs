//! What the outside was told, and the inbox.

use issuance_audit::Invariant::*;
use issuance_audit::{Checker, Outside};
use issuance_domain::{OperatorAction, TaskId, Version, outbox};
use issuance_store::{Alias, Position, Standing};

use crate::world::*;

#[test]
fn s3_what_was_acknowledged_is_not_there() {
    let mut world = World::good();
    let at = world.now;
    world.outside(Outside::Placed {
        order: order(9),
        reference: None,
        at,
    });
    world.breaks(S3);
}

#[test]
fn s3_an_operators_command_is_lost() {
    let operated = |world: &World| Outside::Operated {
        order: order(1),
        taken: true,
        at: world.now,
    };
    let mut world = World::good();
    world.event(1, acted(OperatorAction::Note, "mara"));
    let fact = operated(&world);
    world.outside(fact.clone());
    world.is_sound();
    world.outside(fact);
    world.breaks(S3);
}

#[test]
fn s3_a_host_knows_more_than_the_log() {
    let mut world = World::good();
    let at = world.now;
    let told = |version| Outside::Told {
        order: order(1),
        version: Version(version),
        at,
    };
    world.outside(told(5)).is_sound();
    world.outside(told(6)).breaks(S3);
}

#[test]
fn s3_a_start_finds_less_than_was_durable() {
    let mut world = World::good();
    let (at, head) = (world.now, world.seen().head());
    world.outside(Outside::Started { head, at }).is_sound();
    let head = Position(head.0 - 1);
    world.outside(Outside::Started { head, at }).breaks(S3);
}

#[test]
fn s4_an_acknowledged_message_is_not_in_the_inbox() {
    let mut world = World::good();
    world.delivered("event-9", true, true);
    world.breaks(S4);
    // Refused, it may be missing.
    let mut world = World::good();
    world.delivered("event-9", true, false).is_sound();
}

#[test]
fn s5_a_forged_message_is_taken_or_changes_an_order() {
    let mut world = World::good();
    world.store("event-9").told.push(Told::Settled(
        "event-9".parse().unwrap(),
        Standing::Settled { order: None },
    ));
    world.delivered("event-9", false, true).breaks(S5);
    let mut world = World::new();
    world
        .placed(1)
        .accept(1)
        .status(1, issuance_domain::CardStatus::Active);
    world.delivered("event-1", false, false);
    world.event(1, activated(1, succeeded())).breaks(S5);
}

#[test]
fn s10_the_projection_is_not_the_fold() {
    let world = World::good();
    let sound = world.seen();
    let fold = sound.order(order(2)).unwrap().clone();
    let owed: Vec<TaskId> = outbox(&fold, &world.rules.policy)
        .into_iter()
        .map(|task| task.id)
        .collect();
    let judged = |checker: &mut Checker,
                  change: fn(&mut issuance_domain::Order, &mut Vec<TaskId>)| {
        let (mut order, mut tasks) = (fold.clone(), owed.clone());
        change(&mut order, &mut tasks);
        checker.projection(&order, &tasks);
        checker.first().map(|violation| violation.invariant)
    };
    assert_eq!(judged(&mut sound.clone(), |_, _| {}), None);
    assert_eq!(
        judged(&mut sound.clone(), |order, _| order.paused = true),
        Some(S10)
    );
    let extra = |_: &mut issuance_domain::Order, tasks: &mut Vec<TaskId>| {
        tasks.push(TaskId {
            order: order(2),
            action: issuance_domain::Action::LookUp,
            cause: Version(1),
        });
    };
    assert_eq!(judged(&mut sound.clone(), extra), Some(S10));
}

/// An order whose card is active, as this message says.
fn told_active(event_type: &str, names: Vec<Alias>) -> World {
    let mut world = World::new();
    world
        .placed(1)
        .accept(1)
        .status(1, issuance_domain::CardStatus::Active);
    world.deliver_about("event-1", event_type, names);
    world.event(1, activated(1, succeeded()));
    world
}

#[test]
fn s14_a_message_is_not_settled_with_its_events() {
    let name = "card.create.succeeded";
    let mut world = told_active(name, vec![Alias::Card(card(1))]);
    world.is_sound_so_far();
    world
        .told
        .retain(|told| !matches!(told, Told::Settles(_, _)));
    world.breaks(S14);
    // By itself, afterwards, is too late.
    let standing = Standing::Settled {
        order: Some(order(1)),
    };
    let id = "event-1".parse().unwrap();
    world.told.push(Told::Settled(id, standing));
    world.breaks(S14);
}

#[test]
fn s18_a_message_about_another_card_changes_an_order() {
    let name = "card.create.succeeded";
    let person = || Alias::Cardholder("person-1".parse().unwrap());
    told_active(name, vec![person()]).breaks(S18);
    told_active(name, vec![Alias::Card(card(7)), person()]).breaks(S18);
    let marked = |number| vec![Alias::Order(order(number)), Alias::Card(card(1))];
    told_active(name, marked(1)).is_sound_so_far();
    told_active(name, marked(7)).breaks(S18);
}

#[test]
fn s15_one_reference_acknowledged_as_two_orders() {
    let mut world = World::new();
    world.placed(1).placed(2);
    if let Some(Told::Outside(Outside::Placed { reference, .. })) = world.told.last_mut() {
        reference.as_mut().unwrap().reference = "ref-1".parse().unwrap();
    }
    world.breaks(S15);
}

#[test]
fn s20_the_chain_is_broken() {
    let mut checker = World::good().seen();
    checker.chain(true, "");
    assert_eq!(checker.first(), None);
    checker.chain(false, "line 3 is not as it was written");
    assert_eq!(checker.first().unwrap().invariant, S20);
}

#[test]
fn l3_a_message_is_left_lying() {
    let mut world = World::good();
    world.store("event-9").breaks(L3);
    let id = "event-9".parse().unwrap();
    world.told.push(Told::Settled(id, Standing::Parked));
    world.breaks(L3);
    let why = "a person should look".into();
    let id = "event-9".parse().unwrap();
    world
        .told
        .push(Told::Settled(id, Standing::Quarantined { why }));
    world.is_sound();
}

#[test]
fn l4_another_end_without_webhooks() {
    let with = World::good().seen().ends();
    let mut without = World::good();
    assert!(Checker::compare(&with, &without.seen().ends(), None).is_sound());
    without.told.retain(|told| !matches!(told, Told::Event(recorded) if recorded.event.body.name() == "card_activated"));
    let verdict = Checker::compare(&with, &without.seen().ends(), Some(7));
    assert_eq!(broken(&verdict), ["L4"].into(), "{verdict}");
}
