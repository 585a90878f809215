//! How long the inbox knows what it has seen.

use issuance_store::{Message, Receipt, Standing, Store};

use super::hands::{at, message, open, rows};

/// A settled message's repeat is known for thirty days, by the log's own times: across a restart, and when the index is
/// made anew.
#[tokio::test]
async fn f_052_a_repeat_is_known_for_thirty_days_and_its_row_goes_afterwards() {
    const DAY: i64 = 24 * 3_600 * 1_000;
    let received = |number: u64, day: i64| Message {
        received_at: at(day * DAY),
        ..message(number)
    };
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    // Three hundred on the first day, all settled but the last two; one a day from then on.
    for number in 0..300 {
        store.receive(received(number, 0), None).await.unwrap();
        let standing = match number {
            298 => Standing::Parked,
            299 => Standing::Quarantined { why: "x".into() },
            _ => Standing::Settled { order: None },
        };
        store
            .settle(&message(number).id, standing, at(1))
            .await
            .unwrap();
    }
    for day in 1..30 {
        let number = 1_000 + day as u64;
        store.receive(received(number, day), None).await.unwrap();
        let standing = Standing::Settled { order: None };
        let id = message(number).id;
        store.settle(&id, standing, at(1)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    for number in 0..300 {
        let receipt = store.receive(received(number, 29), None).await.unwrap();
        assert_eq!(receipt, Receipt::Repeat, "{number}");
    }
    // Each forgets some of them.
    for number in 2_000..2_003 {
        store.receive(received(number, 32), None).await.unwrap();
    }
    for number in 0..300 {
        let receipt = store.receive(received(number, 32), None).await.unwrap();
        let expected = match number {
            // Whoever still waits for them finds them.
            298 | 299 => Receipt::Repeat,
            _ => Receipt::Stored,
        };
        assert_eq!(receipt, expected, "{number}");
    }
    for day in 1..30 {
        let number = 1_000 + day as u64;
        let receipt = store.receive(received(number, 32), None).await.unwrap();
        let expected = if day <= 2 {
            Receipt::Stored
        } else {
            Receipt::Repeat
        };
        assert_eq!(receipt, expected, "of day {day}");
    }
    store.close().await.unwrap();
    drop(store);
    let written = rows(dir.path());
    std::fs::remove_dir_all(dir.path().join("data/index")).unwrap();
    let (store, report) = open(dir.path());
    assert!(report.index.rebuilt.is_some());
    store.close().await.unwrap();
    drop(store);
    assert_eq!(rows(dir.path()), written);
}
