//! A good world spoilt in one place is found out, wherever the place is.

use issuance_audit::ProviderFact;
use issuance_domain::{EventBody, IdempotencyKey};

use crate::world::{Told, World, broken, card};

fn places(world: &World) -> Vec<usize> {
    let told = world.told.iter().enumerate();
    let events = told.filter(|(_, told)| matches!(told, Told::Event(_)));
    events.map(|(place, _)| place).collect()
}

/// Gives the events the places of one log again: as whoever takes one out and hides it would.
fn renumber(world: &mut World) {
    let mut versions = std::collections::BTreeMap::new();
    let mut position = 0;
    for told in &mut world.told {
        if let Told::Event(recorded) = told {
            position += 1;
            recorded.position.0 = position;
            let version = versions.entry(recorded.order).or_insert(0);
            *version += 1;
            recorded.version.0 = *version;
        }
    }
}

#[test]
fn one_event_less() {
    for place in places(&World::good()) {
        let mut world = World::good();
        let Told::Event(gone) = world.told.remove(place) else {
            unreachable!()
        };
        // What it settled is not settled without it.
        if matches!(world.told.get(place), Some(Told::Settles(_, _))) {
            world.told.remove(place);
        }
        let verdict = world.verdict();
        let last_of_its_order = !world
            .events()
            .any(|event| event.order == gone.order && event.version > gone.version);
        assert!(
            !verdict.is_sound() || last_of_its_order,
            "without {:?}: {verdict}",
            gone.event.body
        );
        // Hidden by new numbers, the story itself must show it. On these two nothing else in it leans.
        renumber(&mut world);
        let verdict = world.verdict();
        let harmless = matches!(
            gone.event.body,
            EventBody::HostNotified { .. } | EventBody::IdvLinkIssued { .. }
        );
        assert!(
            !verdict.is_sound() || harmless,
            "without {:?}: {verdict}",
            gone.event.body
        );
    }
}

#[test]
fn two_events_swapped() {
    let good = World::good();
    let places = places(&good);
    for (one, other) in places.iter().zip(&places[1..]) {
        let mut world = good.clone();
        world.told.swap(*one, *other);
        assert!(
            !world.verdict().is_sound(),
            "{:?} and {:?}",
            good.told[*one],
            good.told[*other]
        );
    }
}

#[test]
fn a_key_changed() {
    for place in places(&World::good()) {
        let mut world = World::good();
        let Told::Event(recorded) = &mut world.told[place] else {
            continue;
        };
        let EventBody::SubmissionStarted { key, .. } = &mut recorded.event.body else {
            continue;
        };
        *key = IdempotencyKey(uuid::Uuid::from_u128(7));
        let verdict = world.verdict();
        assert!(broken(&verdict).contains("S6"), "{verdict}");
    }
}

#[test]
fn a_card_more() {
    for owner in 1..=3 {
        let mut world = World::good();
        world.card(9, owner);
        let verdict = world.verdict();
        // The third order was refused: it has no card, and one more is its first; that it is live nobody knows.
        assert!(!verdict.is_sound() || owner == 3, "{verdict}");
        world.status(9, issuance_domain::CardStatus::Active);
        assert!(!world.verdict().is_sound());
    }
}

#[test]
fn a_card_less() {
    for number in 1..=2 {
        let mut world = World::good();
        world
            .told
            .retain(|told| !matches!(told, Told::Provider(ProviderFact::Card(made)) if made.card == card(number)));
        assert!(!world.verdict().is_sound());
    }
}
