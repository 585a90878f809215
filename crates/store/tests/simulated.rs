//! The simulated store: the suite every store passes, and what a crash does to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a failed test is a panic"
)]

use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::Policy;
use issuance_store::conformance::Subject;
use issuance_store::{SimulatedStore, Store};

struct Simulated(Arc<SimulatedStore>);

#[async_trait]
impl Subject for Simulated {
    async fn start(policy: Policy) -> Self {
        Self(Arc::new(SimulatedStore::new(policy)))
    }

    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    async fn reopen(&mut self) {
        self.0 = Arc::new(self.0.crash().unwrap());
    }
}

issuance_store::store_conformance!(Simulated);

mod faults {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    use issuance_domain::{Policy, Timestamp};
    use issuance_store::{Message, Position, Receipt, SimulatedStore, Store, StoreError};
    use serde_json::value::RawValue;

    fn message(id: &str) -> Message {
        Message {
            id: id.parse().unwrap(),
            event_type: "card.create.succeeded".into(),
            received_at: Timestamp::from_millis(0),
            aliases: vec![],
            body_digest: "digest".into(),
            content: RawValue::from_string("{}".into()).unwrap(),
        }
    }

    fn store() -> SimulatedStore {
        SimulatedStore::new(Policy::standard())
    }

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    /// The whole executor: no runtime stands behind these tests.
    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        for _ in 0..1_000 {
            if let Poll::Ready(output) = poll(future.as_mut()) {
                return output;
            }
        }
        panic!("waits for nobody");
    }

    fn poll<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Nobody))))
    }

    fn pending(store: &SimulatedStore) -> Vec<String> {
        let pending = run(store.pending_messages(10)).unwrap();
        pending
            .iter()
            .map(|message| message.id.to_string())
            .collect()
    }

    #[test]
    fn a_crash_loses_what_was_not_synced() {
        let store = store();
        assert_eq!(
            run(store.receive(message("m-1"), None)).unwrap(),
            Receipt::Stored
        );
        let mut unsynced = store.receive(message("m-2"), None);
        assert!(poll(unsynced.as_mut()).is_pending());
        assert_eq!(store.unsynced(), 1);
        let after = store.crash().unwrap();
        assert!(matches!(run(unsynced), Err(StoreError::Stopped { .. })));
        assert!(matches!(run(store.head()), Err(StoreError::Stopped { .. })));
        assert_eq!(pending(&after), ["m-1"]);
    }

    #[test]
    fn a_crash_may_keep_what_nobody_acknowledged() {
        let store = store();
        let mut unsynced: Vec<_> = (1..=3)
            .map(|number| store.receive(message(&format!("m-{number}")), None))
            .collect();
        for future in &mut unsynced {
            assert!(poll(future.as_mut()).is_pending());
        }
        let after = store.crash_keeping(2).unwrap();
        assert_eq!(pending(&after), ["m-1", "m-2"]);
        assert_eq!(
            run(after.receive(message("m-2"), None)).unwrap(),
            Receipt::Repeat
        );
        assert_eq!(
            run(after.receive(message("m-3"), None)).unwrap(),
            Receipt::Stored
        );
    }

    #[test]
    fn those_who_wait_together_are_synced_together() {
        let store = store();
        let (mut first, mut second) = (
            store.receive(message("m-1"), None),
            store.receive(message("m-2"), None),
        );
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        assert_eq!(run(store.head()).unwrap(), Position(0));
        assert!(poll(second.as_mut()).is_ready());
        assert_eq!(run(store.head()).unwrap(), Position(2));
        // Whoever no longer waits loses only the answer.
        drop(first);
        assert_eq!(pending(&store), ["m-1", "m-2"]);
    }

    #[test]
    fn a_failed_sync_stops_the_store() {
        let store = store();
        run(store.receive(message("m-1"), None)).unwrap();
        store.fail_next_sync();
        assert!(matches!(
            run(store.receive(message("m-2"), None)),
            Err(StoreError::Stopped { .. })
        ));
        assert!(matches!(
            run(store.receive(message("m-3"), None)),
            Err(StoreError::Stopped { .. })
        ));
        assert!(
            matches!(
                run(store.receive(message("m-1"), None)),
                Err(StoreError::Stopped { .. })
            ),
            "no 2xx, also for a repeat"
        );
        run(store.wait_beyond(Position(9)));
        assert_eq!(pending(&store.crash().unwrap()), ["m-1"]);
        assert_eq!(pending(&store.crash_keeping(1).unwrap()), ["m-1", "m-2"]);
    }

    #[test]
    fn a_full_disk_is_no_end() {
        let store = store();
        run(store.receive(message("m-1"), None)).unwrap();
        store.fill_disk(true);
        assert!(matches!(
            run(store.receive(message("m-2"), None)),
            Err(StoreError::DiskFull)
        ));
        assert_eq!(pending(&store), ["m-1"]);
        store.fill_disk(false);
        assert_eq!(
            run(store.receive(message("m-2"), None)).unwrap(),
            Receipt::Stored
        );
        store.overload(true);
        assert!(matches!(
            run(store.receive(message("m-3"), None)),
            Err(StoreError::Overloaded)
        ));
        store.overload(false);
        assert_eq!(pending(&store.crash().unwrap()), ["m-1", "m-2"]);
    }

    #[test]
    fn a_repeat_of_what_was_not_stored_is_none() {
        let store = store();
        let mut copies: Vec<_> = (0..3)
            .map(|_| store.receive(message("m-1"), None))
            .collect();
        for copy in &mut copies {
            assert!(poll(copy.as_mut()).is_pending());
        }
        store.fill_disk(true);
        for copy in copies {
            assert!(matches!(run(copy), Err(StoreError::DiskFull)));
        }
        store.fill_disk(false);
        assert_eq!(
            run(store.receive(message("m-1"), None)).unwrap(),
            Receipt::Stored
        );
        store.fill_disk(true);
        assert_eq!(
            run(store.receive(message("m-1"), None)).unwrap(),
            Receipt::Repeat
        );
    }

    #[test]
    fn a_closed_store_says_so() {
        let store = store();
        run(store.receive(message("m-1"), None)).unwrap();
        run(store.close()).unwrap();
        assert!(matches!(
            run(store.receive(message("m-2"), None)),
            Err(StoreError::Closed)
        ));
    }
}
