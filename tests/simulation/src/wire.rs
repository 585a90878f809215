//! The network between a node and the provider, and everything it does to a request and its answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use issuance::uqpay::{NoReply, NotSentCause, Reply, Request, Transport, UnknownCause};
use issuance_simulator::{Answer, CardEntry, Fault, LocalAnswer, LocalRequest, Served};
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use crate::coverage::Point;
use crate::env::{Due, Env, Sim};
use crate::evidence::LINK_END;
use crate::faults::Family;
use crate::provider;
use crate::rng::Rng;
use crate::tasks::Life;

/// Our client waits so long for a whole answer.
const PATIENCE: i64 = 30_000;

/// What a node's client sends by.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) sim: Sim,
    pub(crate) life: Life,
}

type Outcome = Result<Reply, NoReply>;

#[derive(Default)]
struct Slot {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

/// Where an answer is waited for.
#[derive(Clone, Default)]
pub(crate) struct Mailbox(Arc<Mutex<Slot>>);

impl Mailbox {
    fn put(&self, outcome: Outcome) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.outcome.is_none() {
            slot.outcome = Some(outcome);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    async fn take(&self) -> Outcome {
        std::future::poll_fn(|context| {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match slot.outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    slot.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// A request on its way. It goes on when its sender dies.
pub(crate) struct Flight {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    fault: Option<Fault>,
    /// What becomes of the answer.
    way_back: WayBack,
    mailbox: Mailbox,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WayBack {
    Usual,
    Lost,
    Late(i64),
}

/// An answer on its way.
pub(crate) struct Answered {
    mailbox: Mailbox,
    outcome: Outcome,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request) -> Outcome {
        self.sim.boundary(self.life, Point::Send).await;
        let mailbox = Mailbox::default();
        let mints = request.url.path().ends_with("/connect/token");
        let token = request.headers.get("x-auth-token").cloned();
        let key = request.headers.get("x-idempotency-key").cloned();
        let is_create = request.url.path().ends_with("/issuing/cards");
        let card = request.url.path().split_once("/issuing/cards/");
        let card = card.map(|(_, card)| card.to_owned());
        let outcome = {
            let mut env = self.sim.lock();
            if mints {
                let (now, believed) = (env.now, env.believes_clock(self.life));
                let broken = env.history.watch.mints(self.life, now, believed);
                env.history.take(broken);
            }
            launch(&mut env, self.life, request, &mailbox)
        };
        let outcome = match outcome {
            Err(wait) => {
                self.sim.sleep(wait).await;
                Err(NoReply::NotSent(NotSentCause::Refused))
            }
            Ok(()) => tokio::select! {
                biased;
                outcome = mailbox.take() => outcome,
                () = self.sim.sleep(PATIENCE) => Err(NoReply::Unknown(UnknownCause::Timeout)),
            },
        };
        self.hears(mints, token, key.clone(), &outcome);
        if let (Ok(reply), Some(card), None) = (&outcome, card, &key)
            && (400..500).contains(&reply.status)
        {
            self.sim.lock().history.evidence.is_missing(&card);
        }
        if let (Ok(reply), false) = (&outcome, mints) {
            let key = key.as_ref().and_then(|key| key.to_str().ok());
            self.is_told(key.map(|key| (key, is_create)), reply);
        }
        self.sim.boundary(self.life, Point::Answered).await;
        outcome
    }
}

impl Wire {
    /// What an answer says of the token.
    fn hears(
        &self,
        mints: bool,
        token: Option<HeaderValue>,
        key: Option<HeaderValue>,
        outcome: &Outcome,
    ) {
        let Ok(reply) = outcome else { return };
        let mut env = self.sim.lock();
        let now = env.now;
        if mints && reply.status == 200 {
            let minted = reply.body.as_ref().ok().and_then(|body| {
                let body: serde_json::Value = serde_json::from_slice(body).ok()?;
                Some(body.get("auth_token")?.as_str()?.to_owned())
            });
            if let Some(value) = minted {
                env.history.watch.minted(self.life, value, now);
            }
        }
        let key = key.as_ref().map(HeaderValue::to_str);
        if let (401 | 403, Some(Ok(key))) = (reply.status, key) {
            env.history.is_away(self.life, key, false);
        }
        if let (401 | 403, Some(Ok(value))) =
            (reply.status, token.as_ref().map(HeaderValue::to_str))
        {
            env.history.watch.refused(self.life, value);
        }
    }
}

impl Wire {
    /// What an answer says reached its sender.
    fn is_told(&self, key: Option<(&str, bool)>, reply: &Reply) {
        let body = reply.body.as_ref().ok();
        let text = body.and_then(|body| str::from_utf8(body).ok());
        // Of what was only read nothing counts but ends of links.
        let text = text.filter(|text| key.is_some() || text.contains(LINK_END));
        let body = text.and_then(|text| serde_json::from_str(text).ok());
        let body: serde_json::Value = body.unwrap_or_default();
        let mut env = self.sim.lock();
        let Env {
            history, provider, ..
        } = &mut *env;
        if let Some(key) = key {
            let card = |id: &str| card_of(provider, id);
            history.evidence.answered(key, reply.status, &body, card);
        }
        history.evidence.ends(&body);
    }
}

/// A card of the provider's, by its id.
pub(crate) fn card_of(provider: &issuance_simulator::Local, id: &str) -> Option<CardEntry> {
    let wanted = uuid::Uuid::parse_str(id.trim()).ok()?;
    provider
        .cards_beyond(|card| (card != wanted).then_some(usize::MAX))
        .next()
}

/// Lets a request leave, or says after how long it is clear that it cannot.
fn launch(env: &mut Env, life: Life, request: Request, mailbox: &Mailbox) -> Result<(), i64> {
    env.requests += 1;
    let now = env.now;
    let uri = path_of(&request.url);
    env.trace.line(now, || {
        format!("send #{} {} {uri}", env.requests, request.method)
    });
    env.history.search(None, || uri.clone());
    if request.method == Method::GET {
        let shared = env.options.may(Family::KnownPerson);
        let sharers = if shared { env.options.orders } else { 1 };
        let broken = env.history.watch.reads(&uri, sharers, now);
        env.history.take(broken);
    }
    let latency = env.latency();
    if env.draw(Family::Refused).is_some() || env.now < env.away_until {
        return Err(latency);
    }
    let key = request
        .headers
        .get("x-idempotency-key")
        .and_then(|key| key.to_str().ok());
    let account = request.headers.get("x-on-behalf-of");
    let account = account.and_then(|account| account.to_str().ok());
    let mut is_first = false;
    if let Some(key) = key {
        env.follow();
        env.history.on_behalf(key, account);
        let up_since = env.nodes[life.node].up_since;
        env.history
            .leaves(life, up_since, key, now, &env.options.policy);
        env.history.is_away(life, key, true);
        is_first = env.keys.insert(key.to_owned());
        let body = request.body.chunks(8).fold(0, |hash, chunk| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            crate::rng::mix(hash ^ u64::from_le_bytes(bytes))
        });
        let broken = env.history.watch.sends(key, body, now);
        env.history.take(broken);
    }
    let is_create = request.method == Method::POST && uri.ends_with("/issuing/cards");
    if let (Some(key), Some(card)) = (key, cancelled(&uri))
        && let Some(card) = card_of(&env.provider, card)
    {
        env.history.cancels(key, &card);
    }
    if is_create {
        let find = |id| env.history.order(id);
        let broken = env.wanted.judge(&request.body, account, find);
        env.history.take(broken);
    }
    let is_read = request.method == Method::GET && uri.contains("/issuing/cards/");
    let about = provider::About {
        is_first,
        is_create,
        is_read,
        tells: is_create || is_read || uri.contains("/issuing/cardholders/"),
    };
    let flight = Flight {
        fault: provider::fault(env, &about),
        method: request.method,
        uri,
        headers: request.headers,
        body: request.body,
        way_back: way_back(env),
        mailbox: mailbox.clone(),
    };
    if env.draw(Family::RequestLost).is_some() {
        let outcome = Err(NoReply::Unknown(UnknownCause::ConnectionLost));
        let answered = Answered {
            mailbox: mailbox.clone(),
            outcome,
        };
        env.after(2 * latency, Due::Answer(Box::new(answered)));
        return Ok(());
    }
    if let Some(details) = env.draw(Family::RequestTwice) {
        let again = Flight {
            method: flight.method.clone(),
            uri: flight.uri.clone(),
            headers: flight.headers.clone(),
            body: flight.body.clone(),
            fault: None,
            way_back: WayBack::Lost,
            mailbox: Mailbox::default(),
        };
        let later = Rng::new(details).millis(1.0, 20_000.0);
        env.after(latency + later, Due::Arrive(Box::new(again)));
    }
    env.after(latency, Due::Arrive(Box::new(flight)));
    Ok(())
}

fn way_back(env: &mut Env) -> WayBack {
    let is_chosen = env.options.lose_answer == Some(env.requests);
    if is_chosen || env.draw(Family::AnswerLost).is_some() {
        return WayBack::Lost;
    }
    match env.draw(Family::AnswerLate) {
        Some(details) => WayBack::Late(Rng::new(details).millis(5_000.0, 300_000.0)),
        None => WayBack::Usual,
    }
}

/// A request reaches the provider.
pub(crate) fn arrive(env: &mut Env, flight: Flight) {
    let now = env.now;
    if let Some(card) = cancelled(&flight.uri).and_then(|card| card.parse().ok()) {
        provider::cancelled_meanwhile(env, card);
    }
    let request = LocalRequest {
        method: &flight.method,
        uri: &flight.uri,
        headers: &flight.headers,
        body: &flight.body,
    };
    let served = env.provider.serve(&request, flight.fault.clone(), now);
    match served {
        Served::Answered(answer) => answered(env, &flight, answer),
        Served::Waiting(waiting) => {
            let late = i64::try_from(waiting.millis).unwrap_or(0);
            env.after(late, Due::Effect(Box::new((waiting, flight))));
        }
    }
}

/// The provider has an answer.
pub(crate) fn answered(env: &mut Env, flight: &Flight, answer: LocalAnswer) {
    let now = env.now;
    env.trace.mix(u64::from(answer.status));
    env.trace.line(now, || {
        let how = match answer.answer {
            Answer::Sent => "",
            Answer::Cut => ", cut",
            Answer::Truncated => ", truncated",
        };
        let lost = if flight.way_back == WayBack::Lost {
            ", lost"
        } else {
            ""
        };
        format!(
            "provider answers {}{how}{lost} to {} {}",
            answer.status, flight.method, flight.uri
        )
    });
    let Env {
        history,
        provider,
        coverage,
        ..
    } = env;
    history.follow_provider(provider, coverage);
    env.watch_provider();
    let is_create = flight.method == Method::POST && flight.uri.ends_with("/issuing/cards");
    if flight.fault.is_none() && is_create && answer.status == 200 {
        env.wanted.made(&flight.body, &answer.body);
    }
    // Deliveries that overtake the answer are on their way now.
    let early = if answer.early.is_empty() { 0 } else { 2_000 };
    let late = i64::try_from(answer.late_millis).unwrap_or(0);
    let wait = env.latency() + early + late;
    let wait = match flight.way_back {
        WayBack::Usual => wait,
        WayBack::Late(more) => wait + more,
        WayBack::Lost => {
            let outcome = Err(NoReply::Unknown(UnknownCause::ConnectionLost));
            // Half of the lost ones are noticed, the others are waited for in vain.
            if env.rng.chance(0.5) {
                let mailbox = flight.mailbox.clone();
                env.after(wait, Due::Answer(Box::new(Answered { mailbox, outcome })));
            }
            return;
        }
    };
    let mailbox = flight.mailbox.clone();
    let outcome = outcome(answer);
    env.after(wait, Due::Answer(Box::new(Answered { mailbox, outcome })));
}

fn outcome(answer: LocalAnswer) -> Outcome {
    let mut headers = HeaderMap::new();
    if let Ok(date) = HeaderValue::from_str(&answer.date) {
        headers.insert(DATE, date);
    }
    if let Some(wait) = answer
        .retry_after
        .and_then(|wait| HeaderValue::from_str(&wait).ok())
    {
        headers.insert(RETRY_AFTER, wait);
    }
    let body = match answer.answer {
        Answer::Sent => Ok(Zeroizing::new(answer.body.into_bytes())),
        Answer::Truncated => Err(UnknownCause::Truncated),
        Answer::Cut => return Err(NoReply::Unknown(UnknownCause::ConnectionLost)),
    };
    Ok(Reply {
        status: answer.status,
        headers,
        body,
    })
}

/// An answer reaches whoever still waits for it.
pub(crate) fn deliver(answered: Answered) {
    answered.mailbox.put(answered.outcome);
}

/// A stranger mints a token with our credential: ours is dead.
pub(crate) fn evict(env: &mut Env, client: &str) {
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-client-id", client), ("x-api-key", "simulation-key")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    let request = LocalRequest {
        method: &Method::POST,
        uri: "/api/v1/connect/token",
        headers: &headers,
        body: b"{}",
    };
    let now = env.now;
    let _ = env.provider.serve(&request, None, now);
    let Env {
        history,
        provider,
        coverage,
        ..
    } = env;
    history.follow_provider(provider, coverage);
}

/// The card whose status a call is to change.
fn cancelled(uri: &str) -> Option<&str> {
    uri.strip_suffix("/status")?.rsplit('/').next()
}

fn path_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
