//! F-079 for real: a thin disk. A file system lies on an image that lies on another with less room than was promised. Writes
//! succeed, an `fsync` fails once, the next one says yes, and what the first should have stored is gone. A store must stop
//! at the first error and never acknowledge after it. Beside it a writer that tries its `fsync` again, and what it loses.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::acks::Acks;
use crate::child::{self, Ended, Running};
use crate::image::{Image, Kind};
use crate::random::Random;
use crate::verdict::Verdict;
use crate::verify::Findings;

/// Promised, and there: enough for the file system's own, and a few megabytes.
const PROMISED: u64 = 256 << 20;
const THERE_MIB: u64 = 14;
const TIMEOUT: Duration = Duration::from_secs(90);
const RECORD: usize = 4 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often.
    #[arg(long, default_value_t = 10)]
    runs: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the images lie. A directory of its own is made in it.
    #[arg(long)]
    work: Option<PathBuf>,
}

/// An image on a file system that is nearly full.
struct Thin {
    image: Option<Image>,
    outer: Image,
}

impl Thin {
    fn new(work: &Path, mib: u64) -> Result<Self, String> {
        let outer = Image::sized(Kind::Ext4, work, 2 * PROMISED)?;
        let image = Image::sized(Kind::Ext4, outer.path(), PROMISED)?;
        image.write_page_by_page()?;
        let ballast =
            File::create(outer.path().join("ballast")).map_err(|error| error.to_string())?;
        let free = rustix::fs::fstatvfs(&ballast).map_err(|error| error.to_string())?;
        // Root may take what is reserved, too.
        let taken = free.f_bfree * free.f_frsize - (mib << 20);
        rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, taken)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            image: Some(image),
            outer,
        })
    }

    fn path(&self) -> &Path {
        self.image.as_ref().expect("an image").path()
    }

    /// Gives the room that was promised, and shows what the device has.
    fn thicken(&mut self) {
        std::fs::remove_file(self.outer.path().join("ballast")).expect("the ballast");
        let image = self.image.as_mut().expect("an image");
        image.cut();
        image.remount();
    }
}

impl Drop for Thin {
    fn drop(&mut self) {
        // Before what it lies on.
        self.image = None;
    }
}

#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    errors: u64,
    acknowledged: usize,
    late: usize,
    lost: usize,
    unopenable: u64,
    wrong: usize,
}

impl Sums {
    fn row(&self, writer: &str, verdict: &mut Verdict) {
        let counts = [
            self.runs,
            self.errors,
            self.acknowledged as u64,
            self.late as u64,
            self.lost as u64,
            self.unopenable,
            self.wrong as u64,
        ];
        let counts = counts.iter().map(ToString::to_string);
        verdict.row(std::iter::once(writer.to_owned()).chain(counts));
    }
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "writer",
        "runs",
        "met an error",
        "acknowledged",
        "after the error",
        "lost",
        "would not open",
        "wrong",
    ];
    let mut verdict = Verdict::new("lying-disk", &columns);
    let work = match &args.work {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let work = work.expect("a directory to work in");
    let (mut ours, mut again) = (Sums::default(), Sums::default());
    for run in 0..args.runs {
        let mib = THERE_MIB + Random::new(args.seed, run).next() % 8;
        match Thin::new(work.path(), mib) {
            Err(why) => {
                verdict.skip(format!("a thin disk: {why}"));
                return verdict;
            }
            Ok(thin) => tries_again(thin, &mut again),
        }
        let what = format!("run {run}, {mib} MiB, seed {}", args.seed);
        let thin = Thin::new(work.path(), mib).expect("a thin disk");
        store(thin, work.path(), &what, &mut ours, &mut verdict);
    }
    if ours.errors == 0 || again.errors == 0 {
        verdict.violation("the disk never lied: nothing was tried");
    }
    ours.row("issuance", &mut verdict);
    again.row("an fsync tried again", &mut verdict);
    verdict.note("the engine's row must have no loss; the other shows that the disk lies");
    verdict
}

fn store(mut thin: Thin, work: &Path, what: &str, sums: &mut Sums, verdict: &mut Verdict) {
    let (dir, list) = (thin.path().join("data"), work.join("acks"));
    let _ = std::fs::remove_file(&list);
    let mut command = child::command(["victim", "--life", "1", "--dir"]);
    command.arg(&dir).arg("--acks").arg(&list);
    let ended = Running::start(command).wait(TIMEOUT);
    let acks = Acks::read(&list);
    sums.runs += 1;
    sums.acknowledged += acks.count();
    sums.errors += u64::from(!acks.stops.is_empty());
    if ended.is_none() {
        sums.wrong += 1;
        verdict.violation(format!("{what}: the victim hung"));
    }
    sums.late += acks.late.len();
    for late in &acks.late {
        verdict.violation(format!("{what}: acknowledged after the error: {late}"));
    }
    thin.thicken();
    let mut command = child::command(["verify", "--dir"]);
    command.arg(&dir).arg("--acks").arg(&list);
    match child::finish(command, TIMEOUT) {
        Ended::Well(said) => {
            let findings: Findings = serde_json::from_str(&said).expect("findings");
            sums.lost += findings.lost.len();
            sums.wrong += findings.wrong.len();
            for said in findings.lost.iter().chain(&findings.wrong) {
                verdict.violation(format!("{what}: {said}"));
            }
        }
        Ended::Badly(why) => {
            sums.unopenable += 1;
            verdict.violation(format!("{what}: {why}"));
        }
        Ended::Hung => {
            sums.unopenable += 1;
            verdict.violation(format!("{what}: hung while it opened or was read"));
        }
    }
}

/// Appends records and, when `fsync` fails, tries it again: what many programs do.
fn tries_again(mut thin: Thin, sums: &mut Sums) {
    let path = thin.path().join("records");
    let mut file = File::create(&path).expect("a file");
    let (mut acknowledged, mut failed, mut after) = (Vec::new(), false, 0);
    for number in 0..(PROMISED / RECORD as u64) / 4 {
        let at = number * RECORD as u64;
        let written = file
            .seek(SeekFrom::Start(at))
            .and_then(|_| file.write_all(&record(number)));
        if written.is_err() {
            break;
        }
        let first = file.sync_data().is_ok();
        failed |= !first;
        if first || file.sync_data().is_ok() {
            acknowledged.push(number);
            after += usize::from(failed);
        }
        // A few megabytes behind the first error are enough.
        if after > 500 {
            break;
        }
    }
    drop(file);
    thin.thicken();
    let mut file = File::open(&path).expect("the file");
    let mut bytes = Vec::new();
    let _ = file.read_to_end(&mut bytes);
    sums.runs += 1;
    sums.errors += u64::from(failed);
    sums.acknowledged += acknowledged.len();
    sums.late += after;
    sums.lost += acknowledged
        .iter()
        .filter(|number| {
            let at = (**number as usize) * RECORD;
            bytes.get(at..at + RECORD) != Some(&record(**number)[..])
        })
        .count();
}

fn record(number: u64) -> Vec<u8> {
    let word = format!("{number:016}");
    word.repeat(RECORD / word.len()).into_bytes()
}
