//! Versions, positions, histories, and reading on.

use futures_util::FutureExt as _;
use issuance_domain::Version;

use super::Subject;
use super::fixture::{World, accepted, activated, at, attention, filler, message, requested, soon};
use crate::error::AppendError;
use crate::message::Receipt;
use crate::position::Position;

/// The version of an order is the number of its events.
pub async fn versions_count_events<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    assert_eq!(world.version(id).await, Version(1));
    let appended = world
        .append(id, vec![accepted("card-1"), activated("card-1")])
        .await
        .unwrap();
    assert_eq!(appended.version, Version(3));
    let order = world.store().order(id).await.unwrap().unwrap();
    assert_eq!((order.version, order.state.name()), (Version(3), "active"));
    assert!(world.store().order(world.id()).await.unwrap().is_none());
}

/// Of two decisions on the same version one is refused, and changes nothing.
pub async fn an_append_on_an_old_version_is_refused<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let first = world.prepare(id, vec![accepted("card-1")], at(1)).await;
    let second = world.prepare(id, vec![attention()], at(1)).await;
    world.store().append(first).await.unwrap();
    let refused = world.store().append(second).await;
    assert!(
        matches!(
            refused,
            Err(AppendError::Conflict {
                expected: Version(1),
                actual: Version(2)
            })
        ),
        "{refused:?}"
    );
    assert_eq!(world.store().history(id).await.unwrap().len(), 2);
    let fresh = world.id();
    let first = world.prepare(fresh, vec![requested("r-1")], at(1)).await;
    let second = world.prepare(fresh, vec![requested("r-2")], at(1)).await;
    world.store().append(first).await.unwrap();
    let refused = world.store().append(second).await;
    assert!(
        matches!(
            refused,
            Err(AppendError::Conflict {
                actual: Version(1),
                ..
            })
        ),
        "{refused:?}"
    );
}

/// Events appended together have consecutive positions, and nobody sees a part of them.
pub async fn an_append_of_several_events_is_one<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.id();
    let events = vec![requested("r-1"), accepted("card-1"), activated("card-1")];
    let appended = world.append(id, events).await.unwrap();
    assert_eq!(
        (appended.position, appended.version),
        (Position(3), Version(3))
    );
    let history = world.store().history(id).await.unwrap();
    let positions: Vec<u64> = history.iter().map(|recorded| recorded.position.0).collect();
    assert_eq!(positions, [1, 2, 3]);
}

/// The log is one order of records, numbered from 1.
pub async fn positions_have_no_gaps<S: Subject>() {
    let world = World::<S>::start().await;
    assert_eq!(world.store().head().await.unwrap(), Position(0));
    let first = world.place().await;
    assert_eq!(world.store().head().await.unwrap(), Position(1));
    assert_eq!(
        world
            .store()
            .receive(message("m-1", vec![]), None)
            .await
            .unwrap(),
        Receipt::Stored
    );
    assert_eq!(world.store().head().await.unwrap(), Position(2));
    let appended = world
        .append(first, vec![accepted("card-1"), attention()])
        .await
        .unwrap();
    assert_eq!(appended.position, Position(4));
    assert_eq!(world.store().head().await.unwrap(), Position(4));
}

/// Rows that do not follow from the events, or no events at all, are refused.
pub async fn an_append_must_follow_from_its_events<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let mut empty = world.prepare(id, vec![attention()], at(1)).await;
    empty.events.clear();
    assert!(matches!(
        world.store().append(empty).await,
        Err(AppendError::Store(_))
    ));
    let mut other = world.prepare(id, vec![attention()], at(1)).await;
    other.order = world.id();
    assert!(matches!(
        world.store().append(other).await,
        Err(AppendError::Store(_))
    ));
    assert_eq!(world.version(id).await, Version(1));
}

/// A history holds the events as they were decided.
pub async fn history_is_whole_and_in_order<S: Subject>() {
    let world = World::<S>::start().await;
    let (id, other) = (world.place().await, world.place().await);
    world
        .append(id, vec![accepted("card-1"), attention()])
        .await
        .unwrap();
    world.append(other, vec![accepted("card-2")]).await.unwrap();
    world.append(id, vec![activated("card-1")]).await.unwrap();
    let history = world.store().history(id).await.unwrap();
    let names: Vec<&str> = history
        .iter()
        .map(|recorded| recorded.event.body.name())
        .collect();
    assert_eq!(
        names,
        [
            "order_requested",
            "order_accepted",
            "attention_raised",
            "card_activated"
        ]
    );
    let versions: Vec<u64> = history.iter().map(|recorded| recorded.version.0).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    assert!(history.iter().all(|recorded| recorded.order == id));
    assert_eq!(history[1].event.body, accepted("card-1"));
    assert!(world.store().history(world.id()).await.unwrap().is_empty());
}

/// An order may have more events than fit one row.
pub async fn a_long_history_is_whole<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    for _ in 0..30 {
        world.append(id, vec![filler(); 20]).await.unwrap();
    }
    let history = world.store().history(id).await.unwrap();
    let versions: Vec<u64> = history.iter().map(|recorded| recorded.version.0).collect();
    assert_eq!(versions, (1..=601).collect::<Vec<u64>>());
}

/// Whoever reads on from where they were told sees every event once.
pub async fn reading_on_never_skips<S: Subject>() {
    let world = World::<S>::start().await;
    for number in 0..7 {
        let id = world.place().await;
        world
            .append(id, vec![accepted(&format!("card-{number}")), attention()])
            .await
            .unwrap();
        world
            .store()
            .receive(message(&format!("m-{number}"), vec![]), None)
            .await
            .unwrap();
    }
    let (all, end) = world.store().read_after(Position(0), 1_000).await.unwrap();
    assert_eq!((all.len(), end), (21, world.store().head().await.unwrap()));
    for limit in [1, 2, 3, 5, 20, 21, 22] {
        let (mut read, mut after) = (Vec::new(), Position(0));
        while after < end {
            let (some, next) = world.store().read_after(after, limit).await.unwrap();
            assert!(
                some.len() <= limit && next > after,
                "{} events, from {after} to {next}",
                some.len()
            );
            read.extend(some);
            after = next;
        }
        assert_eq!(read, all, "by {limit}");
    }
    let (none, same) = world.store().read_after(end, 10).await.unwrap();
    assert_eq!((none.len(), same), (0, end));
}

/// A wait for growth ends when there is growth, also if it came before the wait.
pub async fn waiting_for_growth_is_never_late<S: Subject>() {
    let world = World::<S>::start().await;
    let store = world.store();
    assert!(store.wait_beyond(Position(0)).now_or_never().is_none());
    let waiting = store.wait_beyond(Position(0));
    let ((), _) = soon(futures_util::future::join(waiting, world.place())).await;
    soon(store.wait_beyond(Position(0))).await;
    assert!(store.wait_beyond(Position(1)).now_or_never().is_none());
}
