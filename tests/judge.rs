//! The end of every test: what is in the store is held against what the simulator knows, by the one checker.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use issuance::domain::{Policy, Timestamp};
use issuance::store::{Position, Store};
use issuance_audit::{Checker, Ending, Ledger, Outside, Rules, Verdict};
use issuance_simulator::Running;

/// The credential of the engines under test.
pub const CLIENT: &str = "tests";

/// What the checker is told besides.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What the test was told from outside.
    pub outside: Vec<Outside>,
    /// The most by which the clocks of engine and simulator differed; none when the test moved one of them.
    pub clocks: Option<Duration>,
    /// Others have cards at the simulator too.
    pub shared: bool,
}

/// Judges a store and a simulator as they stand, or a store alone. May be called where nothing can be awaited.
pub fn judge(
    store: &dyn Store,
    simulator: Option<&Running>,
    policy: &Policy,
    known: &Known,
) -> Verdict {
    let rules = Rules {
        clocks: known.clocks,
        client: Some(CLIENT.into()),
        sole: !known.shared,
        ..Rules::of(policy.clone())
    };
    let mut checker = Checker::new(rules);
    wait_for(read(store, &mut checker));
    if let Some(simulator) = simulator {
        let ledger = serde_json::to_vec(&simulator.ledger()).unwrap();
        checker.ledger(&Ledger::parse(&ledger).unwrap());
    }
    known.outside.iter().for_each(|fact| checker.outside(fact));
    checker.report(Ending::Cut)
}

/// The whole log, and what the store made of it, if nobody writes meanwhile.
async fn read(store: &dyn Store, checker: &mut Checker) {
    let mut after = Position(0);
    let mut orders = std::collections::BTreeSet::new();
    loop {
        let (records, next) = store.read_after(after, 1_000).await.unwrap();
        for record in &records {
            orders.insert(record.order);
            checker.record(record);
        }
        if next == after {
            break;
        }
        after = next;
    }
    for id in orders {
        let order = store.order(id).await.unwrap().unwrap();
        let tasks = store.tasks(id).await.unwrap();
        if store.head().await.unwrap() != after {
            return;
        }
        let tasks: Vec<_> = tasks.into_iter().map(|task| task.id).collect();
        checker.projection(&order, &tasks);
    }
}

/// Both clocks, if they show the same time.
pub fn clocks(ours: Timestamp, simulator: &Running) -> Option<Duration> {
    let apart = ours.millis().abs_diff(simulator.now());
    (apart < 1_000).then_some(Duration::from_secs(2))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A test's end is no place to await.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}
