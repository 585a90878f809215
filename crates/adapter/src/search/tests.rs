#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use issuance_domain::{METADATA_ORDER_KEY, OrderId, Timestamp};
use issuance_executor::{Clock, Silence};
use issuance_uqpay::{Card, Page, PageRequest};
use serde_json::json;

use super::desk::{Desk, ReadPage, Told, Visit};
use super::mark::Marked;

/// Time that a page takes, and nothing else.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

#[async_trait]
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000).after(self.steady())
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }

    fn jitter(&self) -> f64 {
        0.0
    }

    fn fill_random(&self, _: &mut [u8]) {}
}

impl Ticking {
    fn pass(&self, time: Duration) {
        self.0
            .fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// A hundred cards a page, each with the mark of its number; whoever reads has room for some calls only.
struct List {
    clock: Arc<Ticking>,
    cards: AtomicU32,
    room: AtomicU32,
    read: Mutex<Vec<u32>>,
}

const A_PAGE: Duration = Duration::from_millis(100);

fn order(number: u32) -> OrderId {
    format!("01920000-0000-7000-8000-{number:012}")
        .parse()
        .unwrap()
}

fn card(number: u32) -> Card {
    serde_json::from_value(json!({
        "card_id": format!("card-{number}"), "metadata": { METADATA_ORDER_KEY: order(number).to_string() },
    }))
    .unwrap()
}

#[async_trait]
impl ReadPage<Card> for List {
    async fn page(&self, request: PageRequest) -> Result<Option<Page<Card>>, Silence> {
        if self.room.load(Ordering::SeqCst) == 0 {
            return Err(Silence::held_back(Duration::from_millis(700)));
        }
        self.room.fetch_sub(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.clock.pass(A_PAGE);
        self.read.lock().unwrap().push(request.number());
        let all = self.cards.load(Ordering::SeqCst);
        let first = (request.number() - 1) * 100;
        Ok(Some(Page {
            total_pages: Some(u64::from(all.div_ceil(100).max(1))),
            total_items: Some(u64::from(all)),
            data: (first..all.min(first + 100)).map(card).collect(),
        }))
    }
}

struct Stage {
    clock: Arc<Ticking>,
    list: List,
    desk: Desk<Marked>,
}

impl Stage {
    fn new(cards: u32) -> Self {
        let clock = Arc::new(Ticking::default());
        let list = List {
            clock: clock.clone(),
            cards: cards.into(),
            room: u32::MAX.into(),
            read: Mutex::default(),
        };
        let desk = Desk::default();
        Self { clock, list, desk }
    }

    async fn ask(&self, number: u32) -> Result<Told<Marked>, Silence> {
        let visit = Visit {
            clock: &*self.clock,
            until: self.clock.steady() + Duration::from_secs(10),
            most_pages: 1_000,
        };
        self.desk
            .register(order(number), Marked::default, &*self.clock)?;
        self.desk.answer(order(number), &self.list, visit).await
    }

    fn read(&self) -> Vec<u32> {
        std::mem::take(&mut *self.list.read.lock().unwrap())
    }
}

/// When the walk began that says so.
fn absent(told: &Result<Told<Marked>, Silence>) -> Timestamp {
    match told {
        Ok(Told::Read(_, walked)) => walked.began,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn f_045_hundreds_who_ask_at_once_cost_one_walk() {
    let stage = Stage::new(1_250);
    let wanted = (0..64).map(|nth| if nth % 2 == 0 { nth * 19 } else { 5_000 + nth });
    let told = join_all(wanted.clone().map(|number| stage.ask(number))).await;
    for (number, told) in wanted.zip(told) {
        match told.unwrap() {
            Told::Found(marked) => assert_eq!(marked.0.unwrap(), card(number).card_id),
            Told::Read(_, walked) => assert_eq!((number >= 5_000, walked.rows), (true, 1_250)),
            Told::Nothing => panic!("{number}"),
        }
    }
    // The first who came found theirs at once; all who came meanwhile had one walk of their own.
    let read: Vec<_> = std::iter::once(1).chain(1..=13).collect();
    assert_eq!(stage.read(), read);
}

#[tokio::test]
async fn f_045_a_walk_goes_on_where_the_budget_stopped_it_whoever_comes() {
    let stage = Stage::new(1_000);
    for nth in 0..5 {
        stage.list.room.store(2, Ordering::SeqCst);
        let told = stage.ask(9_000 + nth % 2).await;
        assert_eq!(told.is_err(), nth < 4, "{told:?}");
        stage.clock.pass(Duration::from_secs(60));
    }
    assert_eq!(stage.read(), (1..=10).collect::<Vec<_>>());
    absent(&stage.ask(9_000).await);
    assert_eq!(stage.read(), [0; 0], "the answer was there");
}

/// Contract §6.5: what came while the list was read may be on a page read before.
#[tokio::test]
async fn contract_6_5_absence_is_told_only_by_a_walk_that_began_after_the_question() {
    let stage = Stage::new(400);
    stage.list.room.store(2, Ordering::SeqCst);
    assert!(stage.ask(9_000).await.is_err());
    let asked_at = stage.clock.now();
    stage.list.room.store(100, Ordering::SeqCst);
    let late = stage.ask(9_001).await;
    assert!(late.is_err(), "it read on for the other: {late:?}");
    assert!(absent(&stage.ask(9_000).await) < asked_at);
    stage.clock.pass(Duration::from_secs(60));
    assert!(absent(&stage.ask(9_001).await) >= asked_at);
    assert_eq!(stage.read(), [1, 2, 3, 4, 1, 2, 3, 4]);
    // Used and forgotten, it is looked for anew.
    stage.desk.forget(order(9_001));
    stage.clock.pass(Duration::from_secs(60));
    let again = stage.clock.now();
    assert!(absent(&stage.ask(9_001).await) >= again);
}

#[tokio::test]
async fn who_reads_for_all_and_is_given_up_stops_nobody() {
    let stage = Stage::new(300);
    let mut first = Box::pin(stage.ask(9_000));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(stage.ask(9_001));
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    absent(&second.await);
}

/// What stood still for long may have been sorted anew, and a longer list than is read at most proves nothing.
#[tokio::test]
async fn a_walk_that_stood_still_begins_anew() {
    let stage = Stage::new(300);
    stage.list.room.store(2, Ordering::SeqCst);
    assert!(stage.ask(9_000).await.is_err());
    stage.clock.pass(Duration::from_secs(11 * 60));
    stage.list.room.store(9, Ordering::SeqCst);
    let now = stage.clock.now();
    assert!(absent(&stage.ask(9_000).await) >= now);
    assert_eq!(stage.read(), [1, 2, 1, 2, 3]);
}
