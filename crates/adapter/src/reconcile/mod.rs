//! Our open and recent orders against the provider's lists: what is missing there, unknown here, double or different.
//! What concerns an order of ours it learns, as from any look-up; to a card that no order explains nothing is ever done.

mod compare;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use issuance_domain::{
    Account, CardStatus, Command, Fact, METADATA_ORDER_KEY, Observation, Order, OrderId,
    ProviderIds, Source, Timestamp,
};
use issuance_executor::Clock;
use issuance_store::{Alias, CommandHandler, HandleError, Query, Request, StoreError};
use issuance_uqpay::{AccountId, Card, CardId, Page, PageRequest};
use serde::Serialize;

pub use self::compare::{Difference, Proposal};

use self::compare::{Listed, compare};
use crate::lists::ReadCards;
use crate::provider::UqpayProvider;
use crate::words;

/// What one reconciliation found.
#[derive(Debug, Clone, Serialize)]
pub struct Reconciliation {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Every list was read to its end, and every open and recent order held against it.
    pub complete: bool,
    /// List pages read.
    pub pages: u32,
    /// Cards seen.
    pub cards: usize,
    /// Orders compared.
    pub orders: usize,
    /// What was found, at most a thousand.
    pub differences: Vec<Finding>,
    /// How many there are in all.
    pub total: usize,
}

/// One difference and what becomes of it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What.
    #[serde(flatten)]
    pub difference: Difference,
    /// What should be done.
    pub proposal: Proposal,
    /// The order learnt it just now, or looks again.
    pub applied: bool,
}

/// Compares and lets orders learn.
#[derive(Debug)]
pub struct Reconciler {
    provider: Arc<UqpayProvider>,
    handler: CommandHandler,
    clock: Arc<dyn Clock>,
}

/// Pages read of an account's list: as many cards as orders.
const MAX_PAGES: u32 = 200;
/// Orders that ended this long ago are not compared any more.
const RECENT: Duration = Duration::from_secs(48 * 3_600);
/// Orders of one state compared at once, newest first.
const MAX_ORDERS: usize = 20_000;
/// Orders read at once.
const BATCH: usize = 500;
/// Differences told of one by one.
const MAX_FINDINGS: usize = 1_000;
/// Waits for the budget, together no longer than some minutes.
const MAX_WAITS: u32 = 600;

/// Cards of all accounts, and which lists were read to their ends.
#[derive(Default)]
struct Seen {
    cards: Vec<Card>,
    complete: HashSet<Option<Account>>,
    pages: u32,
}

