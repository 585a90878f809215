//! What is the same after a restart.

use std::collections::BTreeMap;

use super::Subject;
use super::fixture::{
    World, accepted, activated, at, attention, card, filler, ids, learned, message, requested,
    sealing,
};
use crate::message::{Alias, HostReference, Receipt, Standing};
use crate::position::Position;
use crate::query::Query;
use crate::store::{Field, Kind};

/// Orders, histories, names, lists, counts and sealed data are as they were.
pub async fn orders_survive<S: Subject>() {
    let mut world = World::<S>::start().await;
    let mut orders = BTreeMap::new();
    for number in 0..20 {
        let id = world.id();
        let mut append = world
            .prepare(id, vec![requested(&format!("r-{number}"))], at(number))
            .await;
        append.sealed = vec![sealing(Field::Request, &format!("sealed {number}"))];
        world.store().append(append).await.unwrap();
        if number % 2 == 0 {
            world
                .append(
                    id,
                    vec![
                        accepted(&format!("card-{number}")),
                        learned(ids(None, Some("holder"))),
                    ],
                )
                .await
                .unwrap();
        }
        if number % 3 == 0 {
            world.append(id, vec![attention(), filler()]).await.unwrap();
        }
        if number % 4 == 0 {
            world
                .append(id, vec![activated(&format!("card-{number}"))])
                .await
                .unwrap();
        }
        let order = world.store().order(id).await.unwrap().unwrap();
        orders.insert(number, (order, world.store().history(id).await.unwrap()));
    }
    let query = Query {
        limit: 100,
        ..Query::default()
    };
    let listed: Vec<_> = world.store().list(&query).await.unwrap().orders;
    let counts = world.store().counts().await.unwrap();
    let log = world.store().read_after(Position(0), 1_000).await.unwrap();
    world.subject.reopen().await;
    world.subject.reopen().await;
    let store = world.store();
    for (number, (order, history)) in &orders {
        assert_eq!(
            store.order(order.id).await.unwrap().as_ref(),
            Some(order),
            "{number}"
        );
        assert_eq!(&store.history(order.id).await.unwrap(), history, "{number}");
        let reference = HostReference {
            account: None,
            reference: format!("r-{number}").parse().unwrap(),
        };
        assert_eq!(
            store.find_reference(&reference).await.unwrap(),
            Some(order.id)
        );
        let sealed = store
            .open_sealed(order.id, &Field::Request)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(sealed.to_vec(), format!("sealed {number}").into_bytes());
    }
    assert_eq!(
        store
            .find(&Alias::Cardholder("holder".parse().unwrap()))
            .await
            .unwrap()
            .len(),
        10
    );
    assert_eq!(store.list(&query).await.unwrap().orders, listed);
    assert_eq!(store.counts().await.unwrap(), counts);
    assert_eq!(store.read_after(Position(0), 1_000).await.unwrap(), log);
    let id = orders[&1].0.id;
    let appended = world.append(id, vec![attention()]).await.unwrap();
    assert_eq!(appended.position.0, log.1.0 + 1, "and the log goes on");
}

/// Tasks are made anew from the orders; claims died with the process that held them.
pub async fn tasks_survive_without_claims<S: Subject>() {
    let mut world = World::<S>::start().await;
    let (first, second) = (world.place().await, world.place().await);
    world
        .append(second, vec![accepted("card-2")])
        .await
        .unwrap();
    assert_eq!(
        world.lease(Kind::Submissions, at(0), at(60), 9).await.len(),
        1
    );
    world.subject.reopen().await;
    let leases = world.lease(Kind::Submissions, at(0), at(60), 9).await;
    assert_eq!(
        leases
            .iter()
            .map(|lease| lease.task.id.order)
            .collect::<Vec<_>>(),
        [first]
    );
    for id in [first, second] {
        let order = world.store().order(id).await.unwrap().unwrap();
        let rows = world.store().tasks(id).await.unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.id, row.due)).collect();
        let owed: Vec<_> = world
            .owed(&order)
            .iter()
            .map(|task| (task.id, task.due))
            .collect();
        assert_eq!(rows, owed);
    }
}

/// Messages stand where they stood, and are still known.
pub async fn the_inbox_survives<S: Subject>() {
    let mut world = World::<S>::start().await;
    let id = world.place().await;
    for number in 1..=4 {
        world
            .store()
            .receive(message(&format!("m-{number}"), vec![]), None)
            .await
            .unwrap();
    }
    let mut append = world.prepare(id, vec![accepted("card-1")], at(1)).await;
    append.settles = Some("m-1".parse().unwrap());
    world.store().append(append).await.unwrap();
    let quarantined = Standing::Quarantined {
        why: "unreadable".into(),
    };
    world
        .store()
        .settle(&"m-3".parse().unwrap(), quarantined.clone(), at(1))
        .await
        .unwrap();
    let counts = world.store().counts().await.unwrap();
    world.subject.reopen().await;
    assert_eq!(world.store().counts().await.unwrap(), counts);
    let pending = world.store().pending_messages(10).await.unwrap();
    assert_eq!(
        pending
            .iter()
            .map(|message| message.id.as_str())
            .collect::<Vec<_>>(),
        ["m-2", "m-4"]
    );
    let unsettled = world.store().unsettled_messages(10).await.unwrap();
    assert_eq!(
        unsettled
            .iter()
            .map(|(message, _)| message.id.as_str())
            .collect::<Vec<_>>(),
        ["m-3"]
    );
    assert_eq!(unsettled[0].1, quarantined);
    for number in 1..=4 {
        let id = format!("m-{number}");
        assert_eq!(
            world
                .store()
                .receive(message(&id, vec![]), None)
                .await
                .unwrap(),
            Receipt::Repeat
        );
        let mut forged = message(&id, vec![]);
        forged.body_digest = "another".into();
        assert_eq!(
            world.store().receive(forged, None).await.unwrap(),
            Receipt::Forged
        );
    }
    let mut again = world.prepare(id, vec![attention()], at(1)).await;
    again.settles = Some("m-1".parse().unwrap());
    assert!(matches!(
        world.store().append(again).await,
        Err(crate::error::AppendError::AlreadySettled)
    ));
}

/// A message parked before a restart returns after it.
pub async fn parked_messages_survive<S: Subject>() {
    let mut world = World::<S>::start().await;
    let id = world.place().await;
    world
        .store()
        .receive(message("m-1", vec![card("card-0"), card("card-1")]), None)
        .await
        .unwrap();
    world
        .store()
        .settle(&"m-1".parse().unwrap(), Standing::Parked, at(1))
        .await
        .unwrap();
    world.subject.reopen().await;
    assert!(world.store().pending_messages(10).await.unwrap().is_empty());
    world.append(id, vec![accepted("card-1")]).await.unwrap();
    world.subject.reopen().await;
    let pending = world.store().pending_messages(10).await.unwrap();
    assert_eq!(
        pending
            .iter()
            .map(|message| message.id.as_str())
            .collect::<Vec<_>>(),
        ["m-1"]
    );
    assert_eq!(world.store().counts().await.unwrap().parked_messages, 0);
}
