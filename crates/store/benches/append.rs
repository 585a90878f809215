//! Acknowledged appends per second and how long each took, by number of callers, beside a bare group commit of the same
//! bytes: one thread that appends and calls `fdatasync`. Run it on the disk that is to be judged:
//! `cargo bench -p issuance-store --bench append -- DIRECTORY [SECONDS]`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a program for people that measures time"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use issuance_domain::{Event, EventBody, Order, OrderId, Policy, Timestamp, Version};
use issuance_store::vault::{Keyring, MasterKey};
use issuance_store::{
    Append, EmbeddedStore, Field, Limits, Options, Past, Projection, Sealing, Store,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

const CALLERS: [usize; 4] = [1, 16, 64, 256];
/// Appends to an order before its caller goes on with the next.
const EVENTS: u64 = 7;

struct Run {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let dir = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments
        .next()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(3);
    let lasts = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "{:>7} | {:>28} | {:>28} | {:>11} {:>8}",
        "callers", "raw: per s, p50, p99", "store: per s, p50, p99", "store / raw", "p50 ratio"
    );
    for callers in CALLERS {
        let place = tempfile::tempdir_in(&dir).unwrap();
        let (store, line) = runtime.block_on(store(place.path(), callers, lasts));
        let raw = runtime.block_on(raw(place.path(), callers, lasts, line));
        println!(
            "{callers:>7} | {:>28} | {:>28} | {:>10.0}% {:>8.2}",
            show(&raw),
            show(&store),
            100.0 * store.per_second / raw.per_second,
            store.p50.as_secs_f64() / raw.p50.as_secs_f64(),
        );
    }
}

fn show(run: &Run) -> String {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    format!(
        "{:>8.0} {:>7.2}ms {:>7.2}ms",
        run.per_second,
        millis(run.p50),
        millis(run.p99)
    )
}

fn summary(mut times: Vec<Duration>, took: Duration) -> Run {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    Run {
        per_second: times.len() as f64 / took.as_secs_f64(),
        p50: at(50),
        p99: at(99),
    }
}

/// Callers that each append to orders of their own; the first event of each order brings a sealed kilobyte. Also gives
/// the mean bytes of an append.
async fn store(dir: &Path, callers: usize, lasts: Duration) -> (Run, usize) {
    let keys = Arc::new(Keyring::new("bench", MasterKey::new([7; 32])));
    let options = Options {
        dir: dir.join("store"),
        keys,
        policy: Policy::standard(),
        limits: Limits::default(),
        past: Past::default(),
    };
    let (store, _) = EmbeddedStore::open(options).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let begun = Instant::now();
    let run = |caller: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (mut times, policy) = (Vec::new(), Policy::standard());
            for number in 0.. {
                let id = OrderId(Uuid::from_u128(((number as u128) << 64) + caller as u128));
                let mut order: Option<Arc<Order>> = None;
                for _ in 0..EVENTS {
                    if begun.elapsed() > lasts {
                        return times;
                    }
                    let append = append(id, order.as_deref(), &policy);
                    order = Some(append.projection.order.clone());
                    let started = Instant::now();
                    store.append(append).await.unwrap();
                    times.push(started.elapsed());
                }
            }
            times
        })
    };
    let tasks: Vec<_> = (0..callers).map(run).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let run = summary(times, begun.elapsed());
    let appends = (run.per_second * lasts.as_secs_f64()).max(1.0);
    store.close().await.unwrap();
    let bytes = ["journal", "vault"].map(|part| size(&dir.join("store").join(part)));
    (run, (bytes.iter().sum::<u64>() as f64 / appends) as usize)
}

fn size(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

fn append(id: OrderId, before: Option<&Order>, policy: &Policy) -> Append {
    let at = Timestamp::from_millis(1_760_000_000_000);
    let body = match before {
        None => {
            let body = serde_json::json!({ "name": "order_requested", "body": {
                "personal_digest": "8c8a9c5d".repeat(8),
                "terms": {
                    "reference": id.to_string(), "product_id": "2f1c0a3e-0000-4000-8000-000000000000",
                    "currency": "USD", "usage": issuance_domain::Usage::Normal, "kyc": "none",
                },
            } });
            serde_json::from_value(body).unwrap()
        }
        Some(_) => EventBody::HostNotified {
            through: Version(0),
        },
    };
    let events = vec![Event { at, body }];
    let projection = Projection::after(id, before, &events, policy)
        .unwrap()
        .unwrap();
    let expected = before.map_or(Version::NONE, |order| order.version);
    let personal = Sealing {
        field: Field::Request,
        plaintext: vec![b'x'; 1_024].into(),
    };
    let sealed = if before.is_none() {
        vec![personal]
    } else {
        Vec::new()
    };
    Append {
        order: id,
        expected,
        events,
        projection,
        sealed,
        settles: None,
    }
}

/// The floor: the same callers, the same bytes, one thread that writes what waits and syncs once.
async fn raw(dir: &Path, callers: usize, lasts: Duration, bytes: usize) -> Run {
    type Waiting = mpsc::Receiver<oneshot::Sender<()>>;
    let (sender, mut waiting): (_, Waiting) = mpsc::channel(4_096);
    let mut file = File::create(dir.join("raw")).unwrap();
    let writer = std::thread::spawn(move || {
        let line = vec![b'x'; bytes];
        while let Some(first) = waiting.blocking_recv() {
            let mut group = vec![first];
            while let (true, Ok(next)) = (group.len() < 1_024, waiting.try_recv()) {
                group.push(next);
            }
            file.write_all(&line.repeat(group.len())).unwrap();
            file.sync_data().unwrap();
            group
                .into_iter()
                .for_each(|answer| answer.send(()).unwrap());
        }
    });
    let begun = Instant::now();
    let run = |_| {
        let sender = sender.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() <= lasts {
                let started = Instant::now();
                let (answer, answered) = oneshot::channel();
                sender.send(answer).await.unwrap();
                answered.await.unwrap();
                times.push(started.elapsed());
            }
            times
        })
    };
    let tasks: Vec<_> = (0..callers).map(run).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = begun.elapsed();
    drop(sender);
    writer.join().unwrap();
    summary(times, took)
}
