//! The store as one process sees it: the simulated store, with a boundary before and after each step a write is made of.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use issuance_domain::{
    Action, EventBody, MessageId, OperatorAction, Order, OrderId, Purpose, Timestamp,
};
use issuance_store::{
    Alias, Append, AppendError, Appended, Compacted, Counts, Field, HostReference, Kind, Lease,
    LeaseAsk, Message, Page, Position, Query, Receipt, Recorded, Sealing, SimulatedStore, Standing,
    Store, StoreError, TaskRow,
};
use zeroize::Zeroizing;

use crate::coverage::Point;
use crate::env::{Due, Sim};
use crate::tasks::Life;

#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) store: Arc<SimulatedStore>,
    pub(crate) sim: Sim,
    pub(crate) life: Life,
}

impl Disk {
    async fn take(&self, millis: i64) {
        if millis > 0 {
            self.sim.sleep(millis).await;
        }
    }

    fn tell(&self, does: &str, leases: &[Lease], due: Option<Timestamp>) {
        let mut env = self.sim.lock();
        let (now, node) = (env.now, self.life.node);
        for Lease {
            task, tries, until, ..
        } in leases
        {
            env.trace.line(now, || {
                let action = task.id.action.name();
                let (order, until) = (task.id.order, until.millis() - now);
                let due = due.map_or(task.due.millis(), Timestamp::millis) - now;
                format!("node {node} {does} {action} of {order}, due in {due} ms, its until in {until} ms, {tries} tries")
            });
        }
    }

    /// Who is to have a fresh link has it asked for when the end of the old one is about to be acted on.
    fn refresh_late(&self, leases: &[Lease]) {
        let mut env = self.sim.lock();
        for lease in leases {
            let order = lease.task.id.order;
            if lease.task.id.action == Action::ExpireIdv && env.refreshed_late.remove(&order) {
                env.after(0, Due::Act(order, OperatorAction::RefreshIdvLink));
            }
        }
    }

    /// The simulated store writes at the first poll and syncs at a later one; in between a process can die, too.
    async fn write<T>(&self, points: [Point; 3], work: impl Future<Output = T>) -> T {
        let [before, written, durable] = points;
        self.sim.boundary(self.life, before).await;
        // Others run between a decision and its record, and between the record and its sync.
        let (early, late) = self.sim.lock().disk_takes();
        self.take(early).await;
        let mut work = pin!(work);
        let first = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
        let done = match first {
            Poll::Ready(done) => return done,
            Poll::Pending => {
                self.sim.boundary(self.life, written).await;
                self.take(late).await;
                work.await
            }
        };
        self.sim.boundary(self.life, durable).await;
        done
    }
}

/// What an append says of a create call: since when its key is in use, and whether it is recorded to be sent, or brought
/// nothing and is to be sent again.
fn create_call(append: &Append) -> Option<(Timestamp, bool)> {
    let recorded = append.events.iter().find_map(|event| match &event.body {
        EventBody::SubmissionStarted {
            purpose: Purpose::CreateCard,
            ..
        } => Some(true),
        EventBody::SubmissionUnanswered {
            purpose: Purpose::CreateCard,
            ..
        } => Some(false),
        _ => None,
    })?;
    let submission = append.projection.order.submission(Purpose::CreateCard)?;
    Some((submission.first_started_at?, recorded))
}

/// The key and the attempt of the call it records.
fn call(append: &Append) -> Option<(String, u32)> {
    append.events.iter().find_map(|event| match &event.body {
        EventBody::SubmissionStarted { key, attempt, .. } => Some((key.to_string(), *attempt)),
        _ => None,
    })
}

