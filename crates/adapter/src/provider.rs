//! The provider seam, spoken in UQPAY's words: our order → their call, their answer → facts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::{
    CardStatus, CardholderStatus, Creation, Fact, IdempotencyKey, Link, Order, Personal, Product,
    ProductId, ProviderIds, Purpose, Scan, SilenceCause, State, Timestamp,
};
use issuance_executor::{
    Budget, Clock, Heard, Outcome, PrepareError, Prepared, ProductError, Provider, Silence,
    Urgency, Window,
};
use issuance_store::{Field, Salt, SealedRequest, Sealing};
use issuance_uqpay as uqpay;
use tokio::sync::Mutex;
use uqpay::{
    AccountId, Answer, Auth, Body, Client, Page, PageRequest, Private, TargetStatus,
    UpdateCardStatus, UpdateCardholder,
};
use zeroize::Zeroizing;

use crate::create;
use crate::lists::{Lists, ReadCards};
use crate::products::{Products, product};
use crate::search::Search;
use crate::tokens::{Live, TokenHealth, Tokens};
use crate::words::{self, Meaning};

/// Choices the provider's words leave open.
#[derive(Debug, Clone, Copy)]
pub struct ProviderOptions {
    /// A link without a readable expiry lives this long; none is believed to live longer.
    pub idv_link_life: Duration,
    /// Pages of the card list read in search of an order nobody named a card for.
    pub search_pages: u32,
}

/// UQPAY as the provider of cards.
#[derive(Debug)]
pub struct UqpayProvider {
    client: Client,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    products: Mutex<Products>,
    lists: Lists,
    options: ProviderOptions,
}

