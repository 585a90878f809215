//! The same world without a socket, a thread or a clock: one call at a time, at the time the caller says. For
//! simulations; the HTTP server serves the same `api` and the same `state`.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::api::{self, Admitted, Incoming, Outcome, Step};
use crate::clock::http_date;
use crate::config::{Config, TimestampUnit};
use crate::errors;
use crate::faults::{Fault, FaultRule, IdvOutcome};
use crate::ledger::{Answer, CardEntry, Ledger, RequestEntry};
use crate::requests::CreateCard;
use crate::state::{Caller, CardStatus, State};
use crate::webhooks::sign;

/// A false UQPAY that is called directly. Times are milliseconds since the epoch by the provider's clock.
pub struct Local {
    state: State,
    secret: Option<String>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

/// A request as it arrived.
#[derive(Debug)]
pub struct LocalRequest<'a> {
    /// HTTP method.
    pub method: &'a Method,
    /// Path and query, from `/api` on.
    pub uri: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a [u8],
}

/// What came of a request at once.
#[derive(Debug)]
pub enum Served {
    /// The answer.
    Answered(LocalAnswer),
    /// The effect itself comes later: hand this back to [`Local::finish`] then.
    Waiting(Waiting),
}

/// A request whose effect is late. Repeats meanwhile hear "processing".
pub struct Waiting {
    /// How late.
    pub millis: u64,
    incoming: Box<Incoming>,
    admitted: Admitted,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waiting({} ms)", self.millis)
    }
}

/// An answer on its way.
#[derive(Debug, Clone)]
pub struct LocalAnswer {
    /// HTTP status.
    pub status: u16,
    /// The whole body, also of a truncated answer.
    pub body: String,
    /// `Date`.
    pub date: String,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// Whether all of it arrives.
    pub answer: Answer,
    /// It leaves so many milliseconds late.
    pub late_millis: u64,
    /// Deliveries to be tried before it leaves.
    pub early: Vec<u64>,
}

/// A webhook that is due.
#[derive(Debug, Clone)]
pub struct LocalDelivery {
    /// Its number, for [`Local::delivered`].
    pub number: u64,
    /// The bytes.
    pub body: String,
    /// `x-wk-timestamp`.
    pub timestamp: String,
    /// `x-wk-signature`; none without a secret.
    pub signature: Option<String>,
}