impl Reconciler {
    /// Compares what `handler` keeps with what `provider` lists.
    #[must_use]
    pub fn new(
        provider: Arc<UqpayProvider>,
        handler: CommandHandler,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            provider,
            handler,
            clock,
        }
    }

    /// Compares now, and lets our orders learn what they do not know.
    ///
    /// # Errors
    /// When the store could not. A provider that is silent makes the report incomplete.
    pub async fn run(&self) -> Result<Reconciliation, StoreError> {
        let started_at = self.clock.now();
        // Orders first: a card made after them belongs to one of these or to one in the store by then.
        let (orders, all_orders) = self.orders(started_at).await?;
        let mut accounts: BTreeSet<Option<Account>> = orders
            .iter()
            .map(|order| order.terms.account.clone())
            .collect();
        accounts.insert(None);
        let mut seen = Seen::default();
        for account in &accounts {
            self.read(account, &mut seen).await;
        }
        let mut cards = Vec::with_capacity(seen.cards.len());
        for card in &seen.cards {
            cards.extend(self.listed(card).await?);
        }
        // As they are now: what changed since is no difference.
        let mut now = Vec::with_capacity(orders.len());
        for order in &orders {
            now.extend(self.handler.store().order(order.id).await?);
        }
        let now: Vec<&Order> = now.iter().map(|order| &**order).collect();
        let found = compare(&now, &cards, |account| {
            seen.complete.contains(&account.cloned())
        });
        let total = found.len();
        let mut differences = Vec::new();
        for difference in found {
            let applied = self.apply(&difference, &cards).await?;
            metrics::counter!("issuance_reconciliation_differences_total", "difference" => difference.name())
                .increment(1);
            if differences.len() < MAX_FINDINGS {
                differences.push(Finding {
                    proposal: difference.proposal(),
                    difference,
                    applied,
                });
            }
        }
        let report = Reconciliation {
            started_at,
            ended_at: self.clock.now(),
            complete: all_orders && seen.complete.len() == accounts.len(),
            pages: seen.pages,
            cards: seen.cards.len(),
            orders: orders.len(),
            differences,
            total,
        };
        tell(&report);
        Ok(report)
    }

    /// Our open and recent orders, and whether these are all.
    async fn orders(&self, now: Timestamp) -> Result<(Vec<Arc<Order>>, bool), StoreError> {
        let (mut orders, mut all) = (Vec::new(), true);
        for state in ["requested", "accepted", "idv_pending", "active", "failed"] {
            let (mut before, mut count) = (None, 0);
            loop {
                let query = Query {
                    state: Some(state.into()),
                    before,
                    limit: BATCH,
                    ..Query::default()
                };
                let page = self.handler.store().list(&query).await?;
                count += page.orders.len();
                let is_old = |order: &Order| {
                    order.state.is_terminal() && now.since(order.placed_at) > RECENT
                };
                let reached_old = page.orders.last().is_some_and(|order| is_old(order));
                orders.extend(page.orders.into_iter().filter(|order| !is_old(order)));
                before = page.next;
                if before.is_none() || reached_old {
                    break;
                }
                if count >= MAX_ORDERS {
                    all = false;
                    break;
                }
            }
        }
        Ok((orders, all))
    }

    /// Reads an account's list page by page. Rows shift between pages while cards are made (contract §1.7): each is taken
    /// once, and a list that shrank under our hands is not complete.
    async fn read(&self, account: &Option<Account>, seen: &mut Seen) {
        let theirs = match account
            .as_ref()
            .map(|account| AccountId::parse(account.as_str()))
        {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return,
        };
        let mut ids: HashSet<CardId> = HashSet::new();
        for number in 1..=MAX_PAGES {
            let Ok(request) = PageRequest::new(number, PageRequest::MAX_SIZE) else {
                return;
            };
            let Some(page) = self.page(theirs.as_ref(), request).await else {
                return;
            };
            seen.pages += 1;
            let is_last = match page.total_pages {
                Some(total) => u64::from(number) >= total,
                None => page.data.len() < PageRequest::MAX_SIZE as usize,
            };
            let total = page.total_items;
            let news = page
                .data
                .into_iter()
                .filter(|card| ids.insert(card.card_id.clone()));
            seen.cards.extend(news);
            if is_last {
                if total.is_none_or(|total| ids.len() as u64 >= total) {
                    seen.complete.insert(account.clone());
                }
                return;
            }
        }
    }

    /// A page, waited for while the budget has no room. None when the provider stays silent.
    async fn page(&self, account: Option<&AccountId>, request: PageRequest) -> Option<Page<Card>> {
        for _ in 0..MAX_WAITS {
            match self.provider.cards(account, request).await {
                Ok(page) => return page,
                Err(silence) => {
                    let cause = &silence.cause;
                    let Some(wait) = silence.retry_after() else {
                        tracing::warn!(
                            ?cause,
                            page = request.number(),
                            "reconciliation cannot read the card list"
                        );
                        return None;
                    };
                    tracing::debug!(?cause, "reconciliation waits");
                    self.clock.sleep(wait).await;
                }
            }
        }
        None
    }

    async fn listed(&self, card: &Card) -> Result<Option<Listed>, StoreError> {
        let Some(id) = words::card_id(&card.card_id) else {
            return Ok(None);
        };
        let store = self.handler.store();
        let mark = card.details.metadata.get(METADATA_ORDER_KEY);
        let marked = match mark.and_then(|mark| mark.parse::<OrderId>().ok()) {
            Some(order) => store.order(order).await?.map(|order| order.id),
            None => None,
        };
        let order = match marked {
            Some(order) => Some(order),
            None => store.find(&Alias::Card(id.clone())).await?.first().copied(),
        };
        let status = card
            .details
            .card_status
            .as_ref()
            .map_or(CardStatus::Pending, words::card_status);
        Ok(Some(Listed {
            echo: words::echo_of(&card.details),
            card: id,
            status,
            order,
            is_marked: mark.is_some(),
        }))
    }

    /// Lets the order learn. Whether that changed anything.
    async fn apply(&self, difference: &Difference, cards: &[Listed]) -> Result<bool, StoreError> {
        let Some(order) = difference.order() else {
            return Ok(false);
        };
        let commands: Vec<_> = match difference {
            // An order that has ended looks no more: the list's word is all there is.
            Difference::MissingThere { ended: true, .. } => vec![missing()],
            Difference::MissingThere { ended: false, .. } => vec![Command::Hint {
                source: Source::LookUp,
            }],
            Difference::UnknownHere { card, .. } | Difference::StateDiffers { card, .. } => cards
                .iter()
                .filter(|listed| listed.card == *card)
                .map(learn)
                .collect(),
            Difference::TwoCards { cards: both, .. } => cards
                .iter()
                .filter(|listed| both.contains(&listed.card))
                .map(learn)
                .collect(),
            Difference::NoSuchOrder { .. } | Difference::Unexplained { .. } => Vec::new(),
        };
        let mut changed = false;
        for command in commands {
            match self
                .handler
                .handle(Request::new(order, command, self.clock.now()))
                .await
            {
                Ok(decision) => changed |= !decision.events.is_empty(),
                Err(HandleError::Store(error)) => return Err(error),
                Err(error) => tracing::debug!(%error, "a difference changed nothing"),
            }
        }
        Ok(changed)
    }
}

fn missing() -> Command {
    Command::Learn(Observation {
        fact: Fact::CardMissing,
        ids: ProviderIds::default(),
        echo: Box::default(),
        source: Source::LookUp,
    })
}

fn learn(listed: &Listed) -> Command {
    let ids = ProviderIds {
        card: Some(listed.card.clone()),
        ..Default::default()
    };
    Command::Learn(Observation {
        fact: Fact::Card(listed.status.clone()),
        ids,
        echo: listed.echo.clone().into(),
        source: Source::LookUp,
    })
}

fn tell(report: &Reconciliation) {
    let mut by_kind: HashMap<&str, usize> = HashMap::new();
    for finding in &report.differences {
        *by_kind.entry(finding.difference.name()).or_default() += 1;
    }
    let Reconciliation {
        complete,
        pages,
        cards,
        orders,
        total,
        ..
    } = report;
    if *total == 0 {
        tracing::info!(
            complete,
            pages,
            cards,
            orders,
            "reconciled; nothing differs"
        );
    } else {
        tracing::warn!(
            complete,
            pages,
            cards,
            orders,
            total,
            ?by_kind,
            "reconciled; there are differences"
        );
    }
}
