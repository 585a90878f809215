//! A process that dies at a chosen record, and the ones that come after it on what is durable.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use async_trait::async_trait;
use issuance::domain::{CardRequest, MessageId, Order, OrderId, Policy, Timestamp};
use issuance::store::{
    Append, AppendError, Appended, Compacted, Counts, Field, HostReference, Kind, Lease, LeaseAsk,
    Message, Page, Position, Query, Receipt, Recorded, Sealing, Standing, Store, StoreError,
    TaskRow,
};
use issuance::uqpay::{BaseUrl, Client, Config as ClientConfig};
use issuance::{Clock, Engine, Limits, SystemClock};
use issuance_simulator::{Config, Running, Simulator};
use issuance_store::{Alias, SimulatedStore};
use issuance_tests::judge::{Known, clocks, judge};
use issuance_tests::world::{limits, policy, verifier};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::support::millis;

/// Where in the making of a record the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// Before it is written.
    Before,
    /// Written, not durable, and lost.
    Unsynced,
    /// Written and never acknowledged, but it survives.
    Surviving,
    /// Durable; nobody hears of it.
    After,
}

/// Which record: an event's name, or the n-th append of this life, whatever it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    Event(&'static str),
    Append(usize),
    Message,
    Nothing,
}

#[derive(Debug)]
pub(super) struct Mortal {
    inner: SimulatedStore,
    death: Death,
    at: At,
    appends: Mutex<usize>,
    heir: Mutex<Option<SimulatedStore>>,
    died: Notify,
}

impl Mortal {
    fn over(inner: SimulatedStore, death: Death, at: At) -> Arc<Self> {
        let (appends, heir, died) = (Mutex::default(), Mutex::default(), Notify::new());
        Arc::new(Self {
            inner,
            death,
            at,
            appends,
            heir,
            died,
        })
    }

    fn heir(&self) -> MutexGuard<'_, Option<SimulatedStore>> {
        self.heir.lock().unwrap()
    }

    pub(super) fn die(&self, keeping: usize) -> StoreError {
        let mut heir = self.heir();
        if heir.is_none() {
            *heir = Some(self.inner.crash_keeping(keeping).unwrap());
        }
        self.died.notify_one();
        StoreError::Stopped {
            why: "the process died".into(),
        }
    }

    fn is_the_end(&self, append: &Append) -> bool {
        let mut appends = self.appends.lock().unwrap();
        *appends += 1;
        match self.at {
            At::Event(name) => append.events.iter().any(|event| event.body.name() == name),
            At::Append(number) => *appends >= number,
            At::Message | At::Nothing => false,
        }
    }
}

