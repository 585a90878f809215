//! Sends what orders owe the provider. The race it answers: between "recorded" and "sent" the process may die, pause or
//! be overtaken. So the intent is durable before the first byte, everything slow happens before the intent, and what is
//! heard, or not heard, goes back through the command handler.

use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::{
    Action, AttentionReason, Command, EventBody, Fact, Observation, Order, OrderId, Policy,
    Purpose, RefusalClass, Rejection, SilenceCause, Source, Submission, Timestamp,
    planted::{self, Bug},
};
use issuance_store::{
    CommandHandler, Field, HandleError, Kind, Lease, Request, SealedRequest, StoreError,
};

use crate::breaker::{Allowed, Breaker};
use crate::budget::{Budget, Urgency};
use crate::clock::Clock;
use crate::product_breaker::{Pool, ProductBreaker};
use crate::provider::{Heard, Outcome, Provider, Silence};
use crate::retry::Retry;
use crate::window::{Moment, Window};
use crate::worker::{Done, Gate, Performer};

/// Performs submissions.
#[derive(Debug)]
pub struct Submitter {
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
    /// What holds for every order of one product.
    pub pools: Arc<ProductBreaker>,
    /// Between sends of one key.
    pub retry: Retry,
}

#[async_trait]
impl Performer for Submitter {
    fn kind(&self) -> Kind {
        Kind::Submissions
    }

    fn gate(&self, now: Timestamp) -> Gate {
        let room = match self.budget.available(now, Urgency::Submission) {
            Ok(room) => usize::try_from(room).unwrap_or(usize::MAX),
            Err(reopens) => return Gate::Until(reopens),
        };
        match self.breaker.peek(now) {
            Ok(Allowed::Freely) => Gate::Open(room),
            Ok(Allowed::OneProbe) => Gate::Open(1),
            Err(reopens) => Gate::Until(reopens),
        }
    }

    async fn perform(&self, lease: &Lease) -> Result<Done, StoreError> {
        let Action::Submit { purpose } = lease.task.id.action else {
            return Ok(Done::Finished);
        };
        let store = self.handler.store();
        let Some(order) = store.order(lease.task.id.order).await? else {
            return Ok(Done::Finished);
        };
        let owed = order
            .submission(purpose)
            .filter(|submission| submission.cause == lease.task.id.cause);
        let Some((generation, attempts, owed_key)) =
            owed.map(|submission| (submission.generation, submission.attempts, submission.key))
        else {
            return Ok(Done::Finished);
        };

        if let Err(reopens) = self.enter(&order, purpose) {
            return Ok(Done::Later(reopens));
        }
        if let Err(silence) = self.provider.warm_up().await {
            return Ok(Done::Later(self.back_off(&order, purpose, &silence)));
        }
        let Some(sealed) = self.sealed_request(&order, purpose).await? else {
            return self
                .tell(
                    order.id,
                    Command::MissData {
                        purpose,
                        generation,
                    },
                )
                .await;
        };
        let prepared = match self.provider.prepare(&order, purpose, &sealed.personal) {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::error!(order_id = %order.id, %error, "a call cannot be prepared");
                return self
                    .tell(
                        order.id,
                        Command::MissData {
                            purpose,
                            generation,
                        },
                    )
                    .await;
            }
        };
        let body_digest = sealed.salt.digest(&prepared.body);
        let begun = Moment::now(&*self.clock);
        let started_at = begun.wall;
        // Before the intent is recorded: an order that must wait for the budget has nothing to record.
        let urgency = if attempts == 0 {
            Urgency::Submission
        } else {
            Urgency::Retry
        };
        if !planted::is(Bug::BudgetUnspent)
            && let Err(reopens) = self.budget.take(started_at, urgency)
        {
            return Ok(Done::Later(reopens));
        }
        if planted::is(Bug::CallBeforeIntent) {
            let (key, until) = (
                owed_key,
                started_at.after(self.handler.policy().call_deadline),
            );
            let window = Window::open(self.clock.clone(), begun, until);
            let sent = self
                .provider
                .submit(&order, &prepared, key, &sealed.salt, &window);
            drop(sent.await);
        }
        let start = Command::StartSubmission {
            purpose,
            generation,
            body_digest,
        };
        let decision = match self
            .handler
            .handle(Request::new(order.id, start, started_at))
            .await
        {
            Ok(decision) => decision,
            Err(error) => return self.refused_start(error, started_at),
        };
        let started = decision.events.iter().find_map(|event| match &event.body {
            EventBody::SubmissionStarted { key, attempt, .. } => Some((*key, *attempt)),
            _ => None,
        });
        let Some((key, attempt)) = started else {
            return Ok(Done::Finished);
        };

