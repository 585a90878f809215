//! A breaker for each pool of cards: no cards, no money or no quota (contract §6.3) holds for every order of one account
//! and product alike. The first refusal is one alarm; behind it one order at a time is sent to see whether it still holds.

use std::collections::HashMap;
use std::sync::Mutex;

use issuance_domain::{Account, ProductId, Timestamp};

use crate::retry::Retry;

/// What orders share: an account's cards of one product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pool {
    /// The provider's sub-account, if not the main one.
    pub account: Option<Account>,
    /// The product.
    pub product: ProductId,
}

/// An open one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPool {
    /// Whose orders wait.
    pub pool: Pool,
    /// The provider's code.
    pub code: Box<str>,
    /// Since when.
    pub since: Timestamp,
    /// When the next order is let through.
    pub until: Timestamp,
}

/// Opens a pool when the provider has none of its cards to give; closes it when one is made.
#[derive(Debug)]
pub struct ProductBreaker {
    retry: Retry,
    open: Mutex<HashMap<Pool, Open>>,
}

#[derive(Debug)]
struct Open {
    code: Box<str>,
    since: Timestamp,
    until: Timestamp,
    /// Refusals of those let through, in a row.
    refusals: u32,
}

/// No more pools are held open than this; beyond it every order finds out for itself.
const MAX_OPEN: usize = 4096;

impl ProductBreaker {
    /// All closed; an open one waits by this schedule.
    #[must_use]
    pub fn new(retry: Retry) -> Self {
        Self {
            retry,
            open: Mutex::default(),
        }
    }

    /// Whether an order of this pool would be let through.
    ///
    /// # Errors
    /// When to ask again.
    pub fn peek(&self, pool: &Pool, now: Timestamp) -> Result<(), Timestamp> {
        match self.lock().get(pool) {
            Some(open) if now < open.until => Err(open.until),
            Some(_) | None => Ok(()),
        }
    }

    /// Lets an order through. While open, one each time the wait is over; what becomes of it decides.
    ///
    /// # Errors
    /// When to ask again.
    pub fn enter(&self, pool: &Pool, now: Timestamp) -> Result<(), Timestamp> {
        let mut pools = self.lock();
        let Some(open) = pools.get_mut(pool) else {
            return Ok(());
        };
        if now < open.until {
            return Err(open.until);
        }
        // Whoever comes next waits for this one; should it never end, another goes.
        open.until = now.after(self.retry.delay(open.refusals, 0.0));
        Ok(())
    }

    /// The provider refused an order of this pool for want of cards, money or quota.
    pub fn refused(&self, pool: &Pool, code: &str, now: Timestamp, jitter: f64) {
        let mut pools = self.lock();
        if let Some(open) = pools.get_mut(pool) {
            // Of those that were under way when it opened, none makes the wait longer.
            if now.since(open.since) >= self.retry.first {
                open.refusals += 1;
            }
            open.code = code.into();
            open.until = open
                .until
                .max(now.after(self.retry.delay(open.refusals, jitter)));
            return;
        }
        if pools.len() >= MAX_OPEN {
            return;
        }
        let until = now.after(self.retry.delay(0, jitter));
        tracing::error!(product = %pool.product, code, %until, "the provider has no more of this product; its orders wait");
        metrics::counter!("issuance_product_breaker_opened_total").increment(1);
        pools.insert(
            pool.clone(),
            Open {
                code: code.into(),
                since: now,
                until,
                refusals: 0,
            },
        );
        gauge(&pools);
    }

    /// The provider took an order of this pool.
    pub fn succeeded(&self, pool: &Pool) {
        let mut pools = self.lock();
        if pools.remove(pool).is_some() {
            tracing::info!(product = %pool.product, "the provider has this product again; its orders go on");
            gauge(&pools);
        }
    }

    /// Those open now, longest first.
    #[must_use]
    pub fn open(&self) -> Vec<OpenPool> {
        let view = |(pool, open): (&Pool, &Open)| OpenPool {
            pool: pool.clone(),
            code: open.code.clone(),
            since: open.since,
            until: open.until,
        };
        let mut open: Vec<_> = self.lock().iter().map(view).collect();
        open.sort_by_key(|pool| pool.since);
        open
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Pool, Open>> {
        self.open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
fn gauge(pools: &HashMap<Pool, Open>) {
    metrics::gauge!("issuance_product_breakers_open").set(pools.len() as f64);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

    use super::*;
    use std::time::Duration;

    fn breaker() -> ProductBreaker {
        ProductBreaker::new(Retry {
            first: Duration::from_secs(10),
            cap: Duration::from_secs(60),
            jitter: 0.0,
        })
    }

    fn pool(product: &str) -> Pool {
        Pool {
            account: None,
            product: product.parse().unwrap(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn one_alarm_and_one_order_at_a_time() {
        let breaker = breaker();
        let (empty, other) = (pool("empty"), pool("other"));
        // A hundred were under way when the first was refused.
        for _ in 0..100 {
            breaker.refused(&empty, "insufficient_sub_bin", at(0), 0.0);
        }
        assert_eq!(breaker.open().len(), 1);
        assert_eq!(breaker.enter(&empty, at(9)), Err(at(10)));
        assert_eq!(breaker.enter(&other, at(9)), Ok(()), "the others go on");
        assert_eq!(breaker.peek(&empty, at(10)), Ok(()));
        assert_eq!(breaker.enter(&empty, at(10)), Ok(()));
        assert!(breaker.enter(&empty, at(10)).is_err(), "one at a time");
        breaker.refused(&empty, "insufficient_sub_bin", at(11), 0.0);
        assert_eq!(
            breaker.peek(&empty, at(30)),
            Err(at(31)),
            "each refusal waits longer"
        );
        assert_eq!(
            breaker.enter(&empty, at(31)),
            Ok(()),
            "whose end is never heard"
        );
        assert_eq!(
            breaker.enter(&empty, at(51)),
            Ok(()),
            "is followed by another"
        );
        breaker.succeeded(&empty);
        assert_eq!(breaker.enter(&empty, at(51)), Ok(()));
        assert_eq!(breaker.enter(&empty, at(51)), Ok(()), "all go at once");
        assert!(breaker.open().is_empty());
    }

    #[test]
    fn bounded() {
        let breaker = breaker();
        for number in 0..MAX_OPEN + 10 {
            breaker.refused(&pool(&format!("p{number}")), "quota", at(0), 0.0);
        }
        assert_eq!(breaker.open().len(), MAX_OPEN);
    }
}
