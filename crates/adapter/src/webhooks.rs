//! Where a webhook goes in: verified over its raw bytes, read strictly, stored in the inbox, then acknowledged. No
//! decision is made here; what it means is the inbox's to find out.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use issuance_domain::{
    Command, Echo, Fact, METADATA_ORDER_KEY, MessageId, OrderId, ProviderIds, Source,
    planted::{self, Bug},
};
use issuance_executor::{Clock, WallWatch};
use issuance_store::{
    Alias, CommandHandler, Field, HandleError, Message, Receipt, Request, Sealing, Store,
    StoreError,
};
use issuance_uqpay as uqpay;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use tokio::sync::Semaphore;
use uqpay::webhook::{self, Event, EventData, EventName, Rejected, Verifier};
use zeroize::Zeroizing;

use crate::inbox;
use crate::skew::{Times, WebhookHealth};
use crate::words;

/// The door for webhooks.
#[derive(Debug)]
pub struct Webhooks {
    verifier: Verifier,
    handler: CommandHandler,
    clock: Arc<dyn Clock>,
    times: Times,
    watch: Arc<WallWatch>,
    /// Room for those being stored.
    room: Semaphore,
}

/// Deliveries stored at once; beyond it the provider is asked to come again. A forged one takes none of it.
const ROOM: usize = 1_024;

/// Why a delivery was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WebhookError {
    /// Nobody who knows a secret of ours signed these bytes.
    #[error("not signed by the provider")]
    Unverified,
    /// Signed by the provider, but too long ago or too far ahead.
    #[error("signed by the provider outside the time window")]
    Stale,
    /// Larger than any message of theirs.
    #[error("too large")]
    TooLarge,
    /// It could not be stored: the provider should come again.
    #[error("could not be stored")]
    Store(#[from] StoreError),
}

/// What a message says, as it lies in the inbox: no personal data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The fact; none when the message is no business of an order's.
    pub(crate) fact: Option<Fact>,
    pub(crate) ids: ProviderIds,
    /// What else it says of whose it is.
    #[serde(default)]
    pub(crate) echo: Echo,
    /// Its card bears somebody's metadata, and our mark is not in it: every card of ours has it.
    #[serde(default)]
    pub(crate) foreign: bool,
    /// Why it could not be read, if so: it is a person's, not an order's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable: Option<Box<str>>,
}

impl Content {
    fn saying(fact: Option<Fact>, ids: ProviderIds) -> Self {
        Self {
            fact,
            ids,
            echo: Echo::default(),
            foreign: false,
            unreadable: None,
        }
    }
}

impl Webhooks {
    /// A door with these secrets, which tells `watch` what the times of signatures say of our clock.
    #[must_use]
    pub fn new(
        verifier: Verifier,
        handler: CommandHandler,
        clock: Arc<dyn Clock>,
        watch: Arc<WallWatch>,
    ) -> Self {
        let times = Times::new(clock.now());
        Self {
            verifier,
            handler,
            clock,
            times,
            watch,
            room: Semaphore::new(ROOM),
        }
    }

    /// Takes one delivery: every value of the two headers, and the body as it came. Durable when this returns `Ok`;
    /// answer 200 then (contract §5.8).
    ///
    /// # Errors
    /// When it must not be acknowledged.
    pub async fn receive(
        &self,
        signatures: &[&[u8]],
        timestamps: &[&[u8]],
        body: &[u8],
    ) -> Result<Receipt, WebhookError> {
        let now = self.clock.now();
        let verdict = self.verifier.verify(
            signatures.iter().copied(),
            timestamps.iter().copied(),
            body,
            words::theirs(now),
        );
        if let Err(rejected) = verdict {
            return Err(match rejected {
                Rejected::TooLarge => refused("too_large", WebhookError::TooLarge),
                Rejected::Headers | Rejected::Timestamp | Rejected::Signature => {
                    refused("rejected", WebhookError::Unverified)
                }
                Rejected::Stale(verified) => {
                    let is_hint = self.times.stale(words::ours(verified.sent_at), now);
                    if let Some(ahead) = self.times.health().clock_ahead_millis {
                        self.watch
                            .differs(Duration::from_millis(ahead.unsigned_abs()));
                    }
                    if is_hint {
                        self.hint(body).await?;
                    }
                    refused("stale", WebhookError::Stale)
                }
            });
        }
        self.times.fresh(now);
        self.watch.agrees(&*self.clock);
        let Ok(_room) = self.room.try_acquire() else {
            return Err(refused(
                "overloaded",
                WebhookError::Store(StoreError::Overloaded),
            ));
        };
        let taken = match webhook::parse(body) {
            Ok(event) => self.store_event(&event, body).await,
            Err(unreadable) => self.quarantine(body, &unreadable.to_string()).await,
        };
        match taken {
            Ok(receipt) => {
                count(receipt);
                Ok(receipt)
            }
            Err(error @ WebhookError::Store(StoreError::Overloaded)) => {
                Err(refused("overloaded", error))
            }
            Err(error) => Err(refused("not_stored", error)),
        }
    }

