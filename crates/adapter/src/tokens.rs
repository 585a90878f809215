//! The provider's access token. Minting a new one voids the old at once (contract §1.3), so there is one minter, and a
//! caller whose token was refused says which one it used: only if that is still the current one is a new one minted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use issuance_domain::planted::{self, Bug};
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
    minted_at: Timestamp,
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
    /// Tokens that died before their time, of the last minute.
    evictions: VecDeque<Timestamp>,
    /// Somebody else mints, and it was said.
    contested: bool,
    /// The provider wished us to wait with minting, or does not take our credential.
    closed_until: Option<Timestamp>,
}

/// How the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHealth {
    /// Which one since the process began; none before the first.
    pub generation: u64,
    /// When it ends by itself; none when there is none.
    pub expires_at: Option<Timestamp>,
    /// Mints of the last minute.
    pub mints: usize,
    /// Tokens that died before their time in the last minute.
    pub evictions: usize,
    /// Somebody else seems to mint with our credential (contract §1.3).
    pub is_contested: bool,
}

/// Renewed this long before it ends.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// Mints a minute (contract §1.6); each kills the token before it.
const MAX_MINTS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// After a mint that brought nothing.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Evictions a minute that are no accident any more.
const CONTESTED: usize = 3;

impl Tokens {
    pub(crate) fn new(client: Client, clock: Arc<dyn Clock>, budget: Arc<Budget>) -> Self {
        Self {
            client,
            clock,
            budget,
            state: Mutex::default(),
        }
    }

    /// The current token; minted if there is none. Whoever comes while one is minted waits for that one, and shares its
    /// silence if there was one. An old one that still lives is better than silence.
    pub(crate) async fn current(&self) -> Result<Live, Silence> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(live) = state.live.as_ref().filter(|live| renewal(live) > now) {
            return Ok(live.clone());
        }
        let minted = self.mint(&mut state, now).await;
        let now = self.clock.now();
        let alive = |live: &&Live| words::ours(live.token.expires_at) > now;
        minted.or_else(|silence| state.live.as_ref().filter(alive).cloned().ok_or(silence))
    }

    async fn mint(&self, state: &mut State, now: Timestamp) -> Result<Live, Silence> {
        if let Some(until) = state.closed_until.filter(|until| *until > now) {
            return Err(Silence::held_back(until.since(now)));
        }
        forget(&mut state.mints, now);
        if let Some(oldest) = state
            .mints
            .front()
            .filter(|_| state.mints.len() >= MAX_MINTS)
        {
            return Err(Silence::held_back(oldest.after(MINUTE).since(now)));
        }
        if let Err(reopens) = self.budget.take(now, Urgency::Submission) {
            return Err(Silence::held_back(reopens.since(now)));
        }
        state.mints.push_back(now);
        metrics::counter!("issuance_provider_calls_total", "call" => "mint_token").increment(1);
        match self.client.mint_token(words::theirs(now)).await {
            Ok(token) => {
                state.generation += 1;
                let live = Live {
                    token: Arc::new(token),
                    generation: state.generation,
                    minted_at: now,
                };
                state.live = Some(live.clone());
                state.closed_until = None;
                Ok(live)
            }
            Err(error) => {
                tracing::warn!(%error, "no token");
                let silence = self.silence(&error);
                // All who wait for this token come next; none of them is to mint at once.
                let pause = silence.retry_after().unwrap_or(AFTER_FAILURE);
                state.closed_until = Some(self.clock.now().after(pause));
                Err(silence)
            }
        }
    }

    /// The token of this generation was refused as expired.
    pub(crate) async fn evict(&self, generation: u64) {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        let Some(live) = state
            .live
            .take_if(|live| live.generation == generation || planted::is(Bug::MintForEachRefusal))
        else {
            return;
        };
        metrics::counter!("issuance_tokens_evicted_total").increment(1);
        if words::ours(live.token.expires_at) <= now {
            return;
        }
        forget(&mut state.evictions, now);
        if state.evictions.is_empty() {
            state.contested = false;
        }
        if state.evictions.len() < MAX_MINTS {
            state.evictions.push_back(now);
        }
        if state.evictions.len() >= CONTESTED && !state.contested {
            state.contested = true;
            metrics::counter!("issuance_tokens_contested_total").increment(1);
            tracing::error!(
                "tokens die as fast as they are minted: somebody else mints with our credential"
            );
        }
    }

    /// How the token is. Never waits for a mint that is under way.
    pub(crate) fn health(&self) -> Option<TokenHealth> {
        let mut state = self.state.try_lock().ok()?;
        let now = self.clock.now();
        forget(&mut state.mints, now);
        forget(&mut state.evictions, now);
        Some(TokenHealth {
            generation: state.generation,
            expires_at: state
                .live
                .as_ref()
                .map(|live| words::ours(live.token.expires_at)),
            mints: state.mints.len(),
            evictions: state.evictions.len(),
            is_contested: state.contested && !state.evictions.is_empty(),
        })
    }

    /// Nothing was asked for but a token, so whatever went wrong, the order's own call was not sent.
    fn silence(&self, error: &CallError) -> Silence {
        let now = self.clock.now();
        match error {
            CallError::Refused(refusal) => match words::meaning(refusal, now) {
                Meaning::NotYet(silence) => silence,
                Meaning::No(refusal) => Silence::new(SilenceCause::Blocked { code: refusal.code }),
            },
            CallError::Unknown(unknown) => Silence::wishing(
                SilenceCause::NotSent,
                words::unknown(unknown, now).retry_after(),
            ),
            CallError::NotSent(not_sent) => words::not_sent(not_sent),
        }
    }
}

/// When a token is renewed: early, but never in the first half of its life, or a short life would be all mints.
fn renewal(live: &Live) -> Timestamp {
    let ends = words::ours(live.token.expires_at);
    let life = ends.since(live.minted_at);
    ends.before(EARLY.min(life / 2))
}

fn forget(times: &mut VecDeque<Timestamp>, now: Timestamp) {
    while times.front().is_some_and(|time| now.since(*time) >= MINUTE) {
        times.pop_front();
    }
}
