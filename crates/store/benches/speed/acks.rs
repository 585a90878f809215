//! Acknowledged appends: how many a second and how long each takes, by number of callers. Raw and store take turns, so
//! that a busy machine is busy for both; what is printed is the middle of the rounds, and their range.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use issuance_domain::Order;
use issuance_store::{EmbeddedStore, Store};
use tokio::sync::{mpsc, oneshot};

use super::Effort;
use super::load::{EVENTS, Story, open, size};
use super::machine;

const CALLERS: [usize; 5] = [1, 16, 64, 256, 2_048];
const WARM_UP: Duration = Duration::from_millis(300);
/// As the store: appends made durable by one sync.
const GROUP: usize = 1_024;

/// What callers saw in one round.
struct Round {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl Round {
    fn new(mut times: Vec<Duration>, took: Duration) -> Self {
        times.sort_unstable();
        let at = |share: usize| {
            let time = times.get(times.len() * share / 100);
            time.copied().unwrap_or_default()
        };
        Self {
            per_second: times.len() as f64 / took.as_secs_f64(),
            p50: at(50),
            p99: at(99),
        }
    }
}

pub(crate) fn measure(dir: &Path, effort: Effort, only: Option<usize>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "\nacknowledged appends, {} rounds of {:?} each in turns\n{:>7} | {:^29} | {:^29} | {:^20} | {:^18} | {:^9}",
        effort.rounds,
        effort.lasts,
        "callers",
        "raw: /s, p50, p99 ms",
        "store: /s, p50, p99 ms",
        "store ÷ raw, /s",
        "p50 store ÷ raw",
        "CPU µs"
    );
    for callers in CALLERS
        .into_iter()
        .filter(|callers| only.is_none_or(|only| only == *callers))
    {
        let place = tempfile::tempdir_in(dir).unwrap();
        let data = place.path().join("store");
        let store = open(&data);
        let mut next = 0;
        let mut round = |lasts| {
            let ran = runtime.block_on(run_store(&store, callers, lasts, next));
            next += 1;
            ran
        };
        let warm = round(WARM_UP);
        let bytes = bytes(&data) as f64 / (warm.per_second * WARM_UP.as_secs_f64()).max(1.0);
        let (mut raws, mut stores, mut spent, mut appends) = (vec![], vec![], 0.0, 0.0);
        for _ in 0..effort.rounds {
            let file = place.path().join("raw");
            raws.push(runtime.block_on(run_raw(&file, callers, effort.lasts, bytes as usize)));
            std::fs::remove_file(file).unwrap();
            let before = machine::cpu();
            let ran = round(effort.lasts);
            spent += (machine::cpu() - before).as_secs_f64();
            appends += ran.per_second * effort.lasts.as_secs_f64();
            stores.push(ran);
        }
        let ratios = |of: fn(&Round) -> f64| {
            let pairs = raws.iter().zip(&stores);
            pairs
                .map(|(raw, store)| of(store) / of(raw))
                .collect::<Vec<_>>()
        };
        println!(
            "{callers:>7} | {} | {} | {:>20} | {:>18} | {:>9.1}",
            show(&raws),
            show(&stores),
            spread(ratios(|round| round.per_second), 2, ""),
            spread(ratios(|round| round.p50.as_secs_f64()), 2, ""),
            1e6 * spent / appends,
        );
        runtime.block_on(store.close()).unwrap();
    }
}

fn show(rounds: &[Round]) -> String {
    let millis = |of: fn(&Round) -> Duration| {
        1e3 * middle(rounds.iter().map(|round| of(round).as_secs_f64()).collect())
    };
    format!(
        "{:>9.0} {:>9.2} {:>9.2}",
        middle(rounds.iter().map(|round| round.per_second).collect()),
        millis(|round| round.p50),
        millis(|round| round.p99)
    )
}

pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The middle value, and the range of all.
pub(crate) fn spread(mut values: Vec<f64>, digits: usize, unit: &str) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let (first, last) = (values[0], values[values.len() - 1]);
    let middle = middle(values);
    format!("{middle:.digits$}{unit} ({first:.digits$}…{last:.digits$})")
}

/// Bytes made durable: journal and vault.
pub(crate) fn bytes(data: &Path) -> u64 {
    ["journal", "vault"]
        .map(|part| size(&data.join(part)))
        .iter()
        .sum()
}

/// Callers that each append to orders of their own, one event after the other.
async fn run_store(
    store: &Arc<EmbeddedStore>,
    callers: usize,
    lasts: Duration,
    round: u64,
) -> Round {
    let begun = Instant::now();
    let story = Arc::new(Story::new());
    let run = |caller: usize| {
        let (store, story) = (Arc::clone(store), Arc::clone(&story));
        tokio::spawn(async move {
            let mut times = Vec::new();
            for number in 0.. {
                let number = (round << 40) + number * callers as u64 + caller as u64;
                let mut order: Option<Arc<Order>> = None;
                for _ in 0..EVENTS {
                    if begun.elapsed() > lasts {
                        return times;
                    }
                    let append = story.next(number, order.as_deref());
                    order = Some(append.projection.order.clone());
                    let started = Instant::now();
                    store.append(append).await.unwrap();
                    times.push(started.elapsed());
                }
            }
            times
        })
    };
    gather((0..callers).map(run).collect(), begun).await
}

/// The floor: the same callers, the same bytes, one thread that writes what waits and syncs once.
async fn run_raw(path: &Path, callers: usize, lasts: Duration, bytes: usize) -> Round {
    type Waiting = mpsc::Receiver<oneshot::Sender<()>>;
    let (sender, mut waiting): (_, Waiting) = mpsc::channel(4_096);
    let mut file = File::create(path).unwrap();
    let writer = std::thread::spawn(move || {
        let lines = vec![b'x'; bytes * GROUP];
        while let Some(first) = waiting.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = waiting.try_recv()
            {
                group.push(next);
            }
            file.write_all(&lines[..bytes * group.len()]).unwrap();
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
    let round = gather((0..callers).map(run).collect(), begun).await;
    drop(sender);
    writer.join().unwrap();
    round
}

async fn gather(callers: Vec<tokio::task::JoinHandle<Vec<Duration>>>, begun: Instant) -> Round {
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.unwrap());
    }
    Round::new(times, begun.elapsed())
}
