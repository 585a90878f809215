//! The provider seam, spoken in UQPAY's words: our order → their call, their answer → facts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::planted::{self, Bug};
use issuance_domain::{
    IdempotencyKey, Link, Order, Personal, Product, ProductId, Purpose, SilenceCause,
};
use issuance_executor::{
    Budget, Clock, Outcome, PrepareError, Prepared, ProductError, Provider, Silence, Urgency,
    WallWatch, Window,
};
use issuance_store::{Field, Salt, SealedRequest, Sealing};
use issuance_uqpay as uqpay;
use tokio::sync::Mutex;
use uqpay::{
    AccountId, Answer, Body, Client, Private, TargetStatus, UpdateCardStatus, UpdateCardholder,
};
use zeroize::Zeroizing;

use crate::create;
use crate::lists::Lists;
use crate::products::Products;
use crate::search::Searches;
use crate::tokens::{Live, TokenHealth, Tokens};
use crate::words;

/// Choices the provider's words leave open.
#[derive(Debug, Clone, Copy)]
pub struct ProviderOptions {
    /// A link without a readable expiry lives this long; none is believed to live longer.
    pub idv_link_life: Duration,
    /// Pages of one list read at most in search of orders nobody named a card for.
    pub search_pages: u32,
}

/// UQPAY as the provider of cards.
#[derive(Debug)]
pub struct UqpayProvider {
    client: Client,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    watch: Arc<WallWatch>,
    products: Mutex<Products>,
    lists: Lists,
    searches: Searches,
    options: ProviderOptions,
}

/// One call with a token; once more, with the same key and bytes, if it was refused for its token alone, since then
/// nothing was done (contract §1.3).
macro_rules! authorized {
    ($self:ident, $name:literal, $may:expr, $account:expr, |$auth:ident| $call:expr) => {{
        let mut replayed = false;
        loop {
            let live = match $self.ready($name, $may, replayed).await {
                Ok(live) => live,
                Err(silence) => break Err(silence),
            };
            let $auth = Auth::new(&live.token).on_behalf_of($account);
            let answer = $call.await;
            $self.notes_time(&answer);
            if replayed || !$self.token_refused(&answer, live.generation).await {
                break Ok(answer);
            }
            replayed = true;
        }
    }};
}

/// What lets a call leave.
#[derive(Debug, Clone, Copy)]
enum May<'a> {
    /// Room in the budget, taken for this very call.
    Read,
    /// The recorded intent's window; its room in the budget was taken before it was recorded, that of a replay is not.
    Send(&'a Window),
}

mod reads;
mod submissions;

impl UqpayProvider {
    /// A provider on a client, which tells `watch` what the times of its answers say of our clock.
    #[must_use]
    pub fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        budget: Arc<Budget>,
        watch: Arc<WallWatch>,
        options: ProviderOptions,
    ) -> Self {
        let tokens = Tokens::new(client.clone(), clock.clone(), budget.clone());
        Self {
            client,
            tokens,
            clock,
            budget,
            watch,
            products: Mutex::default(),
            lists: Lists::default(),
            searches: Searches::default(),
            options,
        }
    }

    /// A token, and what else it takes that a call may leave now. This is the last thing before its first byte.
    async fn ready(
        &self,
        name: &'static str,
        may: May<'_>,
        replayed: bool,
    ) -> Result<Live, Silence> {
        let live = self.tokens.current().await?;
        let urgency = match may {
            May::Send(window) if !window.is_open() => {
                return Err(Silence::new(SilenceCause::NotSent));
            }
            // Its room was taken before the intent was recorded.
            May::Send(_) if !replayed => return Ok(live),
            May::Send(_) => Urgency::Submission,
            May::Read => Urgency::Reading,
        };
        let now = self.clock.now();
        if let Err(reopens) = self.budget.take(now, urgency) {
            return Err(Silence::held_back(reopens.since(now)));
        }
        metrics::counter!("issuance_provider_calls_total", "call" => name).increment(1);
        Ok(live)
    }

    fn notes_time<T>(&self, answer: &Answer<T>) {
        if let Answer::Ok(received) = answer
            && let Some(date) = received.date
        {
            self.watch.hears(&*self.clock, words::ours(date));
        }
    }

    async fn token_refused<T>(&self, answer: &Answer<T>, generation: u64) -> bool {
        let Answer::Refused(refusal) = answer else {
            return false;
        };
        let refused = matches!(
            refusal.class(),
            uqpay::Class::TokenExpired | uqpay::Class::CredentialsRejected
        );
        if refused {
            self.tokens.evict(generation).await;
        }
        refused
    }

    fn link(
        &self,
        url: Option<&Private>,
        expires: Option<jiff::Timestamp>,
        salt: Option<&Salt>,
    ) -> (Option<Link>, Vec<Sealing>) {
        let (Some(url), Some(salt)) = (url.filter(|url| !url.expose().trim().is_empty()), salt)
        else {
            return (None, Vec::new());
        };
        let now = self.clock.now();
        let latest = now.after(self.options.idv_link_life);
        let expires = expires.filter(|_| !planted::is(Bug::LinkEndIgnored));
        let expires_at = expires.map_or(latest, words::ours).min(latest);
        let digest = salt.digest(url.expose().as_bytes());
        let field = Field::IdvLink(digest.to_string());
        let plaintext = Zeroizing::new(url.expose().as_bytes().to_vec());
        (
            Some(Link { digest, expires_at }),
            vec![Sealing { field, plaintext }],
        )
    }

    /// How the token is; none while one is minted.
    #[must_use]
    pub fn token_health(&self) -> Option<TokenHealth> {
        self.tokens.health()
    }
}