/// One call with a token; once more, with the same key and bytes, if it was refused for its token alone, since then
/// nothing was done (contract §1.3).
macro_rules! authorized {
    ($self:ident, $name:literal, $may:expr, $account:expr, |$auth:ident| $call:expr) => {{
        let mut replayed = false;
        loop {
            let live = match $self.ready($name, $may).await {
                Ok(live) => live,
                Err(silence) => break Err(silence),
            };
            let $auth = Auth::new(&live.token).on_behalf_of($account);
            let answer = $call.await;
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
    /// The recorded intent's window; its room in the budget was taken before it was recorded.
    Send(&'a Window),
}

impl UqpayProvider {
    /// A provider on a client.
    #[must_use]
    pub fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        budget: Arc<Budget>,
        options: ProviderOptions,
    ) -> Self {
        let tokens = Tokens::new(client.clone(), clock.clone(), budget.clone());
        Self {
            client,
            tokens,
            clock,
            budget,
            products: Mutex::default(),
            lists: Lists::default(),
            options,
        }
    }

    /// A token, and what else it takes that a call may leave now. This is the last thing before its first byte.
    async fn ready(&self, name: &'static str, may: May<'_>) -> Result<Live, Silence> {
        let live = self.tokens.current().await?;
        match may {
            May::Send(window) if window.is_open() => {}
            May::Send(_) => return Err(Silence::new(SilenceCause::NotSent)),
            May::Read => {
                let now = self.clock.now();
                if let Err(reopens) = self.budget.take(now, Urgency::Reading) {
                    return Err(Silence {
                        cause: SilenceCause::RateLimited,
                        retry_after: Some(reopens.since(now)),
                    });
                }
                metrics::counter!("issuance_provider_calls_total", "call" => name).increment(1);
            }
        }
        Ok(live)
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
        let expires_at = expires.map_or(latest, words::ours).min(latest);
        let digest = salt.digest(url.expose().as_bytes());
        let field = Field::IdvLink(digest.to_string());
        let plaintext = Zeroizing::new(url.expose().as_bytes().to_vec());
        (
            Some(Link { digest, expires_at }),
            vec![Sealing { field, plaintext }],
        )
    }

    async fn create_card(
        &self,
        order: &Order,
        body: &Body,
        key: IdempotencyKey,
        salt: &Salt,
        window: &Window,
    ) -> Outcome {
        let account = account(order);
        let answer = authorized!(
            self,
            "create_card",
            May::Send(window),
            account.as_ref(),
            |auth| { self.client.create_card(auth, key.0, body) }
        );
        self.outcome(answer, |created| {
            let (link, sealed) = self.link(
                created.idv_verification_url.as_ref(),
                created.idv_url_expires_at,
                Some(salt),
            );
            let fact = Fact::Created(Creation {
                card: created
                    .card_status
                    .as_ref()
                    .map_or(CardStatus::Pending, words::card_status),
                order: created.order_status.as_ref().map(words::card_order_status),
                cardholder: created
                    .cardholder_status
                    .as_ref()
                    .map(words::cardholder_status),
                verification: created
                    .verification_status
                    .as_ref()
                    .map(words::verification),
                link,
            });
            let ids = words::ids(
                Some(&created.card_id),
                created.card_order_id.as_ref(),
                created.cardholder_id.as_ref(),
            );
            Heard { fact, ids, sealed }
        })
    }

    async fn renew_link(
        &self,
        order: &Order,
        body: &Body,
        key: IdempotencyKey,
        salt: &Salt,
        window: &Window,
    ) -> Outcome {
        let account = account(order);
        let Some(id) = cardholder_of(order) else {
            return Outcome::Silent(Silence::new(SilenceCause::NotSent));
        };
        let answer = authorized!(
            self,
            "renew_idv_link",
            May::Send(window),
            account.as_ref(),
            |auth| { self.client.update_cardholder(auth, &id, key.0, body) }
        );
        self.outcome(answer, |reply| {
            let (link, sealed) = self.link(
                reply.idv_verification_url.as_ref(),
                reply.idv_url_expires_at,
                Some(salt),
            );
            let status = reply
                .cardholder_status
                .as_ref()
                .map_or(CardholderStatus::Incomplete, words::cardholder_status);
            let ids = words::ids(None, None, Some(&reply.cardholder_id));
            Heard {
                fact: Fact::Cardholder { status, link },
                ids,
                sealed,
            }
        })
    }

    async fn cancel_card(
        &self,
        order: &Order,
        body: &Body,
        key: IdempotencyKey,
        window: &Window,
    ) -> Outcome {
        let account = account(order);
        let Some(id) = card_of(order) else {
            return Outcome::Silent(Silence::new(SilenceCause::NotSent));
        };
        let answer = authorized!(
            self,
            "cancel_card",
            May::Send(window),
            account.as_ref(),
            |auth| { self.client.update_card_status(auth, &id, key.0, body) }
        );
        self.outcome(answer, |_| Heard {
            fact: Fact::CancelTaken,
            ids: ProviderIds::default(),
            sealed: Vec::new(),
        })
    }

    /// The answer to a submission in our words.
    fn outcome<T>(
        &self,
        answer: Result<Answer<T>, Silence>,
        hear: impl FnOnce(T) -> Heard,
    ) -> Outcome {
        let now = self.clock.now();
        match answer {
            Ok(Answer::Ok(received)) => Outcome::Heard(vec![hear(received.value)]),
            Ok(Answer::Refused(refusal)) => words::refused(&refusal, now),
            Ok(Answer::Unknown(unknown)) => Outcome::Silent(words::unknown(&unknown, now)),
            Ok(Answer::NotSent(not_sent)) => Outcome::Silent(words::not_sent(&not_sent)),
            Err(silence) => Outcome::Silent(silence),
        }
    }

    /// The answer to a read: what was read, that there is no such thing, or silence.
    fn seen<T>(&self, answer: Result<Answer<T>, Silence>) -> Result<Option<T>, Silence> {
        let now = self.clock.now();
        match answer? {
            Answer::Ok(received) => Ok(Some(received.value)),
            Answer::Refused(refusal) if refusal.class() == uqpay::Class::NotFound => Ok(None),
            Answer::Refused(refusal) => Err(match words::meaning(&refusal, now) {
                Meaning::NotYet(silence) => {
                    // Their own word, not our budget's: it holds for every call.
                    if silence.cause == SilenceCause::RateLimited {
                        self.budget.close_until(now, silence.retry_after);
                    }
                    silence
                }
                // A read has nothing to be refused for: the set-up is wrong, for this read as for the next.
                Meaning::No(refusal) => Silence::new(SilenceCause::Blocked { code: refusal.code }),
            }),
            Answer::Unknown(unknown) => Err(words::unknown(&unknown, now)),
            Answer::NotSent(not_sent) => Err(words::not_sent(&not_sent)),
        }
    }

    /// Card order, card and person, as few of them as say where the order stands. What explains a card comes before it.
    async fn read_order(
        &self,
        order: &Order,
        sealed: Option<&SealedRequest>,
    ) -> Result<Vec<Heard>, Silence> {
        let salt = sealed.map(|sealed| &sealed.salt);
        let mut card_order = None;
        let mut named = card_of(order);
        if named.is_none() && card_order_of(order).is_some() {
            card_order = self.read_card_order(order).await?;
            let card = card_order
                .as_ref()
                .and_then(|heard| heard.ids.card.as_ref());
            named = card.and_then(|id| uqpay::CardId::parse(id.as_str()).ok());
            if named.is_none() {
                return Ok(card_order.into_iter().collect());
            }
        }
        let card = match &named {
            Some(id) => self.read_card(order, id).await?,
            None => match self.search(order, sealed).await? {
                Search::Found(card) => Some(*card),
                Search::Absent(scan) => return Ok(vec![absent(scan)]),
                Search::Incomplete => return Ok(Vec::new()),
            },
        };
        let status = card.as_ref().map(|card| card.details.card_status.clone());
        let requested = matches!(order.state, State::Requested { .. });
        let waits = matches!(
            status,
            Some(Some(
                uqpay::CardStatus::Pending | uqpay::CardStatus::Unknown(_)
            ))
        );
        let failed = matches!(status, None | Some(Some(uqpay::CardStatus::Failed)));
        let mut heard = Vec::new();
        // Its order may know why a card failed, or that it should be there by now (contract §9.3).
        if failed
            || waits
                && matches!(
                    order.state,
                    State::Accepted {
                        under_review: false,
                        ..
                    }
                )
        {
            if card_order.is_none() {
                card_order = self.read_card_order(order).await?;
            }
            heard.extend(card_order);
        }
        // A card that failed because the person was rejected: the person's verdict is the reason.
        if failed {
            heard.extend(self.read_cardholder(order, salt).await?);
        }
        heard.push(card.map_or_else(missing, |card| said_of(&card)));
        // While the card waits, the person may be why.
        if waits && !requested {
            heard.extend(self.read_cardholder(order, salt).await?);
        }
        Ok(heard)
    }

    async fn read_card(
        &self,
        order: &Order,
        id: &uqpay::CardId,
    ) -> Result<Option<uqpay::Card>, Silence> {
        self.lists.card(self, account(order).as_ref(), id).await
    }

    async fn read_card_order(&self, order: &Order) -> Result<Option<Heard>, Silence> {
        let Some(id) = card_order_of(order) else {
            return Ok(None);
        };
        let account = account(order);
        let answer = authorized!(
            self,
            "get_card_order",
            May::Read,
            account.as_ref(),
            |auth| { self.client.get_card_order(auth, &id) }
        );
        Ok(self.seen(answer)?.and_then(|card_order| {
            let status = words::card_order_status(card_order.order_status.as_ref()?);
            let failure_code = card_order
                .failure_code
                .filter(|code| !code.is_empty())
                .map(String::into_boxed_str);
            let ids = words::ids(card_order.card_id.as_ref(), None, None);
            Some(Heard {
                fact: Fact::CardOrder {
                    status,
                    failure_code,
                },
                ids,
                sealed: Vec::new(),
            })
        }))
    }

    async fn read_cardholder(
        &self,
        order: &Order,
        salt: Option<&Salt>,
    ) -> Result<Option<Heard>, Silence> {
        let Some(id) = cardholder_of(order) else {
            return Ok(None);
        };
        let account = account(order);
        let answer = authorized!(
            self,
            "get_cardholder",
            May::Read,
            account.as_ref(),
            |auth| { self.client.get_cardholder(auth, &id) }
        );
        Ok(self.seen(answer)?.and_then(|person| {
            let status = words::cardholder_status(person.cardholder_status.as_ref()?);
            let (link, sealed) = self.link(
                person.idv_verification_url.as_ref(),
                person.idv_url_expires_at,
                salt,
            );
            Some(Heard {
                fact: Fact::Cardholder { status, link },
                ids: ProviderIds::default(),
                sealed,
            })
        }))
    }

    /// One page of the card list, of one person if named.
    pub(crate) async fn card_page(
        &self,
        order: &Order,
        holder: Option<&uqpay::CardholderId>,
        page: PageRequest,
    ) -> Result<Option<Page<uqpay::Card>>, Silence> {
        self.card_page_of(account(order).as_ref(), holder, page)
            .await
    }

    async fn card_page_of(
        &self,
        account: Option<&AccountId>,
        holder: Option<&uqpay::CardholderId>,
        page: PageRequest,
    ) -> Result<Option<Page<uqpay::Card>>, Silence> {
        let filter = uqpay::CardFilter {
            card_status: None,
            cardholder_id: holder.cloned(),
        };
        self.seen(authorized!(
            self,
            "list_cards",
            May::Read,
            account,
            |auth| { self.client.list_cards(auth, &filter, page) }
        ))
    }

    /// How the token is; none while one is minted.
    #[must_use]
    pub fn token_health(&self) -> Option<TokenHealth> {
        self.tokens.health()
    }

    /// One page of the cardholder list.
    pub(crate) async fn cardholder_page(
        &self,
        order: &Order,
        page: PageRequest,
    ) -> Result<Option<Page<uqpay::Cardholder>>, Silence> {
        let account = account(order);
        self.seen(authorized!(
            self,
            "list_cardholders",
            May::Read,
            account.as_ref(),
            |auth| { self.client.list_cardholders(auth, None, page) }
        ))
    }

    pub(crate) fn search_pages(&self) -> u32 {
        self.options.search_pages
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn read_products(&self) -> Result<Vec<Product>, Silence> {
        let mut products = Vec::new();
        let mut page = PageRequest::new(1, PageRequest::MAX_SIZE).ok();
        while let Some(request) = page {
            let answer = authorized!(
                self,
                "list_products",
                May::Read,
                None::<&AccountId>,
                |auth| { self.client.list_products(auth, request) }
            );
            let Some(listed) = self.seen(answer)? else {
                break;
            };
            let more = listed.data.len() >= PageRequest::MAX_SIZE as usize
                && request.number() < MAX_PRODUCT_PAGES;
            products.extend(listed.data.iter().filter_map(product));
            page = more.then(|| request.next());
        }
        Ok(products)
    }
}

/// A catalogue longer than this is cut.
const MAX_PRODUCT_PAGES: u32 = 20;

#[async_trait]
impl ReadCards for UqpayProvider {
    async fn card(
        &self,
        account: Option<&AccountId>,
        id: &uqpay::CardId,
    ) -> Result<Option<uqpay::Card>, Silence> {
        self.seen(authorized!(self, "get_card", May::Read, account, |auth| {
            self.client.get_card(auth, id)
        }))
    }

    async fn cards(
        &self,
        account: Option<&AccountId>,
        page: PageRequest,
    ) -> Result<Option<Page<uqpay::Card>>, Silence> {
        self.card_page_of(account, None, page).await
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

fn account(order: &Order) -> Option<AccountId> {
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

fn missing() -> Heard {
    Heard {
        fact: Fact::CardMissing,
        ids: ProviderIds::default(),
        sealed: Vec::new(),
    }
}

fn absent(scan: Scan) -> Heard {
    Heard {
        fact: Fact::CardAbsent(scan),
        ids: ProviderIds::default(),
        sealed: Vec::new(),
    }
}

fn said_of(card: &uqpay::Card) -> Heard {
    let status = card
        .details
        .card_status
        .as_ref()
        .map_or(CardStatus::Pending, words::card_status);
    let ids = words::ids(Some(&card.card_id), None, card.details.cardholder_id());
    Heard {
        fact: Fact::Card(status),
        ids,
        sealed: Vec::new(),
    }
}
