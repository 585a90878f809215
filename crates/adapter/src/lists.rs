//! Look-ups of many cards by list pages: a page tells a hundred cards for the price of one (contract §1.7). Whoever wants
//! a card while others do is answered from pages read after they asked, never from memory; whom no page answers is read
//! alone. Where a card stood last is remembered, only to guess which page is worth its call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use issuance_executor::Silence;
use issuance_uqpay::{AccountId, Card, CardId, Page, PageRequest};
use tokio::sync::oneshot;

/// How cards are read.
#[async_trait]
pub(crate) trait ReadCards: Send + Sync {
    /// One card; none when there is no such card.
    async fn card(&self, account: Option<&AccountId>, id: &CardId)
    -> Result<Option<Card>, Silence>;
    /// One page of all cards.
    async fn cards(
        &self,
        account: Option<&AccountId>,
        page: PageRequest,
    ) -> Result<Option<Page<Card>>, Silence>;
}

type Answer = Result<Option<Card>, Silence>;

/// Where look-ups of cards meet.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    desks: Mutex<HashMap<Option<AccountId>, Arc<Desk>>>,
}

/// The look-ups of one account.
#[derive(Debug, Default)]
struct Desk {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever reads for all that wait.
    turn: tokio::sync::Mutex<Places>,
}

#[derive(Debug)]
struct Waiting {
    id: CardId,
    tell: oneshot::Sender<Answer>,
}

/// Where cards stood when their page was read last.
#[derive(Debug, Default)]
struct Places {
    page_of: HashMap<CardId, u32>,
    /// The page to explore next.
    next: u32,
    /// A page was explored last: the newest cards' comes before the next one. Room for one call must not always go to the
    /// same page.
    explored: bool,
}

/// Fewer waiting cards than this are read alone.
const WORTH_A_PAGE: usize = 4;
/// Pages read for one lot of waiting cards.
const MAX_PAGES: usize = 8;
/// Places remembered; beyond it the guessing starts over.
const MAX_PLACES: usize = 100_000;
/// Accounts with desks; beyond it idle ones are cleared away.
const MAX_DESKS: usize = 1_024;

impl Lists {
    /// One card as the provider has it now, from a page or alone.
    pub(crate) async fn card(
        &self,
        read: &dyn ReadCards,
        account: Option<&AccountId>,
        id: &CardId,
    ) -> Answer {
        let desk = self.desk(account);
        loop {
            let (tell, mut told) = oneshot::channel();
            lock(&desk.waiting).push(Waiting {
                id: id.clone(),
                tell,
            });
            let answer = tokio::select! {
                biased;
                answer = &mut told => answer,
                mut places = desk.turn.lock() => {
                    // Whoever is just about to ask shares the pages.
                    tokio::task::yield_now().await;
                    let lot = std::mem::take(&mut *lock(&desk.waiting));
                    serve(read, account, lot, &mut places).await;
                    drop(places);
                    told.await
                }
            };
            // Whoever read for us was given up: ask anew.
            if let Ok(answer) = answer {
                return answer;
            }
        }
    }

    /// A page of all cards was read for another reason: where they stand is worth remembering.
    pub(crate) fn saw(&self, account: Option<&AccountId>, number: u32, page: &Page<Card>) {
        if let Ok(mut places) = self.desk(account).turn.try_lock() {
            places.remember(number, page);
        }
    }

    fn desk(&self, account: Option<&AccountId>) -> Arc<Desk> {
        let mut desks = lock(&self.desks);
        if desks.len() >= MAX_DESKS {
            desks.retain(|_, desk| Arc::strong_count(desk) > 1);
        }
        desks.entry(account.cloned()).or_default().clone()
    }
}

async fn serve(
    read: &dyn ReadCards,
    account: Option<&AccountId>,
    mut lot: Vec<Waiting>,
    places: &mut Places,
) {
    // Who went away wants no answer.
    lot.retain(|waiting| !waiting.tell.is_closed());
    for number in places.worth_reading(&lot) {
        let here = lot
            .iter()
            .filter(|waiting| places.page_of.get(&waiting.id) == Some(&number))
            .count();
        let unknown = lot
            .iter()
            .filter(|waiting| !places.page_of.contains_key(&waiting.id))
            .count();
        if here < 2 && unknown < WORTH_A_PAGE {
            continue;
        }
        let Ok(request) = PageRequest::new(number, PageRequest::MAX_SIZE) else {
            break;
        };
        // What no page answers is read alone, and silence is told there.
        let Ok(Some(page)) = read.cards(account, request).await else {
            break;
        };
        places.learn(number, &page);
        let mut cards: HashMap<_, _> = page
            .data
            .into_iter()
            .map(|card| (card.card_id.clone(), card))
            .collect();
        let mut rest = Vec::with_capacity(lot.len());
        for waiting in lot {
            match cards.remove(&waiting.id) {
                Some(card) => drop(waiting.tell.send(Ok(Some(card)))),
                None => rest.push(waiting),
            }
        }
        lot = rest;
    }
    join_all(lot.into_iter().map(async |Waiting { id, tell }| {
        let answer = read.card(account, &id).await;
        drop(tell.send(answer));
    }))
    .await;
}