    /// How webhooks come.
    #[must_use]
    pub fn health(&self) -> WebhookHealth {
        self.times.health()
    }

    /// Genuine, but perhaps played again: nothing of it is believed or kept, but its order is looked up (F-053).
    async fn hint(&self, body: &[u8]) -> Result<(), StoreError> {
        let Ok(event) = webhook::parse(body) else {
            return Ok(());
        };
        let Ok(event_id) = event.event_id.as_str().parse::<MessageId>() else {
            return Ok(());
        };
        let content = content(&event);
        if content.fact.is_none() {
            return Ok(());
        }
        let aliases = aliases(&event, &content.ids);
        let inbox::Found::One(order) = inbox::find(self.handler.store(), &aliases).await? else {
            return Ok(());
        };
        let source = Source::Webhook {
            event_id,
            event_type: event.name.as_str().into(),
        };
        match self
            .handler
            .handle(Request::new(
                order,
                Command::Hint { source },
                self.clock.now(),
            ))
            .await
        {
            Err(HandleError::Store(error)) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn store_event(&self, event: &Event, body: &[u8]) -> Result<Receipt, WebhookError> {
        let Ok(id) = event.event_id.as_str().parse::<MessageId>() else {
            // The client bounds it as we do.
            return Err(WebhookError::Unverified);
        };
        let known = !matches!(event.name, EventName::Other(_));
        metrics::counter!("issuance_webhook_events_total", "known" => if known { "yes" } else { "no" }).increment(1);
        let body_digest = self.store().digest(match event.name.carries_secret() {
            // So few bytes of it are secret that not even a keyed digest is kept.
            true => event.event_id.as_str().as_bytes(),
            false => body,
        });
        let content = content(event);
        let message = Message {
            id,
            event_type: event.name.as_str().into(),
            received_at: self.clock.now(),
            aliases: aliases(event, &content.ids),
            body_digest,
            content: to_raw_value(&content).unwrap_or_default(),
        };
        let received = self.store().receive(message, None);
        let receipt = if planted::is(Bug::AcknowledgedBeforeDurable) {
            received.now_or_never().unwrap_or(Ok(Receipt::Stored))?
        } else {
            received.await?
        };
        if receipt == Receipt::Forged && !planted::is(Bug::SecondBodyLost) {
            // One of the two is not what it says; which, a person must find out.
            let id = event.event_id.as_str();
            let why = format!("another body came before under its event id {id}");
            self.quarantine(body, &why).await?;
        }
        Ok(receipt)
    }

    /// Signed by the provider and not to be read, or not to be believed: kept, sealed, for a person; not at all if it may hold a secret.
    async fn quarantine(&self, body: &[u8], why: &str) -> Result<Receipt, WebhookError> {
        let secret = may_carry_secret(body);
        // What cannot be told apart by its bytes is told apart by its length: good enough for what is not kept.
        let body_digest = if secret {
            format!("secret-{}", body.len()).into()
        } else {
            self.store().digest(body)
        };
        let digits = body_digest.rsplit(':').next().unwrap_or_default();
        let Ok(id) = format!("unreadable-{digits}").parse::<MessageId>() else {
            return Err(WebhookError::Unverified);
        };
        let named = mark(body);
        let message = Message {
            id: id.clone(),
            event_type: "unreadable".into(),
            received_at: self.clock.now(),
            aliases: named.map(Alias::Order).into_iter().collect(),
            body_digest,
            content: to_raw_value(&Content {
                unreadable: Some(why.into()),
                ..Content::saying(None, ProviderIds::default())
            })
            .unwrap_or_default(),
        };
        let sealed = Sealing {
            field: Field::Body(id.clone()),
            plaintext: Zeroizing::new(body.to_vec()),
        };
        let receipt = self
            .store()
            .receive(message, Some(sealed).filter(|_| !secret))
            .await?;
        if receipt == Receipt::Stored {
            tracing::error!(event_id = %id, why, "a genuine webhook cannot be taken as it is; quarantined");
        }
        Ok(receipt)
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.handler.store()
    }
}

/// Whether a body that cannot be read may be one of those that are never stored (contract §5.3).
fn may_carry_secret(body: &[u8]) -> bool {
    let body = body.to_ascii_lowercase();
    [&b"otp"[..], b"activation"]
        .iter()
        .any(|word| body.windows(word.len()).any(|bytes| bytes == *word))
}

/// Our mark in a body that cannot be read: whose it is, if so.
fn mark(body: &[u8]) -> Option<OrderId> {
    let key = METADATA_ORDER_KEY.as_bytes();
    let at = body.windows(key.len()).position(|bytes| bytes == key)?;
    // Behind it the id, whatever quotes and escapes stand between.
    let rest = &body[at + key.len()..];
    let id = rest.iter().position(u8::is_ascii_hexdigit)?;
    let id = rest.get(id..id + 36)?;
    std::str::from_utf8(id).ok()?.parse().ok()
}

fn refused(outcome: &'static str, error: WebhookError) -> WebhookError {
    metrics::counter!("issuance_webhooks_total", "outcome" => outcome).increment(1);
    error
}

fn count(receipt: Receipt) {
    let outcome = match receipt {
        Receipt::Stored => "stored",
        Receipt::Repeat => "repeat",
        Receipt::Forged => "forged",
    };
    metrics::counter!("issuance_webhooks_total", "outcome" => outcome).increment(1);
}

/// Every name by which the order can be found, strongest first (contract §5.5). A card is known by its own names and by our
/// mark, never by its person: it may be another order's with the same person, which has not heard of it yet.
fn aliases(event: &Event, ids: &ProviderIds) -> Vec<Alias> {
    let names_a_card = ids.card.is_some() || ids.card_order.is_some();
    let ours = event
        .ids()
        .metadata
        .get(METADATA_ORDER_KEY)
        .and_then(|id| id.parse::<OrderId>().ok());
    ours.map(Alias::Order)
        .into_iter()
        .chain(Alias::of(ids))
        .filter(|alias| {
            planted::is(Bug::CardByPerson)
                || !names_a_card
                || !matches!(alias, Alias::Cardholder(_))
        })
        .collect()
}

/// What the message says, and of whose card.
fn content(event: &Event) -> Content {
    let echo = match &event.data {
        EventData::Card(card) => words::echo_of(card),
        EventData::Cardholder(_) | EventData::Unread => Echo::default(),
    };
    let metadata = &event.ids().metadata;
    let foreign = !metadata.contains_key(METADATA_ORDER_KEY)
        && metadata.keys().any(|name| !name.trim().is_empty());
    let content = said(event);
    let strange = content.fact.is_some() && !is_issuing(event);
    Content {
        echo,
        foreign,
        unreadable: strange
            .then(|| "its category is not ISSUING: a test, or another product".into()),
        ..content
    }
}

/// The category of everything about cards (contract §5.2). One that is not told is believed.
fn is_issuing(event: &Event) -> bool {
    let category = event.category.as_deref().map(str::trim);
    category.is_none_or(|word| word.is_empty() || word.eq_ignore_ascii_case("ISSUING"))
}

/// What the message says (contract §9.2).
fn said(event: &Event) -> Content {
    let theirs = event.ids();
    let created = words::ids(theirs.card(), theirs.card_order(), theirs.cardholder());
    // The card order a status update names is one of its own, not the one that made the card (contract §2.7).
    let updated = ProviderIds {
        card_order: None,
        ..created.clone()
    };
    let person = ProviderIds {
        card: None,
        card_order: None,
        ..created.clone()
    };
    match (&event.name, &event.data) {
        (EventName::CardCreateSucceeded, EventData::Card(card)) => {
            let fact = match &card.card_status {
                None if planted::is(Bug::NoWordActive) => {
                    Fact::Card(issuance_domain::CardStatus::Active)
                }
                Some(uqpay::CardStatus::Pending) | None => Fact::CardOrder {
                    status: issuance_domain::CardOrderStatus::Success,
                    failure_code: None,
                },
                Some(status) => Fact::Card(words::card_status(status)),
            };
            Content::saying(Some(fact), created)
        }
        (EventName::CardCreateFailed, EventData::Card(card)) => {
            let code = card
                .failure_code
                .as_deref()
                .filter(|code| !code.is_empty())
                .map(Into::into);
            Content::saying(Some(Fact::CardCreationFailed { code }), created)
        }
        (EventName::CardholderKycStatusChanged, EventData::Cardholder(cardholder)) => {
            let status = cardholder
                .cardholder_status
                .as_ref()
                .map(words::cardholder_status);
            Content::saying(
                status.map(|status| Fact::Cardholder { status, link: None }),
                person,
            )
        }
        (EventName::CardStatusUpdateSucceeded, EventData::Card(card)) => {
            let status = card.card_status.as_ref().map(words::card_status);
            Content::saying(status.map(Fact::Card), updated)
        }
        // Of status changes only our own cancel matters (contract §9.2).
        (EventName::CardStatusUpdateFailed, EventData::Card(_)) => {
            Content::saying(Some(Fact::CancelFailed), updated)
        }
        (EventName::CardholderUpdated, EventData::Cardholder(_)) => {
            Content::saying(Some(Fact::CardholderUpdated), person)
        }
        // The rest is card management, not issuance.
        (
            EventName::CardCreateSucceeded
            | EventName::CardCreateFailed
            | EventName::CardholderKycStatusChanged
            | EventName::CardStatusUpdateSucceeded
            | EventName::CardStatusUpdateFailed
            | EventName::CardholderUpdated
            | EventName::CardUpdateSucceeded
            | EventName::CardUpdateFailed
            | EventName::Other(_),
            EventData::Card(_) | EventData::Cardholder(_) | EventData::Unread,
        ) => Content::saying(None, ProviderIds::default()),
    }
}
