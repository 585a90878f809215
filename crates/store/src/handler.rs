//! The command handler: load, decide, append. The only door through which an order changes.
//!
//! Two workers may decide on the same order at once. The append names the version it was decided on, so one of them
//! loses, loads again and decides again: leases save work, versions keep truth.

use std::sync::Arc;

use futures_util::FutureExt;
use issuance_domain::{
    Command, Context, CorruptHistory, Event, MessageId, Observation, Order, OrderId, Policy,
    ProviderIds, Rejection, Timestamp, decide,
    planted::{self, Bug},
};

use crate::error::{AppendError, StoreError};
use crate::message::{Alias, Standing};
use crate::position::Position;
use crate::projection::Projection;
use crate::store::{Append, Appended, Sealing, Store};

/// How often a decision is made anew after losing to another.
const MAX_CONFLICTS: usize = 16;

/// Turns commands into durable events.
#[derive(Debug, Clone)]
pub struct CommandHandler {
    store: Arc<dyn Store>,
    policy: Arc<Policy>,
}

/// A command with everything that becomes durable with it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose.
    pub order: OrderId,
    /// What.
    pub command: Command,
    /// Now, by the engine's clock.
    pub now: Timestamp,
    /// Personal data that belongs to the events, if there are any.
    pub sealed: Vec<Sealing>,
    /// The message the command came from.
    pub settles: Option<MessageId>,
}

impl Request {
    /// A command with nothing beside it.
    #[must_use]
    pub fn new(order: OrderId, command: Command, now: Timestamp) -> Self {
        Self {
            order,
            command,
            now,
            sealed: Vec::new(),
            settles: None,
        }
    }
}

/// What a command brought.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The events; empty when it was already so. They are durable.
    pub events: Vec<Event>,
    /// The order after them.
    pub order: Arc<Order>,
    /// Where the last of them stands; none when there were none.
    pub position: Option<Position>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HandleError {
    /// A business no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The host's reference names another order.
    #[error("the reference belongs to order {order}")]
    ReferenceTaken {
        /// Which.
        order: OrderId,
    },
    /// The message was settled before.
    #[error("the message was settled before")]
    AlreadySettled,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Other decisions kept coming first.
    #[error("order {order} changes too fast to decide on; try again")]
    Contended {
        /// Which.
        order: OrderId,
    },
}

impl CommandHandler {
    /// A handler on a store under a policy.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, policy: Arc<Policy>) -> Self {
        Self { store, policy }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The policy it decides by.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Decides one command and makes the decision durable.
    ///
    /// # Errors
    /// A rejection, or a store that could not; nothing changed.
    pub async fn handle(&self, request: Request) -> Result<Decision, HandleError> {
        let Request {
            order: id,
            command,
            now,
            sealed,
            settles,
        } = request;
        let context = Context {
            order_id: id,
            now,
            policy: &self.policy,
        };
        for _ in 0..MAX_CONFLICTS {
            let before = self.store.order(id).await?;
            let mut command = command.clone();
            if let (
                Some(order),
                Command::Learn(observation) | Command::HearAnswer { observation, .. },
            ) = (&before, &mut command)
            {
                self.name_owner(order, observation).await?;
            }
            let events = decide(before.as_deref(), command, &context)?;
            if let (true, Some(order)) = (events.is_empty(), &before) {
                return Ok(Decision {
                    events,
                    order: order.clone(),
                    position: None,
                });
            }
            let corrupt = |source: CorruptHistory| StoreError::Corrupt { order: id, source };
            let after =
                Projection::after(id, before.as_deref(), &events, &self.policy).map_err(corrupt)?;
            let Some(projection) = after else {
                return Err(Rejection::Unknown { order: id }.into());
            };
            let order = projection.order.clone();
            // What comes late for an order that was erased is not kept again.
            let erased = before.as_deref().is_some_and(Order::is_erased);
            let append = Append {
                order: id,
                expected: before.map_or(issuance_domain::Version::NONE, |before| before.version),
                events: events.clone(),
                projection,
                sealed: if erased { Vec::new() } else { sealed.clone() },
                settles: settles.clone(),
            };
            let erases = append.erases();
            let early = Appended {
                position: Position::default(),
                version: order.version,
            };
            let appended = self.store.append(append);
            let appended = if planted::is(Bug::AnsweredBeforeDurable) {
                appended.now_or_never().unwrap_or(Ok(early))
            } else {
                appended.await
            };
            match appended {
                Ok(appended) => {
                    log(&order, &events);
                    if erases {
                        self.dismiss_named(id, now).await;
                    }
                    return Ok(Decision {
                        events,
                        order,
                        position: Some(appended.position),
                    });
                }
                Err(AppendError::Conflict { .. }) => {}
                Err(AppendError::ReferenceTaken { order }) => {
                    return Err(HandleError::ReferenceTaken { order });
                }
                Err(AppendError::AlreadySettled) => return Err(HandleError::AlreadySettled),
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
        Err(HandleError::Contended { order: id })
    }

    /// Messages that nobody could read and that name an order end with its data. One that cannot be ended now ends as
    /// those that name nobody.
    async fn dismiss_named(&self, order: OrderId, now: Timestamp) {
        let ended = async {
            // As a rule there are none, and those that are parked need not be read.
            if self.store.counts().await?.quarantined_messages == 0 {
                return Ok(());
            }
            for (message, standing) in self.store.unsettled_messages(usize::MAX).await? {
                let is_its = message.aliases.contains(&Alias::Order(order));
                if is_its && matches!(standing, Standing::Quarantined { .. }) {
                    let settled = Standing::Settled { order: Some(order) };
                    self.store.settle(&message.id, settled, now).await?;
                }
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!(order_id = %order, %error, "quarantined messages of an erased order are kept for now");
        }
    }

    /// A card the order does not know may be known as another's (reliability F-040).
    async fn name_owner(
        &self,
        order: &Order,
        observation: &mut Observation,
    ) -> Result<(), StoreError> {
        let heard = &observation.ids;
        let card = heard.card.clone();
        let names = ProviderIds {
            card: card.filter(|card| order.ids.card.as_ref() != Some(card)),
            card_order: order.ids.news_in(heard).card_order,
            cardholder: None,
        };
        for alias in Alias::of(&names) {
            if let Some(owner) = self.store.find(&alias).await?.first() {
                observation.echo.owner = Some(*owner);
                break;
            }
        }
        Ok(())
    }
}

fn log(order: &Order, events: &[Event]) {
    for event in events {
        tracing::info!(order_id = %order.id, event = event.body.name(), version = %order.version, "event recorded");
        metrics::counter!("issuance_events_total", "event" => event.body.name()).increment(1);
    }
}
