//! The inbox → commands. A message finds its order, becomes a fact, and is settled in the same append as the events it
//! brings. One that finds no order is parked until an order learns one of its names; one that no order can explain, or
//! that waited too long for one, is a person's.

use std::sync::Arc;
use std::time::Duration;

use issuance_domain::planted::{self, Bug};
use issuance_domain::{Command, Observation, OrderId, Source, Timestamp};
use issuance_executor::Clock;
use issuance_store::{
    Alias, CommandHandler, HandleError, Message, Request, Standing, Store, StoreError,
};
use tokio_util::sync::CancellationToken;

use crate::webhooks::Content;

/// Drains the inbox.
#[derive(Debug, Clone)]
pub struct Inbox {
    handler: CommandHandler,
    clock: Arc<dyn Clock>,
}

/// Messages taken at once.
const BATCH: usize = 256;
/// A parked message finds its order within this, or none explains it: a create call that came to anything has told its
/// order the names long before. From the first day on it is reported (contract §9.4).
const PARKING: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A message that waits for a person is kept for this long, with its body: nothing says whose it is, so nobody's request
/// can end it.
const QUARANTINE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How often those are looked for.
const SWEEP: Duration = Duration::from_secs(60);

impl Inbox {
    /// An inbox behind a door.
    #[must_use]
    pub fn new(handler: CommandHandler, clock: Arc<dyn Clock>) -> Self {
        Self { handler, clock }
    }

    /// Works until told to stop.
    ///
    /// # Errors
    /// When the store has stopped for good.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut swept: Option<Timestamp> = None;
        while !stop.is_cancelled() {
            let now = self.clock.now();
            let done = match self.step().await {
                Ok(0) if swept.is_none_or(|last| now < last || now.since(last) >= SWEEP) => {
                    swept = Some(now);
                    self.sweep().await
                }
                done => done,
            };
            match done {
                Ok(0) => {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = self.handler.store().wait_for_messages() => {}
                        () = self.clock.sleep(SWEEP.max(self.clock.longest_nap())) => {}
                    }
                }
                Ok(_) => {}
                Err(error) if error.is_transient() => {
                    self.clock.sleep(Duration::from_millis(200)).await
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Handles what is pending now, all of it side by side. How many that was.
    ///
    /// # Errors
    /// When the store could not.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let messages = self.handler.store().pending_messages(BATCH).await?;
        let count = messages.len();
        let handled =
            futures_util::future::join_all(messages.iter().map(|message| self.handle(message)))
                .await;
        handled.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(count)
    }

    /// Ends the wait of those that were parked too long ago, and the keeping of those that no person looked at. How many
    /// that were.
    ///
    /// # Errors
    /// When the store could not.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut ended = 0;
        // The oldest; nothing is parked for as long.
        for (message, standing) in self.handler.store().unsettled_messages(BATCH).await? {
            let is_over = now.since(message.received_at) >= QUARANTINE;
            if is_over && matches!(standing, Standing::Quarantined { .. }) {
                tracing::warn!(event_id = %message.id, "nobody looked at a quarantined message; it is not kept any longer");
                self.settle(&message, Standing::Settled { order: None })
                    .await?;
                ended += 1;
            }
        }
        let parked = self.handler.store().parked_messages(BATCH).await?;
        let is_over = |message: &&Message| now.since(message.received_at) >= PARKING;
        let over: Vec<_> = parked.iter().filter(is_over).collect();
        for message in &over {
            tracing::warn!(event_id = %message.id, event_type = %message.event_type, "no order explains a message");
            let why = "no order explains it".into();
            self.settle(message, Standing::Quarantined { why }).await?;
        }
        Ok(ended + over.len())
    }

