//! Tells the host how its orders go: at least once, in order for each order, until it confirms.

use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::{
    Command, Order, State, Timestamp,
    planted::{self, Bug},
};
use issuance_store::{CommandHandler, HandleError, Kind, Lease, Request, StoreError};

use crate::clock::Clock;
use crate::notifier::{Notice, Notifier};
use crate::retry::Retry;
use crate::worker::{Done, Gate, Performer};

/// Performs notices.
#[derive(Debug)]
pub struct Notices {
    /// The door.
    pub handler: CommandHandler,
    /// Whoever is told.
    pub notifier: Arc<dyn Notifier>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Between tries.
    pub retry: Retry,
}

#[async_trait]
impl Performer for Notices {
    fn kind(&self) -> Kind {
        Kind::Notices
    }

    fn gate(&self, _now: Timestamp) -> Gate {
        Gate::Open(usize::MAX)
    }

    async fn perform(&self, lease: &Lease) -> Result<Done, StoreError> {
        let Some(order) = self.handler.store().order(lease.task.id.order).await? else {
            return Ok(Done::Finished);
        };
        if order.notice.told >= order.notice.owed {
            return Ok(Done::Finished);
        }
        let through = order.notice.owed;
        if let Err(error) = self.notifier.notify(notice(&order)).await {
            tracing::warn!(order_id = %order.id, %error, "the host was not told; trying again");
            let wait = self.retry.delay(lease.tries, self.clock.jitter());
            return Ok(Done::Later(self.clock.now().after(wait)));
        }
        let confirm = Request::new(
            order.id,
            Command::ConfirmNotified { through },
            self.clock.now(),
        );
        match self.handler.handle(confirm).await {
            Err(HandleError::Store(error)) => Err(error),
            Ok(_) | Err(_) => Ok(Done::Finished),
        }
    }
}

/// How the order stands, for its host.
fn notice(order: &Order) -> Notice {
    let (card_id, idv_expires_at, failure) = match &order.state {
        State::Active { card, .. } => (Some(card.clone()), None, None),
        State::Failed { failure, .. } => (None, None, Some(failure.clone())),
        State::IdvPending { idv } => (None, idv.link.as_ref().map(|link| link.expires_at), None),
        State::Requested { .. } | State::Accepted { .. } => (None, None, None),
    };
    Notice {
        order_id: order.id,
        reference: order.terms.reference.clone(),
        version: if planted::is(Bug::NoticeMisnumbered) {
            order.version
        } else {
            order.notice.owed
        },
        occurred_at: order.notice.owed_at,
        state: order.state.name().to_owned(),
        card_id,
        idv_expires_at,
        failure,
        cancelled: order.compensation.as_ref().is_some_and(|ended| ended.done),
    }
}
