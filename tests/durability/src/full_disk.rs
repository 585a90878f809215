//! F-081 on a real file system: the disk fills up under load. Writes are refused, reads go on, and when room is made appends
//! go on too, without a restart. A store that opens on the full disk, or refuses to, loses nothing either.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use issuance_domain::OrderId;
use issuance_store::{EmbeddedStore, Store};

use crate::acks::{AckFile, Acks};
use crate::image::{Image, Kind};
use crate::load::{self, Load};
use crate::orders::{id, options};
use crate::random::Random;
use crate::verdict::Verdict;
use crate::verify::verify;

const BYTES: u64 = 96 << 20;
const SEGMENT_BYTES: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often the disk fills up, each time with another rest of room.
    #[arg(long, default_value_t = 50)]
    levels: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the image lies. A directory of its own is made in it.
    #[arg(long)]
    work: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Sums {
    levels: u64,
    refusals: usize,
    stopped: u64,
    recovered: u64,
    closed_full: u64,
    opened_full: u64,
    acknowledged: usize,
    lost: usize,
    wrong: usize,
    unopenable: u64,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "file system",
        "levels",
        "refused as full",
        "stopped",
        "went on without restart",
        "closed while full",
        "opened while full",
        "acknowledged",
        "lost",
        "would not open",
        "wrong",
    ];
    let mut verdict = Verdict::new("full-disk", &columns);
    let work = match &args.work {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let work = work.expect("a directory to work in");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut sums = Sums::default();
    for level in 0..args.levels {
        let image = match Image::sized(Kind::Ext4, work.path(), BYTES) {
            Ok(image) => image,
            Err(why) => {
                verdict.skip(format!("a full file system: {why}"));
                return verdict;
            }
        };
        let what = format!("level {level}, seed {}", args.seed);
        let random = Random::new(args.seed, level);
        runtime.block_on(fill_up(
            &image,
            work.path(),
            random,
            &what,
            &mut sums,
            &mut verdict,
        ));
    }
    let counts = [
        sums.levels,
        sums.refusals as u64,
        sums.stopped,
        sums.recovered,
        sums.closed_full,
        sums.opened_full,
        sums.acknowledged as u64,
        sums.lost as u64,
        sums.unopenable,
        sums.wrong as u64,
    ];
    let counts = counts.iter().map(ToString::to_string);
    verdict.row(std::iter::once("ext4".to_owned()).chain(counts));
    verdict
}

/// Takes all room but `rest` bytes.
fn ballast(place: &Path, rest: u64) -> PathBuf {
    let path = place.join("ballast");
    let mut file = File::create(&path).unwrap();
    let chunk = vec![b'b'; 1 << 20];
    while file.write_all(&chunk).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(rest)).unwrap();
    let _ = file.sync_all();
    path
}

async fn fill_up(
    image: &Image,
    work: &Path,
    mut random: Random,
    what: &str,
    sums: &mut Sums,
    verdict: &mut Verdict,
) {
    let (dir, list) = (image.path().join("data"), work.join("acks"));
    let _ = std::fs::remove_file(&list);
    let acks = Arc::new(AckFile::append_to(&list));
    let load = |life, orders| Load {
        life,
        callers: 4,
        orders,
    };
    sums.levels += 1;

    // Nothing is kept at hand, so that reads need the index.
    let mut cold = options(&dir, SEGMENT_BYTES);
    cold.limits.orders_at_hand = 0;
    let (store, _) = EmbeddedStore::open(cold).expect("an empty store");
    let store: Arc<dyn Store> = Arc::new(store);
    load::run(&store, load(0, 4), &acks).await;
    // The index is written within this.
    tokio::time::sleep(Duration::from_millis(random.next() % 600)).await;
    let known: Vec<OrderId> = Acks::read(&list).orders.into_keys().collect();
    let ballast_path = ballast(image.path(), random.next() % (256 << 10));
    let loading = tokio::spawn({
        let (store, acks) = (Arc::clone(&store), Arc::clone(&acks));
        async move { load::run(&store, load(1, 2_000), &acks).await }
    });
    let end = Instant::now() + PATIENCE;
    while Acks::read(&list).full < 8 && Acks::read(&list).stops.is_empty() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = Acks::read(&list);
    sums.refusals += seen.full;
    if !seen.stops.is_empty() {
        sums.stopped += 1;
    } else {
        if seen.full == 0 {
            verdict.violation(format!("{what}: the disk did not fill up"));
        }
        for id in known {
            let read = (store.order(id).await, store.history(id).await);
            if !matches!(&read, (Ok(Some(_)), Ok(_))) {
                sums.wrong += 1;
                let why = (read.0.err(), read.1.err());
                verdict.violation(format!("{what}: no reads while the disk is full: {why:?}"));
            }
        }
    }
    loading.abort();
    let _ = loading.await;
    let end = Instant::now() + PATIENCE;
    while Arc::strong_count(&store) > 1 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if random.next().is_multiple_of(2) {
        // What waits for the index finds no room any more.
        drop(store);
        sums.closed_full += 1;
        std::fs::remove_file(&ballast_path).unwrap();
    } else {
        std::fs::remove_file(&ballast_path).unwrap();
        if seen.stops.is_empty() {
            // Room again, and the same process goes on.
            let before = Acks::read(&list).count();
            load::run(&store, load(2, 4), &acks).await;
            if Acks::read(&list).count() >= before + 4 * 4 {
                sums.recovered += 1;
            } else {
                sums.wrong += 1;
                verdict.violation(format!("{what}: appends did not go on when there was room"));
            }
        }
        drop(store);
    }

    // A start on a full disk: with the store, or a clear no.
    let ballast_path = ballast(image.path(), 0);
    if let Ok((store, _)) = EmbeddedStore::open(options(&dir, SEGMENT_BYTES)) {
        sums.opened_full += 1;
        if !store.order(id(0)).await.is_ok_and(|order| order.is_some()) {
            sums.wrong += 1;
            verdict.violation(format!("{what}: opened on a full disk, and cannot be read"));
        }
    }
    std::fs::remove_file(&ballast_path).unwrap();

    let acks = Acks::read(&list);
    sums.acknowledged += acks.count();
    for late in &acks.late {
        sums.wrong += 1;
        verdict.violation(format!("{what}: acknowledged after the stop: {late}"));
    }
    match verify(&dir, &acks).await {
        Ok(findings) => {
            sums.lost += findings.lost.len();
            sums.wrong += findings.wrong.len();
            for said in findings.lost.iter().chain(&findings.wrong) {
                verdict.violation(format!("{what}: {said}"));
            }
        }
        Err(why) => {
            sums.unopenable += 1;
            verdict.violation(format!("{what}: {why}"));
        }
    }
}