/// Written, but the disk was never waited for.
async fn begun<T>(work: impl Future<Output = T>) {
    let mut work = pin!(work);
    poll_fn(|context| {
        let _ = work.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

#[async_trait]
impl Store for Mortal {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if !self.is_the_end(&append) {
            return self.inner.append(append).await;
        }
        let end = match self.death {
            Death::Before => self.die(0),
            Death::Unsynced | Death::Surviving => {
                begun(self.inner.append(append)).await;
                assert!(self.inner.unsynced() > 0, "written and not synced");
                let keeping = if self.death == Death::Surviving {
                    self.inner.unsynced()
                } else {
                    0
                };
                self.die(keeping)
            }
            Death::After => {
                self.inner.append(append).await?;
                self.die(0)
            }
        };
        Err(end.into())
    }

    async fn receive(
        &self,
        message: Message,
        sealed: Option<Sealing>,
    ) -> Result<Receipt, StoreError> {
        match (self.at, self.death) {
            (At::Message, Death::After) => {
                self.inner.receive(message, sealed).await?;
                Err(self.die(0))
            }
            (At::Message, Death::Before | Death::Unsynced | Death::Surviving) => {
                begun(self.inner.receive(message, sealed)).await;
                Err(self.die(0))
            }
            (At::Event(_) | At::Append(_) | At::Nothing, _) => {
                self.inner.receive(message, sealed).await
            }
        }
    }

    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError> {
        self.inner.order(id).await
    }
    async fn history(&self, id: OrderId) -> Result<Vec<Recorded>, StoreError> {
        self.inner.history(id).await
    }
    async fn read_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<(Vec<Recorded>, Position), StoreError> {
        self.inner.read_after(after, limit).await
    }
    async fn head(&self) -> Result<Position, StoreError> {
        self.inner.head().await
    }
    async fn wait_beyond(&self, after: Position) {
        self.inner.wait_beyond(after).await;
    }
    async fn lease(&self, ask: LeaseAsk) -> Result<Vec<Lease>, StoreError> {
        self.inner.lease(ask).await
    }
    async fn release(&self, lease: &Lease, due: Option<Timestamp>) -> Result<(), StoreError> {
        self.inner.release(lease, due).await
    }
    async fn next_due(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due(kind).await
    }
    async fn wait_for_tasks(&self) {
        self.inner.wait_for_tasks().await;
    }
    async fn tasks(&self, order: OrderId) -> Result<Vec<TaskRow>, StoreError> {
        self.inner.tasks(order).await
    }
    async fn pending_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.inner.pending_messages(limit).await
    }
    async fn wait_for_messages(&self) {
        self.inner.wait_for_messages().await;
    }
    async fn settle(
        &self,
        id: &MessageId,
        standing: Standing,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.settle(id, standing, at).await
    }
    async fn unsettled_messages(
        &self,
        limit: usize,
    ) -> Result<Vec<(Message, Standing)>, StoreError> {
        self.inner.unsettled_messages(limit).await
    }
    async fn find(&self, alias: &Alias) -> Result<Vec<OrderId>, StoreError> {
        self.inner.find(alias).await
    }
    async fn find_reference(
        &self,
        reference: &HostReference,
    ) -> Result<Option<OrderId>, StoreError> {
        self.inner.find_reference(reference).await
    }
    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.inner.list(query).await
    }
    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }
    async fn open_sealed(
        &self,
        order: OrderId,
        field: &Field,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.inner.open_sealed(order, field).await
    }
    fn digest(&self, body: &[u8]) -> Box<str> {
        self.inner.digest(body)
    }

    async fn compact(&self, rekey: bool) -> Result<Compacted, StoreError> {
        self.inner.compact(rekey).await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

/// One provider, and one life of an engine after another on the same log. Nobody delivers webhooks here.
pub(super) struct Lives {
    pub(super) simulator: Running,
    pub(super) engine: Engine,
    store: Arc<Mortal>,
    policy: Policy,
}

/// A lost call is seen soon, so that a life begun after a death is short.
pub(super) fn brief() -> Policy {
    Policy {
        call_deadline: millis(900),
        look_up_first: millis(200),
        look_up_cap: millis(400),
        ..policy()
    }
}

impl Lives {
    /// The first life; nothing runs until [`Lives::run`].
    pub(super) async fn begin(policy: Policy, death: Death, at: At) -> Self {
        let simulator = Simulator::start(Config::default(), ([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let store = Mortal::over(SimulatedStore::new(policy.clone()), death, at);
        let engine = engine(&simulator, store.clone(), &policy);
        Self {
            simulator,
            engine,
            store,
            policy,
        }
    }

    pub(super) async fn place(&self, request: CardRequest) -> OrderId {
        self.engine.place(request).await.unwrap().order.id
    }

    /// Whether the store holds anything of the person.
    pub(super) async fn holds_data_of(&self, id: OrderId) -> bool {
        let opened = self.store.open_sealed(id, &Field::Request).await;
        opened.unwrap().is_some()
    }

    /// Runs this life to its end.
    pub(super) async fn run(&self) {
        let life = tokio::time::timeout(millis(8_000), self.engine.run());
        assert!(life.await.expect("it dies").is_err(), "ended by its store");
    }

    /// Runs this life to its end, or for this long.
    pub(super) async fn run_at_most(&self, long: u64) {
        tokio::select! {
            _ = self.engine.run() => {}
            () = self.store.died.notified() => {}
            () = tokio::time::sleep(millis(long)) => {}
        }
        self.store.die(0);
    }

    /// Another life on what is durable. Of the last one nothing is left.
    pub(super) fn again(self, death: Death, at: At) -> Self {
        let heir = self.store.heir().take().expect("it died");
        let store = Mortal::over(heir, death, at);
        let engine = engine(&self.simulator, store.clone(), &self.policy);
        Self {
            engine,
            store,
            ..self
        }
    }

    /// The last life: until every order is as wished.
    pub(super) async fn end(self, orders: &[OrderId], state: &str) -> Self {
        let last = self.again(Death::Before, At::Nothing);
        let running = last.engine.clone();
        let task = tokio::spawn(async move { running.run().await });
        for id in orders {
            let mut order = None;
            for _ in 0..400 {
                order = last.engine.order(*id).await.unwrap();
                if order
                    .as_ref()
                    .is_some_and(|order| order.state.name() == state)
                {
                    break;
                }
                tokio::time::sleep(millis(20)).await;
            }
            let order = order.expect("durable");
            assert_eq!(order.state.name(), state, "{order:#?}");
        }
        task.abort();
        let known = Known {
            clocks: clocks(SystemClock.now(), &last.simulator),
            ..Known::default()
        };
        let verdict = judge(&*last.store, Some(&last.simulator), &last.policy, &known);
        assert!(verdict.is_sound(), "{verdict}");
        last
    }
}

fn engine(simulator: &Running, store: Arc<Mortal>, policy: &Policy) -> Engine {
    let client = Client::new(ClientConfig {
        base_url: BaseUrl::parse(&simulator.api_base(), true).unwrap(),
        client_id: "tests".into(),
        api_key: "tests-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: millis(400),
        total_timeout: millis(600),
        max_answer: ClientConfig::MAX_ANSWER,
    });
    Engine::builder()
        .store(store)
        .uqpay(client.unwrap())
        .policy(policy.clone())
        .limits(Limits {
            task_deadline: millis(800),
            ..limits()
        })
        .webhooks(verifier())
        .build()
        .unwrap()
}
