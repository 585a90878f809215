//! A task that always fails inside the engine, beside tasks that do not (L5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::{AttentionReason, OrderId, Policy, Timestamp};
use issuance_executor::{Clock, Done, Gate, Performer, Retry, SystemClock, Worker, WorkerOptions};
use issuance_store::{CommandHandler, Kind, Lease, SimulatedStore, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::world::place;

/// Panics over one order; counts the others.
struct Touchy {
    poison: OrderId,
    done: Arc<AtomicU32>,
}

#[async_trait]
impl Performer for Touchy {
    fn kind(&self) -> Kind {
        Kind::Submissions
    }

    fn gate(&self, _now: Timestamp) -> Gate {
        Gate::Open(8)
    }

    async fn perform(&self, lease: &Lease) -> Result<Done, StoreError> {
        assert_ne!(lease.task.id.order, self.poison, "planted");
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(Done::Later(Timestamp::from_millis(i64::MAX)))
    }
}

#[tokio::test]
async fn f_075_a_task_that_always_panics_is_shown_and_the_others_are_done() {
    let policy = Policy {
        notify_host: false,
        ..Policy::standard()
    };
    let store = Arc::new(SimulatedStore::new(policy.clone()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let handler = CommandHandler::new(store.clone(), Arc::new(policy));
    let now = clock.now();
    let mut orders = Vec::new();
    for number in 1..=10 {
        orders.push(place(&handler, number, now).await);
    }
    let done = Arc::new(AtomicU32::new(0));
    let touchy = Touchy {
        poison: orders[0],
        done: done.clone(),
    };
    let millis = Duration::from_millis;
    let options = WorkerOptions {
        concurrency: 2,
        deadline: Duration::from_secs(5),
        retry: Retry {
            first: millis(5),
            cap: millis(20),
            jitter: 0.0,
        },
    };
    let worker = Worker::new(handler, clock, touchy, options);
    let stop = CancellationToken::new();
    let working = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run(stop).await }
    });
    let mut shown = None;
    for _ in 0..500 {
        let order = store.order(orders[0]).await.unwrap().unwrap();
        shown = order.attention.as_ref().map(|mark| mark.reason.clone());
        if shown.is_some() && done.load(Ordering::Relaxed) == 9 {
            break;
        }
        tokio::time::sleep(millis(10)).await;
    }
    stop.cancel();
    working.await.unwrap().unwrap();
    let action = "submit".into();
    assert_eq!(shown, Some(AttentionReason::TaskGivenUp { action }));
    assert_eq!(done.load(Ordering::Relaxed), 9);
    let rows = store.tasks(orders[0]).await.unwrap();
    assert!(rows.iter().any(|row| row.tries >= 3), "{rows:?}");
}