#[async_trait]
impl Store for Disk {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let points = [Point::Append, Point::Written, Point::Durable];
        let (order, settles) = (append.order, append.settles.clone());
        let (create_call, call) = (create_call(&append), call(&append));
        let appended = self.write(points, self.store.append(append)).await;
        if let (Ok(_), Some(id)) = (&appended, settles) {
            self.sim.lock().history.applied(&id, order);
        }
        if let (Ok(_), Some((key, attempt))) = (&appended, call) {
            {
                let mut env = self.sim.lock();
                env.follow();
                env.history.records(self.life, &key, attempt);
            }
            self.sim.overtake(order).await;
        }
        if let (Ok(_), Some((from, recorded))) = (&appended, create_call) {
            self.sim.outlive_key(self.life, from, recorded).await;
        }
        appended
    }

    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError> {
        self.store.order(id).await
    }

    async fn history(&self, id: OrderId) -> Result<Vec<Recorded>, StoreError> {
        self.store.history(id).await
    }

    async fn read_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<(Vec<Recorded>, Position), StoreError> {
        self.store.read_after(after, limit).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.store.head().await
    }

    async fn wait_beyond(&self, after: Position) {
        self.store.wait_beyond(after).await;
    }

    async fn lease(&self, ask: LeaseAsk) -> Result<Vec<Lease>, StoreError> {
        let leases = self.store.lease(ask).await?;
        {
            let mut env = self.sim.lock();
            env.follow();
            let believed = env.options.skew == 0 && !env.options.sets_clocks();
            let broken = env.history.watch.claims(&ask, &leases, believed);
            env.history.take(broken);
        }
        if !leases.is_empty() {
            self.tell("claims", &leases, None);
            self.refresh_late(&leases);
            self.sim.boundary(self.life, Point::Leased).await;
        }
        Ok(leases)
    }

    async fn release(&self, lease: &Lease, due: Option<Timestamp>) -> Result<(), StoreError> {
        self.sim.boundary(self.life, Point::Release).await;
        self.tell("gives back", std::slice::from_ref(lease), due);
        let order = lease.task.id.order;
        let before = self.store.tasks(order).await?;
        self.store.release(lease, due).await?;
        let after = self.store.tasks(order).await?;
        let mut env = self.sim.lock();
        env.follow();
        let broken = env.history.watch.gives_back(lease, due, &before, &after);
        env.history.take(broken);
        Ok(())
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_due(kind).await
    }

    fn wait_for_tasks<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        // Counts from this call, not from its first poll.
        self.store.wait_for_tasks()
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<TaskRow>, StoreError> {
        self.store.tasks(order).await
    }

    async fn receive(
        &self,
        message: Message,
        sealed: Option<Sealing>,
    ) -> Result<Receipt, StoreError> {
        let points = [Point::Receive, Point::ReceiveWritten, Point::Received];
        let kept = message.clone();
        let received = self
            .write(points, self.store.receive(message, sealed))
            .await;
        if let Ok(receipt) = received {
            self.sim.lock().history.received(&kept, receipt);
        }
        received
    }

    async fn pending_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.store.pending_messages(limit).await
    }

    fn wait_for_messages<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        self.store.wait_for_messages()
    }

    async fn settle(
        &self,
        id: &MessageId,
        standing: Standing,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.sim.boundary(self.life, Point::Settle).await;
        let settled = self.store.settle(id, standing.clone(), at).await;
        if settled.is_ok() {
            self.sim.lock().history.settled(id, &standing);
        }
        settled
    }

    async fn parked_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.store.parked_messages(limit).await
    }

    async fn unsettled_messages(
        &self,
        limit: usize,
    ) -> Result<Vec<(Message, Standing)>, StoreError> {
        self.store.unsettled_messages(limit).await
    }

    async fn find(&self, alias: &Alias) -> Result<Vec<OrderId>, StoreError> {
        self.store.find(alias).await
    }

    async fn find_reference(
        &self,
        reference: &HostReference,
    ) -> Result<Option<OrderId>, StoreError> {
        self.store.find_reference(reference).await
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.store.list(query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.store.counts().await
    }

    async fn open_sealed(
        &self,
        order: OrderId,
        field: &Field,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.store.open_sealed(order, field).await
    }

    fn digest(&self, body: &[u8]) -> Box<str> {
        self.store.digest(body)
    }

    async fn compact(&self, force: bool) -> Result<Compacted, StoreError> {
        self.store.compact(force).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