impl Local {
    /// An empty world; webhooks go to whoever takes them by [`Local::next_delivery`], if the configuration has a target.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let secret = config
            .webhook
            .as_ref()
            .and_then(|target| target.secret.clone());
        let idv_base = config
            .idv_link_base
            .clone()
            .unwrap_or_else(|| "https://idv.example/".to_owned());
        let has_receiver = config.webhook.is_some();
        let rules = config.faults.clone();
        let mut state = State::new(Arc::new(config), idv_base);
        state.has_receiver = has_receiver;
        for rule in rules {
            state.faults.add(rule);
        }
        Self { state, secret }
    }

    /// Serves one request. A fault given here stands before the script's.
    pub fn serve(&mut self, request: &LocalRequest<'_>, fault: Option<Fault>, now: i64) -> Served {
        self.pass(now);
        let uri: Uri = request.uri.parse().unwrap_or_default();
        let Some((endpoint, id)) = api::find(request.method, uri.path()) else {
            let refused = Outcome::refused(&errors::not_found(uri.path()));
            return Served::Answered(answer(refused, now));
        };
        let incoming = Incoming::of(
            endpoint,
            id,
            request.method.clone(),
            &uri,
            request.headers,
            Some(request.body),
            self.state.config.strict,
        );
        let step = api::begin(&mut self.state, &incoming, fault, now);
        match step {
            Step::Done(outcome) => Served::Answered(answer(outcome, now)),
            Step::Wait(millis, admitted) => Served::Waiting(Waiting {
                millis,
                incoming: Box::new(incoming),
                admitted,
            }),
        }
    }

    /// The late effect of a request.
    pub fn finish(&mut self, waiting: Waiting, now: i64) -> LocalAnswer {
        self.pass(now);
        let outcome = api::perform_late(&mut self.state, &waiting.incoming, waiting.admitted, now);
        answer(outcome, now)
    }

    /// Lets everything happen that is due by then.
    pub fn pass(&mut self, now: i64) {
        if self.state.next_timer().is_some_and(|due| due <= now) {
            self.state.fire(now, usize::MAX);
        }
    }

    /// When something happens by itself next, or a webhook is due.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        [self.state.next_timer(), self.state.next_delivery()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes the next webhook that is due. Say what came of it by [`Local::delivered`].
    pub fn next_delivery(&mut self, now: i64) -> Option<LocalDelivery> {
        let dispatch = self.state.take_delivery(now)?;
        let timestamp = dispatch.signed_at.unwrap_or_else(|| match dispatch.unit {
            TimestampUnit::Milliseconds => now.to_string(),
            TimestampUnit::Seconds => (now / 1000).to_string(),
        });
        let signature = self.sign(&dispatch.body, &timestamp);
        Some(LocalDelivery {
            number: dispatch.number,
            body: dispatch.body,
            timestamp,
            signature,
        })
    }

    /// What a receiver answered to a webhook, if it did: failed ones come again (contract §5.8).
    pub fn delivered(&mut self, number: u64, status: Option<u16>, timestamp: String, now: i64) {
        self.state.delivered(number, status, timestamp, now);
    }

    /// Lets a person act at the address of an identity check. Whose it is; none when the link is over.
    pub fn act_at(&mut self, url: &str, outcome: IdvOutcome, now: i64) -> Option<Uuid> {
        self.pass(now);
        let token = url.rsplit('/').next().unwrap_or_default();
        let holder = self.state.open_link(token, now).ok()?.id;
        self.review(holder, outcome, now).then_some(holder)
    }

    /// Lets the reviewer of a person act. False when there is nothing to review.
    pub fn review(&mut self, cardholder: Uuid, outcome: IdvOutcome, now: i64) -> bool {
        self.pass(now);
        let done = self.state.person_acts(cardholder, outcome, now);
        done.is_ok()
    }

    /// Somebody else changes a card: a person at the provider's portal, or its risk control. False when the card's status
    /// does not lead there (contract §4.1).
    pub fn move_card(&mut self, card: Uuid, to: CardStatus, now: i64) -> bool {
        self.pass(now);
        self.state.move_card(card, to, now).is_ok()
    }

    /// Somebody was made a cardholder before anybody called. None when the data is not good enough for one.
    pub fn add_person(&mut self, person: &Map<String, Value>, now: i64) -> Option<Uuid> {
        let holder = self.state.create_cardholder(&stranger(), person, now);
        Some(holder.ok()?.id)
    }

    /// Another system of the same account had a card made for a person, and knows nothing of ours.
    pub fn add_card(&mut self, holder: Uuid, now: i64) {
        let request = CreateCard {
            card_product_id: Some(crate::catalogue::SIMPLIFIED.to_string()),
            card_currency: Some("USD".to_owned()),
            cardholder_id: Some(holder.to_string()),
            ..CreateCard::default()
        };
        let made = self.state.create_card(&stranger(), &request, now);
        debug_assert!(made.is_ok(), "a simplified card needs a cardholder only");
    }

    /// The signature of a webhook with this body and this timestamp; none without a secret.
    #[must_use]
    pub fn sign(&self, body: &str, timestamp: &str) -> Option<String> {
        let secret = self.secret.as_ref()?;
        Some(sign(secret, body.as_bytes(), timestamp))
    }

    /// Adds a rule to the fault script.
    pub fn add_fault(&mut self, rule: FaultRule) {
        self.state.faults.add(rule);
    }

    /// Empties the fault script.
    pub fn clear_faults(&mut self) {
        self.state.faults.clear();
    }

    /// From now on the list of products has no others than these.
    pub fn offer(&mut self, products: impl IntoIterator<Item = Uuid>) {
        self.state.offered = Some(products.into_iter().collect());
    }

    /// The idempotency store loses all it knew.
    pub fn forget_keys(&mut self) {
        self.state.idempotency.forget_old(i64::MAX / 2);
    }

    /// Rises with every change of cards and people.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state.version()
    }

    /// Cards that have taken more statuses than are `known` of them, oldest first.
    pub fn cards_beyond(
        &self,
        known: impl Fn(Uuid) -> Option<usize>,
    ) -> impl Iterator<Item = CardEntry> {
        self.state.card_entries_beyond(known)
    }

    /// Requests to the API from this number on, oldest first.
    pub fn requests_from(&self, number: u64) -> impl Iterator<Item = &RequestEntry> {
        self.state.requests_from(number)
    }

    /// What really happened.
    #[must_use]
    pub fn ledger(&self, now: i64) -> Ledger {
        self.state.ledger(now, true)
    }
}

fn stranger() -> Caller {
    Caller {
        account: None,
        idempotency_key: "another-system".to_owned(),
    }
}

fn answer(outcome: Outcome, now: i64) -> LocalAnswer {
    LocalAnswer {
        status: outcome.outgoing.status,
        body: outcome.outgoing.body,
        date: http_date(now),
        retry_after: outcome.outgoing.retry_after,
        answer: outcome.outgoing.answer,
        late_millis: outcome.late_ms,
        early: outcome.early,
    }
}
