//! A store that grows: whether it slows down, what it takes on disk and in memory, how fast it is opened, verified and
//! replayed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use issuance_domain::{Event, Order, OrderId, evolve};
use issuance_store::journal::{DataDir, Reader, RecordRef};
use issuance_store::{EmbeddedStore, Store, read_event};
use tokio::runtime::Runtime;

use super::acks::spread;
use super::load::{EVENTS, Story, open, options, order_id, size};
use super::machine::{self, resident};
use super::{Effort, FULL};

/// The word by which this program runs itself to measure an open.
pub(crate) const REOPEN: &str = "reopen";
/// The word by which it runs itself to place more orders and die of kill -9.
pub(crate) const KILLED: &str = "killed";
/// The word that has a store's log read.
pub(crate) const REPLAY: &str = "replay";
const CALLERS: u64 = 256;
/// Equal parts of the fill.
const PARTS: u64 = 10;

pub(crate) fn measure(dir: &Path, effort: Effort) {
    let place = tempfile::tempdir_in(dir).unwrap();
    let data = place.path().join("store");
    println!(
        "\nfill: {} orders of {EVENTS} events by {CALLERS} callers, {} left open, one old order read every ms",
        effort.orders, effort.open
    );
    head();
    let store = open(&data);
    for part in 0..PARTS {
        fill(&store, effort, part);
    }
    let begun = Instant::now();
    runtime().block_on(store.close()).unwrap();
    println!("closed in {:.2} s", begun.elapsed().as_secs_f64());
    drop(store);
    println!("\nopened by a process of its own, first after that, and again");
    by_another(&[REOPEN.as_ref(), data.as_ref()]);
    by_another(&[REOPEN.as_ref(), data.as_ref()]);
    println!("\na tenth more by a process of its own, until kill -9");
    head();
    by_another(&[
        KILLED.as_ref(),
        data.as_ref(),
        effort.orders.to_string().as_ref(),
    ]);
    println!("opened first after that, and again");
    by_another(&[REOPEN.as_ref(), data.as_ref()]);
    by_another(&[REOPEN.as_ref(), data.as_ref()]);
    on_disk(&data);
    verify_and_replay(&data);
}

fn by_another(arguments: &[&OsStr]) {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(arguments).status().unwrap();
}

fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().build().unwrap()
}

fn head() {
    println!(
        "{:>10} | {:>9} | {:>8} {:>8} | longest ms: {:>7} {:>9}",
        "orders", "events/s", "RSS MiB", "most MiB", "append", "cold read"
    );
}

/// One part of the fill, and reads of old orders meanwhile.
fn fill(store: &Arc<EmbeddedStore>, effort: Effort, part: u64) {
    let Effort {
        orders,
        open: left_open,
        ..
    } = effort;
    let (story, append, read) = (Arc::new(Story::new()), Longest::new(), Longest::new());
    let begun = Instant::now();
    let range = part * orders / PARTS..(part + 1) * orders / PARTS;
    let run = |caller| {
        let (store, story, append) = (Arc::clone(store), Arc::clone(&story), Arc::clone(&append));
        let mine = (range.start + caller..range.end).step_by(CALLERS as usize);
        tokio::spawn(async move {
            let mut events = 0;
            for number in mine {
                // Spread over the whole book, as orders that wait for a person are.
                let open = number * left_open / orders != (number + 1) * left_open / orders;
                let steps = if open { EVENTS - 2 } else { EVENTS };
                events += place(&store, &story, &append, number, steps).await;
            }
            events
        })
    };
    let looking = look_back(store, range.start, &read);
    let runtime = runtime();
    let events: u64 = runtime.block_on(async {
        let looking = tokio::spawn(looking);
        let callers: Vec<_> = (0..CALLERS).map(run).collect();
        let mut events = 0;
        for caller in callers {
            events += caller.await.unwrap();
        }
        looking.abort();
        events
    });
    let (now, most) = resident();
    let per_second = events as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{:>10} | {per_second:>9.0} | {now:>8.0} {most:>8.0} | {:>19} {:>9}",
        range.end,
        append.millis(),
        read.millis()
    );
}

async fn place(
    store: &EmbeddedStore,
    story: &Story,
    longest: &Longest,
    number: u64,
    events: usize,
) -> u64 {
    let mut order: Option<Arc<Order>> = None;
    for _ in 0..events {
        let append = story.next(number, order.as_deref());
        order = Some(Arc::clone(&append.projection.order));
        let begun = Instant::now();
        store.append(append).await.unwrap();
        longest.note(begun);
    }
    events as u64
}

