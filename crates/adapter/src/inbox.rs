//! The inbox → commands. A message finds its order, becomes a fact, and is settled in the same append as the events it
//! brings. One that finds no order is parked until an order learns one of its names.

use std::sync::Arc;

use issuance_domain::{Command, Observation, OrderId, Source};
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
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(0) => {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = self.handler.store().wait_for_messages() => {}
                    }
                }
                Ok(_) => {}
                Err(error) if error.is_transient() => {
                    self.clock
                        .sleep(std::time::Duration::from_millis(200))
                        .await
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
            return self.settle(message, Standing::Quarantined { why }).await;
        }
        let Some(fact) = content.fact else {
            return self
                .settle(message, Standing::Settled { order: None })
                .await;
        };
        let Some(order) = find(self.handler.store(), &message.aliases).await? else {
            return self.settle(message, Standing::Parked).await;
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
            settles: Some(message.id.clone()),
            ..Request::new(order, command, self.clock.now())
        };
        match self.handler.handle(request).await {
            Ok(decision) if decision.events.is_empty() => {
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

    async fn settle(&self, message: &Message, standing: Standing) -> Result<(), StoreError> {
        self.handler
            .store()
            .settle(&message.id, standing, self.clock.now())
            .await
    }
}

/// The order a message is about (contract §5.5). A cardholder names one only if exactly one open order has it.
pub(crate) async fn find(
    store: &Arc<dyn Store>,
    aliases: &[Alias],
) -> Result<Option<OrderId>, StoreError> {
    for alias in aliases {
        let found = store.find(alias).await?;
        match alias {
            Alias::Order(_) | Alias::Card(_) | Alias::CardOrder(_) => {
                if let Some(order) = found.first() {
                    return Ok(Some(*order));
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
                    ([only], _) | ([], [only]) => return Ok(Some(*only)),
                    _ => {}
                }
            }
        }
    }
    Ok(None)
}
