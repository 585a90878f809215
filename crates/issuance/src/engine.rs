//! The engine: what a host calls, and what runs behind it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use issuance_adapter::{Inbox, Readings, UqpayProvider, WebhookError, Webhooks};
use issuance_domain::{
    Command, Context, MessageId, OperatorAct, OperatorAction, Order, OrderId, Policy, State,
    Timestamp, Version, allowed_actions,
};
use issuance_executor::{
    Breaker, Budget, Clock, Notices, ProductBreaker, Provider, Submitter, WallWatch, Worker, recall,
};
use issuance_store::{
    CommandHandler, Counts, Decision, Field, HandleError, HostReference, Message, Page, Position,
    Query, Receipt, Recorded, Request, Standing, Store, TaskRow,
};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::erasing::Compacting;
use crate::error::EngineError;
use crate::feed::Feed;
use crate::reconciling::Reconciling;

/// A saga engine for card orders. Cheap to clone; all clones are the same engine.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) parts: Arc<Parts>,
    pub(crate) stop: CancellationToken,
    stopped: CancellationToken,
}

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) handler: CommandHandler,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) uqpay: Option<Arc<UqpayProvider>>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) pools: Arc<ProductBreaker>,
    pub(crate) watch: Arc<WallWatch>,
    pub(crate) reconciliation: Reconciling,
    pub(crate) compacting: Compacting,
    pub(crate) compact_every: Duration,
    pub(crate) submitter: Worker<Submitter>,
    pub(crate) readings: Worker<Readings>,
    pub(crate) notices: Option<Worker<Notices>>,
    pub(crate) inbox: Inbox,
    pub(crate) webhooks: Option<Webhooks>,
}

