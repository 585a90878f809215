//! The provider's access token. Minting a new one voids the old at once (contract §1.3), so there is one minter, and a
//! caller whose token was refused says which one it used: only if that is still the current one is a new one minted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use issuance_domain::{SilenceCause, Timestamp};
use issuance_executor::{Budget, Clock, Silence, Urgency};
use issuance_uqpay::{CallError, Client, Token};
use tokio::sync::Mutex;

use crate::words::{self, Meaning};

/// A token and its generation.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) token: Arc<Token>,
    pub(crate) generation: u64,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    client: Client,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    generation: u64,
    /// Mints of the last minute.
    mints: VecDeque<Timestamp>,
}

/// Renewed this long before it ends.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// Mints a minute (contract §1.6); each kills the token before it.
const MAX_MINTS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

impl Tokens {
    pub(crate) fn new(client: Client, clock: Arc<dyn Clock>, budget: Arc<Budget>) -> Self {
        Self { client, clock, budget, state: Mutex::default() }
    }

    /// The current token; minted if there is none. Whoever comes while one is minted waits for that one.
    pub(crate) async fn current(&self) -> Result<Live, Silence> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        let fresh = |live: &&Live| words::ours(live.token.expires_at).before(EARLY) > now;
        if let Some(live) = state.live.as_ref().filter(fresh) {
            return Ok(live.clone());
        }
        while state.mints.front().is_some_and(|mint| now.since(*mint) >= MINUTE) {
            state.mints.pop_front();
        }
        if let Some(oldest) = state.mints.front().filter(|_| state.mints.len() >= MAX_MINTS) {
            tracing::error!("tokens die as fast as they are minted: is somebody else minting with our credential?");
            let retry_after = Some(oldest.after(MINUTE).since(now));
            return Err(Silence { cause: SilenceCause::NotSent, retry_after });
        }
        if let Err(reopens) = self.budget.take(now, Urgency::Submission) {
            return Err(Silence { cause: SilenceCause::RateLimited, retry_after: Some(reopens.since(now)) });
        }
        state.mints.push_back(now);
        metrics::counter!("issuance_provider_calls_total", "call" => "mint_token").increment(1);
        match self.client.mint_token(words::theirs(now)).await {
            Ok(token) => {
                state.generation += 1;
                let live = Live { token: Arc::new(token), generation: state.generation };
                state.live = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                tracing::warn!(%error, "no token");
                Err(self.silence(&error))
            }
        }
    }

    /// The token of this generation was refused as expired.
    pub(crate) async fn evict(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.live.as_ref().is_some_and(|live| live.generation == generation) {
            state.live = None;
            metrics::counter!("issuance_tokens_evicted_total").increment(1);
        }
    }

    /// Nothing was asked for but a token, so whatever went wrong, the order's own call was not sent.
    fn silence(&self, error: &CallError) -> Silence {
        let now = self.clock.now();
        match error {
            CallError::Refused(refusal) => match words::meaning(refusal, now) {
                Meaning::NotYet(silence) => silence,
                Meaning::No(refusal) => Silence::new(SilenceCause::Blocked { code: refusal.code }),
            },
            CallError::Unknown(unknown) => Silence { cause: SilenceCause::NotSent, ..words::unknown(unknown, now) },
            CallError::NotSent(not_sent) => words::not_sent(not_sent),
        }
    }
}