impl Places {
    /// Pages likely to hold several of a lot, the best first; then the newest cards' page, and one never seen.
    fn worth_reading(&self, lot: &[Waiting]) -> Vec<u32> {
        if lot.len() < WORTH_A_PAGE {
            return Vec::new();
        }
        let mut hints: HashMap<u32, usize> = HashMap::new();
        for page in lot
            .iter()
            .filter_map(|waiting| self.page_of.get(&waiting.id))
        {
            *hints.entry(*page).or_default() += 1;
        }
        let mut pages: Vec<_> = hints.into_iter().collect();
        pages.sort_by_key(|(page, count)| (std::cmp::Reverse(*count), *page));
        let mut pages: Vec<_> = pages
            .into_iter()
            .map(|(page, _)| page)
            .take(MAX_PAGES - 2)
            .collect();
        let mut guesses = [1, self.next.max(1)];
        if !self.explored {
            guesses.reverse();
        }
        for page in guesses {
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
        pages
    }

    fn remember(&mut self, number: u32, page: &Page<Card>) {
        if self.page_of.len() + page.data.len() > MAX_PLACES {
            self.page_of.clear();
        }
        self.page_of
            .extend(page.data.iter().map(|card| (card.card_id.clone(), number)));
    }

    fn learn(&mut self, number: u32, page: &Page<Card>) {
        self.remember(number, page);
        self.explored = number == self.next.max(1);
        if self.explored {
            let is_last = match page.total_pages {
                Some(total) => u64::from(number) >= total,
                None => page.data.len() < PageRequest::MAX_SIZE as usize,
            };
            self.next = if is_last { 1 } else { number + 1 };
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

    use super::*;
    use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

    /// So many cards, in no order of ours; counts the calls.
    struct Cards {
        ids: Vec<CardId>,
        limit: AtomicU32,
        calls: AtomicUsize,
        pages_fail: bool,
    }

    impl Cards {
        fn new(count: u32, pages_fail: bool) -> Self {
            let id =
                |number| CardId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap();
            let calls = AtomicUsize::new(0);
            Self {
                ids: (0..count).map(id).collect(),
                limit: AtomicU32::new(0),
                calls,
                pages_fail,
            }
        }

        /// A card shows when it was read.
        fn row(&self, id: &CardId) -> Card {
            let limit = self.limit.load(Ordering::SeqCst);
            let text = format!("{{\"card_id\":\"{}\",\"card_limit\":{limit}}}", id.as_str());
            serde_json::from_str(&text).unwrap()
        }
    }

    #[async_trait]
    impl ReadCards for Cards {
        async fn card(&self, _: Option<&AccountId>, id: &CardId) -> Answer {
            self.calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(self.ids.contains(id).then(|| self.row(id)))
        }

        async fn cards(
            &self,
            _: Option<&AccountId>,
            page: PageRequest,
        ) -> Result<Option<Page<Card>>, Silence> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let rows = self
                .ids
                .chunks(100)
                .nth(page.number() as usize - 1)
                .unwrap_or_default();
            let data = rows.iter().map(|id| self.row(id)).collect();
            tokio::task::yield_now().await;
            if self.pages_fail {
                return Err(Silence::new(issuance_domain::SilenceCause::TimedOut));
            }
            Ok(Some(Page {
                total_pages: None,
                total_items: None,
                data,
            }))
        }
    }

    #[tokio::test]
    async fn many_at_once_cost_a_fraction_and_one_costs_one() {
        let (cards, lists) = (Cards::new(3_000, false), Lists::default());
        let first = lists.card(&cards, None, &cards.ids[7]).await.unwrap();
        assert_eq!(first.unwrap().card_id, cards.ids[7]);
        assert_eq!(cards.calls.swap(0, Ordering::SeqCst), 1);
        for round in 0..2 {
            for lot in cards.ids.chunks(64) {
                let read = join_all(lot.iter().map(|id| lists.card(&cards, None, id))).await;
                let read: Vec<_> = read
                    .into_iter()
                    .map(|card| card.unwrap().unwrap().card_id)
                    .collect();
                assert_eq!(read, lot);
            }
            let calls = cards.calls.swap(0, Ordering::SeqCst);
            assert!(
                calls < [1_500, 200][round],
                "{calls} calls in round {round}"
            );
        }
    }

    #[tokio::test]
    async fn nobody_is_answered_from_before_they_asked() {
        let (cards, lists) = (Cards::new(50, false), Lists::default());
        for limit in 1..20_u32 {
            cards.limit.store(limit, Ordering::SeqCst);
            let read = join_all(cards.ids.iter().map(|id| lists.card(&cards, None, id))).await;
            for card in read {
                assert_eq!(
                    card.unwrap().unwrap().details.card_limit,
                    Some(limit.into())
                );
            }
        }
    }

    #[tokio::test]
    async fn pages_that_fail_and_cards_that_are_not_there_are_read_alone() {
        let (cards, lists) = (Cards::new(50, true), Lists::default());
        let nobody = CardId::parse("ffffffff-0000-4000-8000-000000000000").unwrap();
        let wanted: Vec<_> = cards.ids.iter().take(10).chain([&nobody]).collect();
        let read = join_all(wanted.iter().map(|id| lists.card(&cards, None, id))).await;
        assert!(
            read[..10]
                .iter()
                .all(|card| card.as_ref().unwrap().is_some())
        );
        assert!(read[10].as_ref().unwrap().is_none());
    }

    #[tokio::test]
    async fn who_reads_for_others_and_is_given_up_leaves_them_not_alone() {
        let (cards, lists) = (Cards::new(50, false), Lists::default());
        let mut first = Box::pin(lists.card(&cards, None, &cards.ids[0]));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(lists.card(&cards, None, &cards.ids[1]));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.unwrap().is_some());
    }
}
