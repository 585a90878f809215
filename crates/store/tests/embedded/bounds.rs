//! Bounds: of the queue, of a value, of what waits for the index.

use futures_util::future::join_all;
use issuance_domain::EventBody;
use issuance_store::{AppendError, EmbeddedStore, Limits, Options, Position, Store, StoreError};
use serde_json::value::RawValue;

use super::hands::{append, follow, id, look, message, requested, sealing};
use super::options;

fn open(dir: &std::path::Path, change: impl FnOnce(&mut Limits)) -> EmbeddedStore {
    let mut options: Options = options(dir);
    change(&mut options.limits);
    EmbeddedStore::open(options).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), |limits| limits.queue = 4);
    let mut refused = 0;
    let mut placed = 0;
    for round in 0..200 {
        let numbers = round * 64..(round + 1) * 64;
        let answers = join_all(numbers.map(|number| {
            let append = follow(id(number), None, vec![requested(number)]);
            let store = &store;
            async move { (number, store.append(append).await) }
        }))
        .await;
        for (number, answer) in answers {
            let there = store.order(id(number)).await.unwrap().is_some();
            match answer {
                Ok(_) => placed += 1,
                Err(AppendError::Store(StoreError::Overloaded)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
            assert_eq!(there, store.history(id(number)).await.unwrap().len() == 1);
        }
        if refused > 0 && round > 2 {
            break;
        }
    }
    assert!(
        refused > 0 && placed > 0,
        "{refused} refused, {placed} placed"
    );
    let (log, _) = store.read_after(Position(0), 100_000).await.unwrap();
    assert_eq!(log.len(), placed);
}

#[tokio::test]
async fn too_many_bytes_are_refused_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), |limits| limits.queue_bytes = 100_000);
    let large = |number: u64| {
        let mut large = message(number);
        large.content = RawValue::from_string(format!("\"{}\"", "x".repeat(60_000))).unwrap();
        large
    };
    let answers = join_all((0..50).map(|number| store.receive(large(number), None))).await;
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(StoreError::Overloaded)))
        .count();
    assert!(refused > 0 && refused < 50, "{refused}");
    let mut huge = message(99);
    huge.content = RawValue::from_string(format!("\"{}\"", "x".repeat(2 << 20))).unwrap();
    assert!(
        matches!(
            store.receive(huge, None).await,
            Err(StoreError::Damaged { .. })
        ),
        "no line holds it"
    );
    assert_eq!(
        store.counts().await.unwrap().pending_messages,
        50 - refused as u64
    );
}

#[tokio::test]
async fn values_longer_than_a_row_survive() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let store = open(dir.path(), |_| {});
    for (number, length) in [
        (0_u64, 1_000),
        (1, 32 << 10),
        (2, 64 << 10),
        (3, 128 << 10),
        (4, 700 << 10),
    ] {
        let mut large = message(number);
        large.content = RawValue::from_string(format!("\"{}\"", "x".repeat(length))).unwrap();
        expected.push(large.content.get().len());
        store.receive(large, None).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    assert!(
        super::hands::rows(dir.path())
            .iter()
            .all(|(_, value)| value.len() < 64 << 10)
    );
    let store = open(dir.path(), |_| {});
    let pending = store.pending_messages(10).await.unwrap();
    assert_eq!(
        pending
            .iter()
            .map(|message| message.content.get().len())
            .collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_wait_for_a_slow_index_and_every_read_is_right() {
    let dir = tempfile::tempdir().unwrap();
    // So small that rows go to the index all the time and hardly any stay at hand.
    let store = open(dir.path(), |limits| {
        limits.unindexed_rows = 8;
        limits.orders_at_hand = 2;
    });
    let run = async |number: u64| {
        let mut first = follow(id(number), None, vec![requested(number)]);
        first.sealed = vec![sealing(&format!("sealed {number}"))];
        store.append(first).await.unwrap();
        for version in 1..6 {
            let order = store.order(id(number)).await.unwrap().unwrap();
            assert_eq!(order.version.0, version);
            append(
                &store,
                id(number),
                vec![EventBody::HostNotified {
                    through: Default::default(),
                }],
            )
            .await
            .unwrap();
        }
    };
    join_all((0..100).map(run)).await;
    let found = look(&store, 0..100).await;
    assert!(
        found
            .values()
            .all(|(order, history)| order.version.0 == 6 && *history == 6)
    );
    let page = store
        .list(&issuance_store::Query {
            limit: 1_000,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(page.orders.len(), 100);
    store.close().await.unwrap();
    drop(store);
    let store = open(dir.path(), |_| {});
    assert_eq!(look(&store, 0..100).await, found);
}