/// Reads one order of the older ones after the other, for ever.
fn look_back(
    store: &Arc<EmbeddedStore>,
    older: u64,
    longest: &Arc<Longest>,
) -> impl Future<Output = ()> + use<> {
    let (store, longest) = (Arc::clone(store), Arc::clone(longest));
    async move {
        for step in 0_u64.. {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let Some(number) = step.wrapping_mul(0x9e37_79b9_7f4a_7c15).checked_rem(older) else {
                return;
            };
            let begun = Instant::now();
            assert!(store.order(order_id(number)).await.unwrap().is_some());
            longest.note(begun);
        }
    }
}

/// How long the slowest took.
struct Longest(AtomicU64);

impl Longest {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(0)))
    }

    fn note(&self, begun: Instant) {
        let millis = begun.elapsed().as_millis() as u64;
        self.0.fetch_max(millis, Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn reader(data: &Path) -> Reader {
    let directory = DataDir::open(data).unwrap().directory("journal").unwrap();
    Reader::open(Arc::new(directory), None).unwrap().0
}

/// What a byte of an event costs. An event's own bytes are those of its line without what the chain adds: `prev` and
/// `hash`, 152 bytes; its body's alone are given too.
fn on_disk(data: &Path) {
    let (mut events, mut bodies) = (0, 0);
    for record in reader(data).records(1) {
        (events, bodies) = (events + 1, bodies + record.unwrap().body.get().len() as u64);
    }
    let [journal, vault, index] = ["journal", "vault", "index"].map(|part| size(&data.join(part)));
    let per_event = |bytes: u64| bytes as f64 / events as f64;
    println!(
        "\non disk, bytes an event: journal {:.0}, vault {:.0}, index {:.0}",
        per_event(journal),
        per_event(vault),
        per_event(index)
    );
    println!(
        "journal bytes for each byte of an event: {:.2} (of a body alone, {:.0} bytes: {:.2})",
        journal as f64 / (journal - 152 * events) as f64,
        per_event(bodies),
        journal as f64 / bodies as f64
    );
}

/// By one thread each, with the files in the page cache.
pub(crate) fn verify_and_replay(data: &Path) {
    let reader = reader(data);
    println!("\nthousand events for each second of one core");
    let verify = || assert_eq!(reader.verify_all().unwrap().head, reader.head());
    println!("verify, every hash and link: {}", timed(&reader, verify));
    let replay = timed(&reader, || replay(&reader));
    println!("replay, all of that and every order folded: {replay}");
}

/// The events of the log for each millisecond, three times. What comes of it is let go of when the clock has stopped.
fn timed<T>(reader: &Reader, run: impl Fn() -> T) -> String {
    let events = reader.head().position as f64;
    let rounds = (0..3).map(|_| {
        let before = machine::cpu();
        let done = run();
        let took = machine::cpu() - before;
        drop(done);
        events / took.as_secs_f64() / 1e3
    });
    spread(rounds.collect(), 0, "")
}

/// Boxed, because the map moves what is in it whenever it grows.
type Book = HashMap<OrderId, Box<Option<Order>>>;

fn replay(reader: &Reader) -> Book {
    let mut orders = Book::new();
    let mut scan = reader.records(1);
    while let Some((id, event)) = scan.visit(event_of).unwrap() {
        let place = orders.entry(id).or_default();
        **place = Some(evolve(id, place.take(), &event).unwrap());
    }
    orders
}

fn event_of(record: RecordRef<'_>) -> (OrderId, Event) {
    let event = read_event(
        record.name(),
        record.schema(),
        record.recorded_at(),
        record.body(),
    );
    let id = record.stream()["order/".len()..].parse();
    (id.unwrap(), event.unwrap())
}

/// Places more orders than the store has, and dies of it.
pub(crate) fn killed(data: &Path, orders: u64) {
    let effort = Effort {
        orders,
        open: orders / 10,
        ..FULL
    };
    fill(&open(data), effort, PARTS);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
}

/// Opens a store and tells how long it took and what memory it took.
pub(crate) fn reopen(data: &Path) {
    let begun = Instant::now();
    let (store, report) = EmbeddedStore::open(options(data)).unwrap();
    let took = begun.elapsed();
    let (now, most) = resident();
    println!(
        "{:.2} s, {} open orders, {} events replayed, RSS {now:.0} MiB, most {most:.0} MiB",
        took.as_secs_f64(),
        report.open_orders,
        report.index.replayed
    );
    drop(store);
}
