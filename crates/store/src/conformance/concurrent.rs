//! Many at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use issuance_domain::Version;

use super::Subject;
use super::fixture::{World, accepted, at, attention, filler, message, requested};
use crate::error::AppendError;
use crate::message::Receipt;
use crate::position::Position;
use crate::store::Kind;

const MANY: usize = 64;

/// Writers of one order lose to each other, never over each other.
pub async fn appenders_on_one_order_take_turns<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let add = async || {
        for _ in 0..1_000 {
            match world.append(id, vec![filler(), attention()]).await {
                Err(AppendError::Conflict { .. }) => {}
                other => return other.unwrap(),
            }
        }
        panic!("lost a thousand times");
    };
    let appended = join_all((0..MANY).map(|_| add())).await;
    let versions: BTreeSet<Version> = appended.iter().map(|appended| appended.version).collect();
    assert_eq!(
        versions,
        (1..=MANY as u64).map(|nth| Version(1 + 2 * nth)).collect()
    );
    assert_eq!(world.store().history(id).await.unwrap().len(), 1 + 2 * MANY);
}

/// Writers of different orders do not disturb each other, and the log has no gap.
pub async fn appenders_on_many_orders_all_succeed<S: Subject>() {
    let world = World::<S>::start().await;
    let run = async |number: usize| {
        let id = world.place().await;
        for _ in 0..5 {
            world.append(id, vec![filler()]).await.unwrap();
        }
        world
            .append(id, vec![accepted(&format!("card-{number}"))])
            .await
            .unwrap();
        id
    };
    let orders = join_all((0..MANY).map(run)).await;
    let (log, head) = world.store().read_after(Position(0), 10_000).await.unwrap();
    let positions: Vec<u64> = log.iter().map(|recorded| recorded.position.0).collect();
    assert_eq!(positions, (1..=7 * MANY as u64).collect::<Vec<u64>>());
    assert_eq!(head, world.store().head().await.unwrap());
    for id in orders {
        assert_eq!(world.version(id).await, Version(7));
    }
}

/// Of many orders by one reference one is made, and the others hear which.
pub async fn racers_for_one_reference_have_one_winner<S: Subject>() {
    let world = World::<S>::start().await;
    let place = async || {
        let id = world.id();
        (id, world.append(id, vec![requested("r-1")]).await)
    };
    let placed = join_all((0..MANY).map(|_| place())).await;
    let winners: Vec<_> = placed
        .iter()
        .filter(|(_, result)| result.is_ok())
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(winners.len(), 1);
    for (_, result) in placed.iter().filter(|(id, _)| *id != winners[0]) {
        assert!(
            matches!(result, Err(AppendError::ReferenceTaken { order }) if *order == winners[0]),
            "{result:?}"
        );
    }
}

/// Of many copies of one message one is new.
pub async fn racers_with_one_message_store_it_once<S: Subject>() {
    let world = World::<S>::start().await;
    let store = world.store();
    let receipts = join_all((0..MANY).map(|_| store.receive(message("m-1", vec![]), None))).await;
    let stored = receipts
        .iter()
        .filter(|receipt| matches!(receipt, Ok(Receipt::Stored)))
        .count();
    let repeats = receipts
        .iter()
        .filter(|receipt| matches!(receipt, Ok(Receipt::Repeat)))
        .count();
    assert_eq!((stored, repeats), (1, MANY - 1));
    assert_eq!(store.pending_messages(10).await.unwrap().len(), 1);
}

/// Of many appends that answer one message, also of different orders, one is made.
pub async fn racers_to_settle_have_one_winner<S: Subject>() {
    let world = World::<S>::start().await;
    world
        .store()
        .receive(message("m-1", vec![]), None)
        .await
        .unwrap();
    let mut orders = Vec::new();
    for _ in 0..8 {
        orders.push(world.place().await);
    }
    let answer = async |id| {
        let mut append = world.prepare(id, vec![attention()], at(1)).await;
        append.settles = Some("m-1".parse().unwrap());
        world.store().append(append).await
    };
    let answers = join_all(orders.iter().map(|id| answer(*id))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(
        answers
            .iter()
            .filter(|answer| matches!(answer, Err(AppendError::AlreadySettled)))
            .count(),
        7
    );
}

/// Many workers get every task once.
pub async fn claims_of_racers_do_not_overlap<S: Subject>() {
    let world = World::<S>::start().await;
    join_all((0..MANY).map(|_| world.place())).await;
    let claimed =
        join_all((0..MANY).map(|_| world.lease(Kind::Submissions, at(0), at(60), 3))).await;
    let claimed: Vec<_> = claimed.into_iter().flatten().collect();
    let tasks: BTreeSet<_> = claimed.iter().map(|lease| lease.task.id).collect();
    let epochs: BTreeSet<_> = claimed.iter().map(|lease| lease.epoch).collect();
    assert_eq!(
        (claimed.len(), tasks.len(), epochs.len()),
        (MANY, MANY, MANY)
    );
}
