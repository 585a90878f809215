//! A disk in memory that fails at the call it is told to: every call of a run, one a run, in every way, those of its open
//! included, once of a store that begins and once of one that finds what a power cut left. Afterwards the process is gone, or the power too, and what is left is opened on real files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use issuance_store::journal::{Disk as _, SimulatedDisk, SimulatedFault};
use issuance_store::{EmbeddedStore, Store};
use tokio::runtime::Runtime;

use super::{Args, Sums};
use crate::acks::{AckFile, Acks};
use crate::load::{self, Load};
use crate::orders::options;
use crate::verdict::Verdict;
use crate::verify::{Findings, verify};

/// Small, so that files are made and closed within a run.
const FILE_BYTES: u64 = 8 << 10;
const CALLERS: u64 = 3;
const ORDERS: u64 = 5;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const FAULTS: [(&str, SimulatedFault); 5] = [
    ("EIO", SimulatedFault::Errno(EIO)),
    ("ENOSPC", SimulatedFault::Errno(ENOSPC)),
    ("half written, then EIO", SimulatedFault::ShortErrno(EIO)),
    (
        "half written, then ENOSPC",
        SimulatedFault::ShortErrno(ENOSPC),
    ),
    ("short write", SimulatedFault::Short),
];

#[derive(Debug, Default)]
struct Disks {
    journal: SimulatedDisk,
    vault: SimulatedDisk,
}

impl Disks {
    fn part(&self, part: Part) -> &SimulatedDisk {
        match part {
            Part::Journal => &self.journal,
            Part::Vault => &self.vault,
        }
    }

    fn copy(&self) -> Self {
        Self {
            journal: self.journal.copy(),
            vault: self.vault.copy(),
        }
    }

    fn power_cut(&self, seed: u64) -> Self {
        Self {
            journal: self.journal.power_cut(seed),
            vault: self.vault.power_cut(seed + 1),
        }
    }

    /// Puts the files down for the verifier.
    fn put_down(&self, dir: &Path) {
        crate::verify::make_private(dir);
        for (disk, name) in [(&self.journal, "journal"), (&self.vault, "vault")] {
            let dir = dir.join(name);
            crate::verify::make_private(&dir);
            // A copy fails no more.
            let disk = disk.copy();
            for file in disk.list().unwrap() {
                std::fs::write(dir.join(&file), disk.bytes(&file).unwrap()).unwrap();
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Journal,
    Vault,
}

/// What a run finds: nothing, or what one before it left when the power went, and what that had acknowledged.
#[derive(Debug, Default)]
struct Found {
    disks: Disks,
    list: Vec<u8>,
    lives: u64,
}

/// What became of one run.
struct Run {
    disks: Disks,
    acks: Acks,
    list: Vec<u8>,
    opened: bool,
}

/// Opens a store on these disks in a directory of its own, and loads it.
async fn one(disks: Disks, found: &Found, work: &Path) -> Run {
    let place = tempfile::tempdir_in(work).unwrap();
    let list = place.path().join("acks");
    std::fs::write(&list, &found.list).unwrap();
    let opened = EmbeddedStore::open_on(
        options(place.path(), FILE_BYTES),
        Arc::new(disks.journal.clone()),
        Arc::new(disks.vault.clone()),
    );
    let opened = match opened {
        Err(_) => false,
        Ok((store, _)) => {
            let store: Arc<dyn Store> = Arc::new(store);
            let load = Load {
                life: found.lives + 1,
                callers: CALLERS,
                orders: ORDERS,
            };
            load::run(&store, load, &Arc::new(AckFile::append_to(&list))).await;
            true
        }
    };
    Run {
        disks,
        acks: Acks::read(&list),
        list: std::fs::read(&list).unwrap(),
        opened,
    }
}

async fn left(disks: &Disks, acks: &Acks, work: &Path) -> Result<Findings, String> {
    let place = tempfile::tempdir_in(work).unwrap();
    let dir = place.path().join("data");
    disks.put_down(&dir);
    verify(&dir, acks).await
}

/// One call fails in one way.
async fn case(
    found: &Found,
    part: Part,
    call: u64,
    fault: SimulatedFault,
    seed: u64,
    work: &Path,
) -> Sums {
    let lives = found.lives;
    let what = format!("simulated {part:?}, life {lives}, call {call}, {fault:?}, seed {seed}");
    let disks = found.disks.copy();
    disks.part(part).arm(call, fault);
    let run = one(disks, found, work).await;
    let mut sums = Sums {
        runs: 1,
        stopped: u64::from(!run.acks.stops.is_empty()),
        refused: u64::from(!run.opened),
        acknowledged: run.acks.count(),
        ..Sums::default()
    };
    sums.late(&what, &run.acks.late);
    sums.take(&what, left(&run.disks, &run.acks, work).await);
    let cut = run.disks.power_cut(seed ^ call);
    let what = format!("{what}, then a power cut");
    sums.take(&what, left(&cut, &run.acks, work).await);
    sums
}

pub(super) fn sweep(args: &Args, work: &Path, verdict: &mut Verdict) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let nothing = Found::default();
    let whole = runtime.block_on(one(Disks::default(), &nothing, work));
    let something = Found {
        disks: whole.disks.power_cut(args.seed),
        list: whole.list.clone(),
        lives: 1,
    };
    let again = runtime.block_on(one(something.disks.copy(), &something, work));
    for (found, whole) in [(&nothing, &whole), (&something, &again)] {
        each_call(args, &runtime, found, whole, work, verdict);
    }
}

/// Lets each call fail that the whole run made.
fn each_call(
    args: &Args,
    runtime: &Runtime,
    found: &Found,
    whole: &Run,
    work: &Path,
    verdict: &mut Verdict,
) {
    for part in [Part::Journal, Part::Vault] {
        let calls = whole.disks.part(part).calls();
        for (how, fault) in FAULTS {
            let next = AtomicU64::new(args.seed % args.every.max(1));
            let workers = std::thread::available_parallelism().map_or(2, usize::from);
            let sums = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..workers)
                    .map(|_| {
                        scope.spawn(|| {
                            let mut sums = Sums::default();
                            loop {
                                let call = next.fetch_add(args.every.max(1), Ordering::SeqCst);
                                if call >= calls {
                                    return sums;
                                }
                                let case = case(found, part, call, fault, args.seed, work);
                                sums.add(runtime.block_on(case));
                            }
                        })
                    })
                    .collect();
                let mut sums = Sums::default();
                for worker in workers {
                    sums.add(worker.join().unwrap());
                }
                sums
            });
            let name = match part {
                Part::Journal => "journal",
                Part::Vault => "vault",
            };
            let named = match found.lives {
                0 => format!("{name}, each of {calls} calls"),
                _ => format!("{name}, each of {calls} calls, found what a power cut left"),
            };
            if matches!(fault, SimulatedFault::Errno(EIO)) && sums.stopped == 0 {
                verdict.violation(format!("{named}: no error stopped the store"));
            }
            sums.row(["simulated", &named, how], verdict);
        }
    }
}
