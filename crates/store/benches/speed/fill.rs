//! A store that grows: whether it slows down, what it takes on disk and in memory, how fast it is opened, verified and
//! replayed.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use issuance_domain::{Event, Order, OrderId, evolve};
use issuance_store::journal::{DataDir, Reader, RecordRef};
use issuance_store::{EmbeddedStore, Store, read_event};

use super::Effort;
use super::acks::spread;
use super::load::{EVENTS, Story, open, options, size};
use super::machine::{self, resident};

/// The word by which this program runs itself to measure an open.
pub(crate) const REOPEN: &str = "reopen";
/// The word that has a store's log read.
pub(crate) const REPLAY: &str = "replay";
const CALLERS: u64 = 256;
/// Equal parts of the fill.
const PARTS: u64 = 10;

pub(crate) fn measure(dir: &Path, effort: Effort) {
    let place = tempfile::tempdir_in(dir).unwrap();
    let data = place.path().join("store");
    fill(&data, effort);
    on_disk(&data);
    verify_and_replay(&data);
    println!(
        "\nopened by a process of its own, {} of {} orders open",
        effort.open, effort.orders
    );
    for _ in 0..effort.rounds.min(3) {
        let program = std::env::current_exe().unwrap();
        let ran = Command::new(program).arg(REOPEN).arg(&data).status();
        assert!(ran.unwrap().success());
    }
}

fn fill(data: &Path, effort: Effort) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let Effort {
        orders,
        open: left_open,
        ..
    } = effort;
    println!(
        "\nfill: {orders} orders of {EVENTS} events by {CALLERS} callers, {left_open} left open\n{:>10} | {:>9} | {:>8} {:>8}",
        "orders", "events/s", "RSS MiB", "most MiB"
    );
    let store = open(data);
    let story = Arc::new(Story::new());
    for part in 0..PARTS {
        let begun = Instant::now();
        let range = part * orders / PARTS..(part + 1) * orders / PARTS;
        let run = |caller| {
            let (store, story) = (Arc::clone(&store), Arc::clone(&story));
            let mine = (range.start + caller..range.end).step_by(CALLERS as usize);
            tokio::spawn(async move {
                let mut events = 0;
                for number in mine {
                    // Spread over the whole book, as orders that wait for a person are.
                    let open = number * left_open / orders != (number + 1) * left_open / orders;
                    events += place(
                        &store,
                        &story,
                        number,
                        if open { EVENTS - 2 } else { EVENTS },
                    )
                    .await;
                }
                events
            })
        };
        let events: u64 = runtime.block_on(async {
            let callers: Vec<_> = (0..CALLERS).map(run).collect();
            let mut events = 0;
            for caller in callers {
                events += caller.await.unwrap();
            }
            events
        });
        let (now, most) = resident();
        let per_second = events as f64 / begun.elapsed().as_secs_f64();
        println!(
            "{:>10} | {per_second:>9.0} | {now:>8.0} {most:>8.0}",
            range.end
        );
    }
    let begun = Instant::now();
    runtime.block_on(store.close()).unwrap();
    println!("closed in {:.2} s", begun.elapsed().as_secs_f64());
}

async fn place(store: &EmbeddedStore, story: &Story, number: u64, events: usize) -> u64 {
    let mut order: Option<Arc<Order>> = None;
    for _ in 0..events {
        let append = story.next(number, order.as_deref());
        order = Some(Arc::clone(&append.projection.order));
        store.append(append).await.unwrap();
    }
    events as u64
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
