//! What is read at the provider: their record → facts.

use async_trait::async_trait;
use issuance_domain::planted::{self, Bug};
use issuance_domain::{
    CardStatus, Echo, Fact, Order, Product, ProviderIds, Scan, SilenceCause, State,
};
use issuance_executor::{Clock, Heard, Silence};
use issuance_store::{Salt, SealedRequest};
use issuance_uqpay as uqpay;
use uqpay::{AccountId, Answer, Auth, Page, PageRequest};

use super::{May, UqpayProvider, account, card_of, card_order_of, cardholder_of};
use crate::lists::{Lists, ReadCards};
use crate::products::product;
use crate::search::{Search, Searches};
use crate::words::{self, Meaning};

/// A catalogue longer than this is cut.
const MAX_PRODUCT_PAGES: u32 = 20;

impl UqpayProvider {
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
                        self.budget.close(now, &silence);
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
    pub(super) async fn read_order(
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
            Some(id) => match self.read_card(order, id).await {
                Err(_) if planted::is(Bug::SilenceIsMissing) => None,
                read => read?,
            },
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

    pub(crate) async fn read_card(
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
                echo: Echo::default(),
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
                echo: Echo::default(),
                sealed,
            })
        }))
    }

    /// One page of the card list, of one person if named.
    pub(crate) async fn card_page(
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

    /// One page of the cardholder list.
    pub(crate) async fn cardholder_page(
        &self,
        account: Option<&AccountId>,
        page: PageRequest,
    ) -> Result<Option<Page<uqpay::Cardholder>>, Silence> {
        self.seen(authorized!(
            self,
            "list_cardholders",
            May::Read,
            account,
            |auth| { self.client.list_cardholders(auth, None, page) }
        ))
    }

    pub(crate) fn search_pages(&self) -> u32 {
        self.options.search_pages
    }

    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(crate) fn searches(&self) -> &Searches {
        &self.searches
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) async fn read_products(&self) -> Result<Vec<Product>, Silence> {
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
        self.card_page(account, None, page).await
    }
}

fn missing() -> Heard {
    Heard {
        fact: Fact::CardMissing,
        ids: ProviderIds::default(),
        echo: Echo::default(),
        sealed: Vec::new(),
    }
}

fn absent(scan: Scan) -> Heard {
    Heard {
        fact: Fact::CardAbsent(scan),
        ids: ProviderIds::default(),
        echo: Echo::default(),
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
        echo: words::echo_of(&card.details),
        sealed: Vec::new(),
    }
}