        let window = self.window(&decision.order, purpose, lease, begun);
        let outcome = self
            .send(&decision.order, &prepared, key, &sealed, &window)
            .await;
        match outcome {
            Outcome::Heard(heard) => {
                self.breaker.succeeded();
                self.count(&order, purpose, &heard);
                for Heard {
                    fact,
                    ids,
                    echo,
                    sealed,
                } in heard
                {
                    let source = Source::Answer {
                        purpose,
                        generation,
                    };
                    let observation = Observation {
                        fact,
                        ids,
                        echo: echo.into(),
                        source,
                    };
                    let command = Command::HearAnswer {
                        attempt,
                        observation,
                    };
                    let request = Request {
                        sealed,
                        ..Request::new(order.id, command, self.clock.now())
                    };
                    self.handle(request).await?;
                }
                Ok(Done::Finished)
            }
            Outcome::Silent(silence) => {
                let retry_at = self.back_off(&decision.order, purpose, &silence);
                let cause = silence.cause;
                self.tell(
                    order.id,
                    Command::HearNothing {
                        purpose,
                        generation,
                        attempt,
                        cause,
                        retry_at,
                    },
                )
                .await
            }
        }
    }
}

/// Until when the intent just recorded may leave: well before others take it for lost, while the claim holds, and before
/// the key is too old.
fn leaves_until(
    first: Timestamp,
    started: Timestamp,
    claimed_until: Timestamp,
    policy: &Policy,
) -> Timestamp {
    let lost = started.after(policy.call_deadline / 2);
    let mut too_old = first.after(policy.key_safe_age);
    if planted::is(Bug::OldKeyLeaves) {
        too_old = claimed_until;
    }
    lost.min(claimed_until).min(too_old)
}