#[async_trait]
impl Provider for UqpayProvider {
    fn prepare(
        &self,
        order: &Order,
        purpose: Purpose,
        personal: &Personal,
    ) -> Result<Prepared, PrepareError> {
        let body = match purpose {
            Purpose::CreateCard => create::body(order, personal)?,
            Purpose::RenewIdvLink => {
                cardholder_of(order).ok_or(PrepareError::NoId("cardholder"))?;
                UpdateCardholder::renew_idv_link().to_bytes()
            }
            Purpose::CancelCard => {
                card_of(order).ok_or(PrepareError::NoId("card"))?;
                let update_reason = Some(format!("order {} cancelled", order.id));
                UpdateCardStatus {
                    card_status: TargetStatus::Cancelled,
                    update_reason,
                }
                .to_bytes()
            }
        };
        Ok(Prepared {
            purpose,
            body: Zeroizing::new(body.as_bytes().to_vec()),
        })
    }

    async fn submit(
        &self,
        order: &Order,
        prepared: &Prepared,
        key: IdempotencyKey,
        salt: &Salt,
        window: &Window,
    ) -> Outcome {
        let body = Body::from_bytes(prepared.body.to_vec());
        match prepared.purpose {
            Purpose::CreateCard => self.create_card(order, &body, key, salt, window).await,
            Purpose::RenewIdvLink => self.renew_link(order, &body, key, salt, window).await,
            Purpose::CancelCard => self.cancel_card(order, &body, key, window).await,
        }
    }

    async fn look_up(&self, order: &Order, sealed: Option<&SealedRequest>) -> Outcome {
        match self.read_order(order, sealed).await {
            Ok(heard) => Outcome::Heard(heard),
            Err(silence) => Outcome::Silent(silence),
        }
    }

    async fn product(&self, id: &ProductId) -> Result<Product, ProductError> {
        let mut products = self.products.lock().await;
        let now = self.clock.now();
        if products.is_stale(id, now) {
            match self.read_products().await {
                Ok(read) => {
                    products.known = read
                        .into_iter()
                        .map(|product| (product.id.clone(), product))
                        .collect();
                    products.read_at = Some(now);
                }
                // An older copy is better than none; the provider stays the judge.
                Err(silence) if products.read_at.is_none() => {
                    tracing::warn!(cause = ?silence.cause, "the products cannot be read");
                    return Err(ProductError::Unavailable);
                }
                Err(silence) => {
                    tracing::warn!(cause = ?silence.cause, "the products cannot be read anew")
                }
            }
        }
        products
            .known
            .get(id)
            .cloned()
            .ok_or_else(|| ProductError::Unknown(id.clone()))
    }

    async fn warm_up(&self) -> Result<(), Silence> {
        self.tokens.current().await.map(drop)
    }
}

pub(crate) fn account(order: &Order) -> Option<AccountId> {
    order
        .terms
        .account
        .as_ref()
        .and_then(|account| AccountId::parse(account.as_str()).ok())
}

fn card_of(order: &Order) -> Option<uqpay::CardId> {
    order
        .ids
        .card
        .as_ref()
        .and_then(|id| uqpay::CardId::parse(id.as_str()).ok())
}

fn card_order_of(order: &Order) -> Option<uqpay::CardOrderId> {
    order
        .ids
        .card_order
        .as_ref()
        .and_then(|id| uqpay::CardOrderId::parse(id.as_str()).ok())
}

fn cardholder_of(order: &Order) -> Option<uqpay::CardholderId> {
    order
        .ids
        .cardholder
        .as_ref()
        .and_then(|id| uqpay::CardholderId::parse(id.as_str()).ok())
}
