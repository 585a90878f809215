//! Due look-ups, expiries, alarms and erasures → commands. An expiry asks the provider before it decides anything: time alone
//! never fails an order.

use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::planted::{self, Bug};
use issuance_domain::{Action, Command, Observation, Order, Source, State, Timestamp};
use issuance_executor::{
    Allowed, Breaker, Budget, Clock, Done, Gate, Heard, Outcome, Performer, Provider, Retry,
    Silence, Urgency, WallWatch,
};
use issuance_store::{
    CommandHandler, Field, HandleError, Kind, Lease, Request, SealedRequest, StoreError,
};

/// Performs readings.
#[derive(Debug)]
pub struct Readings {
    /// The door.
    pub handler: CommandHandler,
    /// Whoever makes the cards.
    pub provider: Arc<dyn Provider>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Calls a minute.
    pub budget: Arc<Budget>,
    /// What holds for every call.
    pub breaker: Arc<Breaker>,
    /// After a silence.
    pub retry: Retry,
    /// Whether the wall clock is in doubt: then no link's time is over by it (reliability F-071).
    pub watch: Arc<WallWatch>,
}

#[async_trait]
impl Performer for Readings {
    fn kind(&self) -> Kind {
        Kind::Readings
    }

    fn gate(&self, now: Timestamp) -> Gate {
        if let Err(reopens) = self.budget.available(now, Urgency::Reading) {
            return Gate::Until(reopens);
        }
        match self.breaker.peek(now) {
            // However little room there is: a page may answer many, and those it does not come again.
            Ok(Allowed::Freely) => Gate::Open(usize::MAX),
            Ok(Allowed::OneProbe) => Gate::Open(1),
            Err(reopens) => Gate::Until(reopens),
        }
    }

    async fn perform(&self, lease: &Lease) -> Result<Done, StoreError> {
        let Some(order) = self.handler.store().order(lease.task.id.order).await? else {
            return Ok(Done::Finished);
        };
        match lease.task.id.action {
            Action::Submit { .. } | Action::NotifyHost => Ok(Done::Finished),
            Action::Escalate => {
                self.command(&order, Command::Escalate).await?;
                Ok(Done::Finished)
            }
            // Requested first; that it then is done is another task.
            Action::ErasePersonalData => {
                self.command(&order, Command::ErasePersonalData).await?;
                Ok(Done::Finished)
            }
            Action::LookUp => match self.look_up(&order).await? {
                Ok(()) => {
                    // One look is enough for an order that has ended; of an open one this changes nothing.
                    self.command(
                        &order,
                        Command::EndLookUp {
                            cause: lease.task.id.cause,
                        },
                    )
                    .await?;
                    Ok(Done::Later(self.next_look_up(&order, lease.tries)))
                }
                Err(silence) => Ok(Done::Later(self.back_off(lease, &silence))),
            },
            Action::ExpireIdv => {
                let State::IdvPending { idv } = &order.state else {
                    return Ok(Done::Finished);
                };
                let mut asked = Ok(());
                if !planted::is(Bug::ExpiryUnasked) {
                    asked = self.look_up(&order).await?;
                }
                if planted::is(Bug::ExpiryUnanswered) {
                    asked = Ok(());
                }
                match asked {
                    Ok(())
                        if self.watch.doubt(&*self.clock).is_some()
                            && !planted::is(Bug::ExpiryByWallClock) =>
                    {
                        tracing::error!(
                            "our clock was set or is wrong: identity-check links expire again once a webhook shows that it is \
                             right, or after a restart"
                        );
                        metrics::counter!("issuance_expiries_held_total").increment(1);
                        Ok(Done::Later(self.next_look_up(&order, lease.tries)))
                    }
                    Ok(()) => {
                        self.command(&order, Command::ExpireIdv { link: idv.number })
                            .await?;
                        // Not owed any more once it led to anything; else asked again like any look-up.
                        Ok(Done::Later(self.next_look_up(&order, lease.tries)))
                    }
                    Err(silence) => Ok(Done::Later(self.back_off(lease, &silence))),
                }
            }
        }
    }
}

impl Readings {
    /// Reads the provider's record and learns what it says.
    async fn look_up(&self, order: &Order) -> Result<Result<(), Silence>, StoreError> {
        if let Err(reopens) = self.breaker.enter(self.clock.now()) {
            let wait = reopens.since(self.clock.now());
            return Ok(Err(Silence::held_back(wait)));
        }
        // Reading does without it, so what is damaged in the vault keeps no order from being looked up.
        let sealed = match self
            .handler
            .store()
            .open_sealed(order.id, &Field::Request)
            .await
        {
            Ok(sealed) => sealed.and_then(|plaintext| SealedRequest::open(&plaintext).ok()),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        match self.provider.look_up(order, sealed.as_ref()).await {
            Outcome::Heard(facts) => {
                self.breaker.succeeded();
                for Heard {
                    fact,
                    ids,
                    echo,
                    sealed,
                } in facts
                {
                    let command = Command::Learn(Observation {
                        fact,
                        ids,
                        echo: echo.into(),
                        source: Source::LookUp,
                    });
                    self.handle(Request {
                        sealed,
                        ..Request::new(order.id, command, self.clock.now())
                    })
                    .await?;
                }
                Ok(Ok(()))
            }
            Outcome::Silent(silence) => {
                if order.claim.is_some() {
                    self.command(order, Command::LookInVain).await?;
                }
                Ok(Err(silence))
            }
        }
    }

    /// Doubling from the first wait to the cap. What a moment makes decisive is read at that moment: a failure that awaits
    /// its confirmation, a search that counts towards proof.
    fn next_look_up(&self, order: &Order, tries: u32) -> Timestamp {
        let policy = self.handler.policy();
        let now = self.clock.now();
        let first = order.look_up_wait(policy);
        let schedule = Retry {
            first,
            cap: policy.look_up_cap.max(first),
            ..self.retry.clone()
        };
        let mut regular = now.after(schedule.delay(tries, self.clock.jitter()));
        if planted::is(Bug::LookUpsAtOnce) {
            regular = now;
        }
        let confirmation = order
            .claim
            .as_ref()
            .map(|_| now.after(policy.failure_confirmation));
        let decisive = order
            .absence_counts_from(policy)
            .filter(|counts| *counts > now);
        [confirmation, decisive]
            .into_iter()
            .flatten()
            .fold(regular, Timestamp::min)
    }

    fn back_off(&self, lease: &Lease, silence: &Silence) -> Timestamp {
        let now = self.clock.now();
        let jitter = self.clock.jitter();
        if silence.is_ours() || silence.cause == issuance_domain::SilenceCause::RateLimited {
            // No word of this order or of the door: it is to come again when there is room. Who was held back often stays
            // away for longer, or none of many that take several calls ever gets its second.
            let spread = self.retry.delay(lease.tries, jitter);
            return now.after(silence.retry_after().unwrap_or(self.retry.first) + spread);
        }
        self.breaker.failed(&silence.cause, now, jitter);
        let wait = self.retry.delay(lease.tries, jitter);
        now.after(wait.max(silence.retry_after().unwrap_or_default()))
    }

    async fn command(&self, order: &Order, command: Command) -> Result<(), StoreError> {
        self.handle(Request::new(order.id, command, self.clock.now()))
            .await
    }

    async fn handle(&self, request: Request) -> Result<(), StoreError> {
        match self.handler.handle(request).await {
            Ok(_) => Ok(()),
            Err(HandleError::Store(error)) => Err(error),
            Err(other) => {
                tracing::debug!(error = %other, "a report changed nothing");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