impl Submitter {
    /// The personal part of a call's body; none when it is gone or cannot be read, and waiting would not bring it back.
    async fn sealed_request(
        &self,
        order: &Order,
        purpose: Purpose,
    ) -> Result<Option<SealedRequest>, StoreError> {
        match self
            .handler
            .store()
            .open_sealed(order.id, &Field::Request)
            .await
        {
            // Gone before it stands in the log that it is: a cancel needs nothing of it.
            Ok(None) if purpose == Purpose::CancelCard && order.erasure.is_some() => {
                Ok(Some(SealedRequest::erased()))
            }
            Ok(sealed) => Ok(sealed.and_then(|plaintext| SealedRequest::open(&plaintext).ok())),
            Err(StoreError::Damaged { what }) => {
                tracing::error!(order_id = %order.id, what, "an order's personal data cannot be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        order: &Order,
        prepared: &crate::provider::Prepared,
        key: issuance_domain::IdempotencyKey,
        sealed: &SealedRequest,
        window: &Window,
    ) -> Outcome {
        let not_sent = || Outcome::Silent(Silence::new(SilenceCause::NotSent));
        // Paused, adopted or ended since the intent was recorded: others changed the order, and nothing may leave.
        match self.handler.store().order(order.id).await {
            Ok(Some(_)) if planted::is(Bug::NotReadAgain) => {}
            Ok(Some(now))
                if now.submission(prepared.purpose) == order.submission(prepared.purpose)
                    && !now.paused => {}
            Ok(_) | Err(_) => return not_sent(),
        }
        if !window.is_open() {
            return not_sent();
        }
        metrics::counter!("issuance_provider_calls_total", "call" => prepared.purpose.name())
            .increment(1);
        self.provider
            .submit(order, prepared, key, &sealed.salt, window)
            .await
    }

    fn window(&self, order: &Order, purpose: Purpose, lease: &Lease, begun: Moment) -> Window {
        let first = order
            .submission(purpose)
            .and_then(|submission| submission.first_started_at)
            .unwrap_or(begun.wall);
        let until = leaves_until(first, begun.wall, lease.until, self.handler.policy());
        Window::open(self.clock.clone(), begun, until)
    }

    /// The right to one call. An order that waits for its product goes behind the others of it; one that an operator
    /// released goes ahead, and so does one whose call may have arrived: it asks for no further card.
    fn enter(&self, order: &Order, purpose: Purpose) -> Result<(), Timestamp> {
        let now = self.clock.now();
        let pool = pool(order);
        let may_have_arrived = order
            .submission(purpose)
            .is_some_and(Submission::outcome_unknown);
        let waits = purpose == Purpose::CreateCard && !is_released(order) && !may_have_arrived;
        if waits {
            self.pools.peek(&pool, now)?;
        }
        self.breaker.enter(now)?;
        if waits {
            self.pools.enter(&pool, now)
        } else {
            Ok(())
        }
    }

    /// What an answer to a create call says of the product's other orders.
    fn count(&self, order: &Order, purpose: Purpose, heard: &[Heard]) {
        if purpose != Purpose::CreateCard {
            return;
        }
        for Heard { fact, .. } in heard {
            match fact {
                Fact::Created(_) => self.pools.succeeded(&pool(order)),
                Fact::Refused(refusal) if refusal.class == RefusalClass::Capacity => {
                    self.pools.refused(
                        &pool(order),
                        &refusal.code,
                        self.clock.now(),
                        self.clock.jitter(),
                    );
                }
                _ => {}
            }
        }
    }

    /// When to try again after a silence; the shared limits learn of it too, if it was the provider's.
    fn back_off(&self, order: &Order, purpose: Purpose, silence: &Silence) -> Timestamp {
        let now = self.clock.now();
        let jitter = self.clock.jitter();
        if !silence.is_ours() {
            self.breaker.failed(&silence.cause, now, jitter);
            if silence.cause == SilenceCause::RateLimited {
                self.budget.close(now, silence);
            }
        }
        let tries = order
            .submission(purpose)
            .map_or(0, |submission| submission.attempts.saturating_sub(1));
        let wait = self
            .retry
            .delay(tries, jitter)
            .max(silence.retry_after().unwrap_or_default());
        now.after(wait)
    }

    fn refused_start(&self, error: HandleError, now: Timestamp) -> Result<Done, StoreError> {
        match error {
            HandleError::Rejected(Rejection::CallInFlight { .. })
            | HandleError::Contended { .. } => Ok(Done::Later(now.after(self.retry.first))),
            HandleError::Rejected(Rejection::ClockBehind { order, sent }) => {
                tracing::error!(order_id = %order, %sent, "our clock went back; nothing is sent until it has caught up");
                Ok(Done::Later(sent.after(self.retry.first)))
            }
            HandleError::Rejected(_)
            | HandleError::ReferenceTaken { .. }
            | HandleError::AlreadySettled => Ok(Done::Finished),
            HandleError::Store(error) => Err(error),
        }
    }

    async fn tell(&self, order: OrderId, command: Command) -> Result<Done, StoreError> {
        self.handle(Request::new(order, command, self.clock.now()))
            .await?;
        Ok(Done::Finished)
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

fn pool(order: &Order) -> Pool {
    Pool {
        account: order.terms.account.clone(),
        product: order.terms.product_id.clone(),
    }
}

/// Behind a refusal for want of capacity the order stands on the attention list until it is sent again; an operator who
/// sends it now takes it off.
fn is_released(order: &Order) -> bool {
    let again = order
        .submission(Purpose::CreateCard)
        .is_some_and(|submission| submission.generation.0 > 1);
    let parked = order
        .attention
        .as_ref()
        .is_some_and(|called| matches!(called.reason, AttentionReason::Capacity { .. }));
    again && !parked
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn f_023_a_call_leaves_while_it_is_young_claimed_and_its_key_is_safe() {
        let policy = Policy::standard();
        let second = Duration::from_secs(1);
        let first = Timestamp::from_millis(1_790_000_000_000);
        let until = |started, claimed| leaves_until(first, started, claimed, &policy);
        let half = policy.call_deadline / 2;
        let safe = first.after(policy.key_safe_age);
        let late = safe.before(second);
        assert_eq!(until(first, safe), first.after(half));
        assert_eq!(until(first, first.after(second)), first.after(second));
        assert_eq!(until(late, late.after(half)), safe);
    }
}