    async fn handle(&self, message: &Message) -> Result<(), StoreError> {
        let content = match serde_json::from_str::<Content>(message.content.get()) {
            Ok(content) => content,
            Err(error) => {
                tracing::error!(event_id = %message.id, %error, "a stored message cannot be read");
                let why = "its stored content cannot be read by this engine".into();
                return self.settle(message, Standing::Quarantined { why }).await;
            }
        };
        if let Some(why) = content.unreadable {
            let mut standing = Standing::Quarantined { why };
            if planted::is(Bug::UnreadableUnseen) {
                standing = Standing::Settled { order: None };
            }
            return self.settle(message, standing).await;
        }
        let stranger = stranger(&content);
        let Some(fact) = content.fact else {
            return self
                .settle(message, Standing::Settled { order: None })
                .await;
        };
        let order = match find(self.handler.store(), &message.aliases).await? {
            Found::One(order) => order,
            Found::Nobody => {
                let mut standing = stranger.map_or(Standing::Parked, |why| Standing::Quarantined {
                    why: why.into(),
                });
                if planted::is(Bug::EarlyMessageDropped) {
                    standing = Standing::Settled { order: None };
                }
                return self.settle(message, standing).await;
            }
            // Whose it is, only the provider's record can tell: each of them reads it.
            Found::OneOf(orders) => {
                for order in orders {
                    self.hint(order, message).await?;
                }
                return self
                    .settle(message, Standing::Settled { order: None })
                    .await;
            }
        };
        let source = Source::Webhook {
            event_id: message.id.clone(),
            event_type: message.event_type.clone(),
        };
        let command = Command::Learn(Observation {
            fact,
            ids: content.ids,
            echo: content.echo.into(),
            source,
        });
        let request = Request {
            settles: Some(message.id.clone()).filter(|_| !planted::is(Bug::SettledLater)),
            ..Request::new(order, command, self.clock.now())
        };
        match self.handler.handle(request).await {
            Ok(decision) if decision.events.is_empty() || planted::is(Bug::SettledLater) => {
                self.settle(message, Standing::Settled { order: Some(order) })
                    .await
            }
            Ok(_) | Err(HandleError::AlreadySettled) => Ok(()),
            Err(HandleError::Store(error)) => Err(error),
            // Learning is never refused; should it be, the message must not come round for ever.
            Err(
                error @ (HandleError::Rejected(_)
                | HandleError::ReferenceTaken { .. }
                | HandleError::Contended { .. }),
            ) => {
                tracing::error!(event_id = %message.id, order_id = %order, %error, "a message was refused");
                self.settle(
                    message,
                    Standing::Quarantined {
                        why: error.to_string().into(),
                    },
                )
                .await
            }
        }
    }

    async fn hint(&self, order: OrderId, message: &Message) -> Result<(), StoreError> {
        let source = Source::Webhook {
            event_id: message.id.clone(),
            event_type: message.event_type.clone(),
        };
        let hint = Request::new(order, Command::Hint { source }, self.clock.now());
        match self.handler.handle(hint).await {
            Err(HandleError::Store(error)) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn settle(&self, message: &Message, standing: Standing) -> Result<(), StoreError> {
        self.handler
            .store()
            .settle(&message.id, standing, self.clock.now())
            .await
    }
}

/// Why no order can ever explain a message that found none, if so. Bodies name no account (contract §5.1), but our mark
/// is on every card of ours, and its order is in the log before the call that makes the card.
fn stranger(content: &Content) -> Option<&'static str> {
    if content.echo.mark.is_some() {
        Some("it is about a card of an order that is not in this log")
    } else if content.foreign {
        Some("it is about a card with another system's metadata")
    } else {
        None
    }
}

/// Whose a message is.
pub(crate) enum Found {
    One(OrderId),
    /// About a person several of our orders are for: open ones, or none of them open.
    OneOf(Vec<OrderId>),
    Nobody,
}

/// The order a message is about (contract §5.5). A cardholder names one only if exactly one open order has it.
pub(crate) async fn find(store: &Arc<dyn Store>, aliases: &[Alias]) -> Result<Found, StoreError> {
    let mut several = None;
    for alias in aliases {
        let found = store.find(alias).await?;
        match alias {
            Alias::Order(_) | Alias::Card(_) | Alias::CardOrder(_) => {
                if let Some(order) = found.first() {
                    return Ok(Found::One(*order));
                }
            }
            Alias::Cardholder(_) => {
                let mut open = Vec::new();
                for id in &found {
                    let order = store.order(*id).await?;
                    open.extend(
                        order
                            .filter(|order| !order.state.is_terminal())
                            .map(|order| order.id),
                    );
                }
                match (open.as_slice(), found.as_slice()) {
                    ([only], _) | ([], [only]) => return Ok(Found::One(*only)),
                    (_, []) => {}
                    _ => several = Some(open),
                }
            }
        }
    }
    Ok(several.map_or(Found::Nobody, Found::OneOf))
}