/// Where a person must go to be verified. Whoever has the address can act as that person.
#[derive(Debug, Clone)]
pub struct IdvLink {
    /// The address.
    pub url: SecretString,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A link is hidden from people this long before it ends (contract §7).
const LINK_HIDDEN_EARLY: Duration = Duration::from_secs(120);

impl Engine {
    /// Starts with nothing.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            stop: CancellationToken::new(),
            stopped: CancellationToken::new(),
        }
    }

    pub(crate) fn handler(&self) -> &CommandHandler {
        &self.parts.handler
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.parts.handler.store()
    }

    pub(crate) fn provider(&self) -> &Arc<dyn Provider> {
        &self.parts.provider
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Now, by the engine's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The policy it decides by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.parts.handler.policy()
    }

    /// An order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, EngineError> {
        Ok(self.store().order(id).await?)
    }

    /// The order a host calls by this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find(&self, reference: &HostReference) -> Result<Option<Arc<Order>>, EngineError> {
        match self.store().find_reference(reference).await? {
            Some(id) => self.order(id).await,
            None => Ok(None),
        }
    }

    /// Orders, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, query: &Query) -> Result<Page, EngineError> {
        Ok(self.store().list(query).await?)
    }

    /// All events of an order, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, id: OrderId) -> Result<Vec<Recorded>, EngineError> {
        Ok(self.store().history(id).await?)
    }

    /// What an order owes, with times.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(&self, id: OrderId) -> Result<Vec<TaskRow>, EngineError> {
        Ok(self.store().tasks(id).await?)
    }

    /// How many orders stand where.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn counts(&self) -> Result<Counts, EngineError> {
        Ok(self.store().counts().await?)
    }

    /// The newest position of the log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn head(&self) -> Result<Position, EngineError> {
        Ok(self.store().head().await?)
    }

    /// Everything that happens after a position, nothing skipped.
    #[must_use]
    pub fn subscribe(&self, after: Position) -> Feed {
        Feed::new(self.store().clone(), after)
    }

    /// Webhooks that stand parked or quarantined.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unsettled_messages(
        &self,
        limit: usize,
    ) -> Result<Vec<(Message, Standing)>, EngineError> {
        Ok(self.store().unsettled_messages(limit).await?)
    }

    /// An operator is done with a quarantined message: it is not shown any more, and what was kept of it is erased. Who and
    /// why stand in the log. False when no message of this id is quarantined.
    ///
    /// # Errors
    /// When the store could not.
    pub async fn dismiss_message(
        &self,
        id: &MessageId,
        actor: &str,
        reason: &str,
    ) -> Result<bool, EngineError> {
        let unsettled = self.store().unsettled_messages(usize::MAX).await?;
        let found = unsettled.iter().find(|(message, _)| message.id == *id);
        if !matches!(found, Some((_, Standing::Quarantined { .. }))) {
            return Ok(false);
        }
        let why = format!("dismissed by {actor}: {reason}").into();
        let now = self.clock().now();
        for standing in [
            Standing::Quarantined { why },
            Standing::Settled { order: None },
        ] {
            self.store().settle(id, standing, now).await?;
        }
        Ok(true)
    }

    /// Where a person must go, while they must go somewhere. The one call that shows a link.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn idv_link(&self, id: OrderId) -> Result<Option<IdvLink>, EngineError> {
        let Some(order) = self.order(id).await? else {
            return Ok(None);
        };
        let State::IdvPending { idv } = &order.state else {
            return Ok(None);
        };
        let Some(link) = &idv.link else {
            return Ok(None);
        };
        let life = self
            .policy()
            .idv_link_life
            .min(link.expires_at.since(idv.since));
        if self.clock().now() >= link.expires_at.before(LINK_HIDDEN_EARLY.min(life / 10)) {
            return Ok(None);
        }
        let field = Field::IdvLink(link.digest.to_string());
        let Some(plaintext) = self.store().open_sealed(id, &field).await? else {
            return Ok(None);
        };
        let url = std::str::from_utf8(&plaintext).map_err(|_| EngineError::Sealed)?;
        Ok(Some(IdvLink {
            url: SecretString::from(url),
            expires_at: link.expires_at,
        }))
    }

    /// Takes one webhook delivery: every value of the two headers, and the body as it came. Durable when `Ok`.
    ///
    /// # Errors
    /// When it must not be acknowledged.
    pub async fn receive_webhook(
        &self,
        signatures: &[&[u8]],
        timestamps: &[&[u8]],
        body: &[u8],
    ) -> Result<Receipt, WebhookError> {
        match &self.parts.webhooks {
            Some(webhooks) => webhooks.receive(signatures, timestamps, body).await,
            None => Err(WebhookError::Unverified),
        }
    }

    /// The host wants no card any more. A card that is made all the same is cancelled.
    ///
    /// # Errors
    /// A rejection, or a store that could not.
    pub async fn cancel(&self, id: OrderId) -> Result<Decision, HandleError> {
        self.handler()
            .handle(Request::new(id, Command::Cancel, self.clock().now()))
            .await
    }

    /// An operator acts. With a version, only if the order is still what they saw. An erasure is recorded, then done,
    /// and recorded as done, before this returns; [`Engine::start_compaction`] takes it off the disk.
    ///
    /// # Errors
    /// A rejection, or a store that could not.
    pub async fn operate(
        &self,
        id: OrderId,
        act: OperatorAct,
        expected: Option<Version>,
    ) -> Result<Decision, HandleError> {
        let erases = act.action == OperatorAction::ErasePersonalData;
        let command = Command::Operate { act, expected };
        let decision = self
            .handler()
            .handle(Request::new(id, command, self.clock().now()))
            .await?;
        if erases {
            self.erase_requested(id, decision).await
        } else {
            Ok(decision)
        }
    }

    /// What an operator can do to an order now.
    #[must_use]
    pub fn allowed_actions(&self, order: &Order) -> Vec<OperatorAction> {
        let context = Context {
            order_id: order.id,
            now: self.clock().now(),
            policy: self.policy(),
        };
        allowed_actions(order, &context)
    }

    /// Does what orders owe, until [`Engine::shutdown`]. Run it once, beside whatever places orders.
    ///
    /// # Errors
    /// When the store stopped for good: the process should end, too.
    pub async fn run(&self) -> Result<(), EngineError> {
        let parts = &self.parts;
        let notices = async {
            match &parts.notices {
                Some(notices) => notices.run(self.stop.clone()).await,
                None => Ok(()),
            }
        };
        let work = async {
            recall(self.store().as_ref(), &parts.budget, parts.clock.now()).await?;
            // Each with a waker of its own: what wakes one looks at that one alone.
            let loops: FuturesUnordered<_> = [
                parts.submitter.run(self.stop.clone()).boxed(),
                parts.readings.run(self.stop.clone()).boxed(),
                notices.boxed(),
                parts.inbox.run(self.stop.clone()).boxed(),
                self.reconcile_by_schedule().boxed(),
                self.compact_by_schedule().boxed(),
            ]
            .into_iter()
            .collect();
            loops.try_collect::<()>().await
        };
        let ended = work.await;
        self.stop.cancel();
        self.stopped.cancel();
        ended.map_err(EngineError::from)
    }

    /// Begins nothing new, waits for what is under way at most this long, and closes the store. Whether all of it was
    /// finished; what was not is found again at the next start.
    ///
    /// # Errors
    /// When the store could not be closed cleanly.
    pub async fn shutdown(&self, grace: Duration) -> Result<bool, EngineError> {
        self.stop.cancel();
        let finished = tokio::select! {
            () = self.stopped.cancelled() => true,
            () = self.parts.clock.sleep(grace) => false,
        };
        self.store().close().await?;
        Ok(finished)
    }
}
