//! A node's clock: virtual time, wrong by what the run says.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use issuance::Clock;
use issuance_domain::Timestamp;

use crate::env::{BEGIN, Sim};

#[derive(Debug)]
pub(crate) struct NodeClock {
    pub(crate) sim: Sim,
    pub(crate) node: usize,
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let env = self.sim.lock();
        Timestamp::from_millis(env.now + env.nodes[self.node].offset)
    }

    fn steady(&self) -> Duration {
        let since = self.sim.lock().now - BEGIN;
        Duration::from_millis(since.unsigned_abs())
    }

    fn sleep<'a, 'b>(&'a self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4);
        Box::pin(self.sim.sleep(wait))
    }

    fn longest_nap(&self) -> Duration {
        let env = self.sim.lock();
        Duration::from_millis(env.longest_nap().unsigned_abs())
    }

    fn jitter(&self) -> f64 {
        self.sim.lock().rng.unit()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let mut env = self.sim.lock();
        for chunk in bytes.chunks_mut(8) {
            let number = env.rng.next().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}
