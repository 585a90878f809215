//! The end of sealed data: with the event that says so, for good, and of one order only.

use issuance_domain::{By, EventBody, OrderId, Version};

use super::Subject;
use super::fixture::{World, accepted, activated, at, message, requested, sealing};
use crate::message::{Alias, Receipt};
use crate::position::Position;
use crate::store::{Field, Store};

const FIELDS: [fn() -> Field; 2] = [|| Field::Request, || Field::IdvLink("abc".into())];

/// A closed order with sealed data.
async fn ended<S: Subject>(world: &World<S>, name: &str) -> OrderId {
    let id = world.id();
    let events = vec![requested(name), accepted(name), activated(name)];
    let mut append = world.prepare(id, events, at(0)).await;
    append.sealed = FIELDS.map(|field| sealing(field(), name)).into();
    world.store().append(append).await.unwrap();
    id
}

async fn erase<S: Subject>(world: &World<S>, id: OrderId) {
    let asked = EventBody::ErasureRequested { by: By::Operator };
    world.append(id, vec![asked]).await.unwrap();
    let requested = world.version(id).await;
    let done = EventBody::PersonalDataErased { requested };
    world.append(id, vec![done]).await.unwrap();
}

async fn held(store: &dyn Store, id: OrderId) -> usize {
    let mut count = 0;
    for field in FIELDS {
        let opened = store.open_sealed(id, &field()).await.unwrap();
        count += usize::from(opened.is_some());
    }
    count
}

/// Erased data does not come back, not by a compaction, not by a restart; the order and its history stay.
pub async fn what_is_erased_is_gone_and_stays_gone<S: Subject>() {
    let mut world = World::<S>::start().await;
    let id = ended(&world, "card-1").await;
    assert_eq!(held(&*world.store(), id).await, 2);
    // Asking is not doing.
    let asked = EventBody::ErasureRequested { by: By::Operator };
    world.append(id, vec![asked]).await.unwrap();
    assert_eq!(held(&*world.store(), id).await, 2);
    let done = EventBody::PersonalDataErased {
        requested: Version(4),
    };
    world.append(id, vec![done]).await.unwrap();
    assert_eq!(held(&*world.store(), id).await, 0);

    let history = world.store().history(id).await.unwrap();
    let compacted = world.store().compact(false).await.unwrap();
    assert_eq!((compacted.removed, compacted.skipped.len()), (2, 0));
    assert_eq!(held(&*world.store(), id).await, 0);
    let again = world.store().compact(false).await.unwrap();
    assert_eq!(again.removed, 0, "nothing is left to remove");
    for _ in 0..2 {
        world.subject.reopen().await;
        assert_eq!(held(&*world.store(), id).await, 0);
        assert_eq!(world.store().history(id).await.unwrap(), history);
        let order = world.store().order(id).await.unwrap().unwrap();
        assert!(order.is_erased() && order.state.name() == "active");
    }
}

/// The others keep what they have, whatever was erased beside them; and the log goes on without a gap.
pub async fn an_erasure_ends_one_orders_data<S: Subject>() {
    let mut world = World::<S>::start().await;
    let mut orders = Vec::new();
    for number in 0..6 {
        orders.push(ended(&world, &format!("card-{number}")).await);
    }
    for id in orders.iter().step_by(2) {
        erase(&world, *id).await;
    }
    world.store().compact(false).await.unwrap();
    for restarted in [false, true] {
        if restarted {
            world.subject.reopen().await;
        }
        for (number, id) in orders.iter().enumerate() {
            let expected = if number % 2 == 0 { 0 } else { 2 };
            assert_eq!(held(&*world.store(), *id).await, expected, "order {number}");
        }
        let (log, _) = world.store().read_after(Position(0), 100).await.unwrap();
        assert_eq!(log.len(), 6 * 3 + 3 * 2);
    }
}

/// The body of a message that names an order whose erasure was asked for is not kept: nobody would look for it again.
pub async fn a_body_that_comes_after_an_erasure_was_asked_for_is_not_kept<S: Subject>() {
    let world = World::<S>::start().await;
    let id = ended(&world, "card-1").await;
    let keeps = async |name: &str| {
        let body = Field::Body(name.parse().unwrap());
        let named = message(name, vec![Alias::Order(id)]);
        let sealed = Some(sealing(body.clone(), "what it said"));
        let receipt = world.store().receive(named, sealed).await.unwrap();
        assert_eq!(receipt, Receipt::Stored);
        world
            .store()
            .open_sealed(id, &body)
            .await
            .unwrap()
            .is_some()
    };
    assert!(keeps("before").await);
    let asked = EventBody::ErasureRequested { by: By::Operator };
    world.append(id, vec![asked]).await.unwrap();
    assert!(!keeps("asked").await);
    let requested = world.version(id).await;
    let done = EventBody::PersonalDataErased { requested };
    world.append(id, vec![done]).await.unwrap();
    assert!(!keeps("done").await);
}
