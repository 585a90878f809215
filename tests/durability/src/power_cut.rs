//! F-077: the power goes at any time. Every acknowledged thing is there after it, and the store opens by itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::acks::Acks;
use crate::child::{self, Ended, Running};
use crate::image::{Image, Kind};
use crate::random::Random;
use crate::verdict::Verdict;
use crate::verify::Findings;

/// How long an open or a verification may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// A new image after so many cuts, so that verifying stays quick.
const CUTS_PER_IMAGE: u64 = 6;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File systems.
    #[arg(long, value_delimiter = ',', default_values = ["ext4", "xfs"])]
    fs: Vec<Kind>,
    /// Cuts on each file system, shared by the moments at which they come.
    #[arg(long, default_value_t = 20)]
    cuts: u64,
    /// Cuts of plain sled on each.
    #[arg(long, default_value_t = 4)]
    sled_cuts: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where images and acknowledgement lists lie. A directory of its own is made in it.
    #[arg(long)]
    work: Option<PathBuf>,
}

/// When the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While many callers append.
    Load,
    /// The same with small segments and vault files, so that they are made and closed all the time.
    Roll,
    /// While a store opens that was killed under load, half of the times without an index.
    Open,
    /// Under load, while the vault is compacted again and again.
    Compaction,
    /// Under load, while backups are made on the same disk, one after another.
    Backup,
    /// Under load with small segments, while those that are closed move to an archive on the same disk.
    Archive,
}

const MOMENTS: [Moment; 6] = [
    Moment::Load,
    Moment::Roll,
    Moment::Open,
    Moment::Compaction,
    Moment::Backup,
    Moment::Archive,
];

impl Moment {
    fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Roll => "segment roll",
            Self::Open => "open",
            Self::Compaction => "compaction",
            Self::Backup => "backup",
            Self::Archive => "archive",
        }
    }

    fn segment_bytes(self) -> u64 {
        match self {
            Self::Load | Self::Open | Self::Backup => 64 << 20,
            Self::Roll | Self::Archive => 16 << 10,
            Self::Compaction => 256 << 10,
        }
    }
}

#[derive(Debug, Default)]
struct Sums {
    cuts: u64,
    acknowledged: usize,
    lost: usize,
    unopenable: u64,
    wrong: usize,
    torn: u64,
    rebuilt: u64,
    backups: u64,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "file system",
        "engine",
        "power cut during",
        "cuts",
        "acknowledged",
        "lost",
        "would not open",
        "wrong",
        "torn tails cut",
        "index made anew",
        "backups restored",
    ];
    let mut verdict = Verdict::new("power-cut", &columns);
    let work = match &args.work {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let work = work.expect("a directory to work in");
    for kind in &args.fs {
        if let Err(why) = Image::new(*kind, work.path()) {
            verdict.skip(format!("power cuts on {}: {why}", kind.name()));
            continue;
        }
        ours(*kind, args, work.path(), &mut verdict);
        sled(*kind, args, work.path(), &mut verdict);
    }
    verdict.note("the engine's rows must have no loss; sled's are printed to compare");
    verdict
}

fn ours(kind: Kind, args: &Args, work: &Path, verdict: &mut Verdict) {
    let mut cycle = Cycle::new(kind, work);
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let share = args.cuts / MOMENTS.len() as u64
            + u64::from((number as u64) < args.cuts % MOMENTS.len() as u64);
        let mut sums = Sums::default();
        for cut in 0..share {
            let random = Random::new(args.seed, cut * 16 + number as u64);
            if cycle.cuts >= CUTS_PER_IMAGE {
                cycle = cycle.renewed();
            }
            let what = format!(
                "{} {} seed {} cut {cut}",
                kind.name(),
                moment.name(),
                args.seed
            );
            if !cycle.turn(moment, random, &what, &mut sums, verdict) {
                cycle = cycle.renewed();
            }
        }
        sums.row("issuance", kind, moment.name(), verdict);
    }
}

impl Sums {
    fn row(&self, engine: &str, kind: Kind, during: &str, verdict: &mut Verdict) {
        let counts = [
            self.cuts,
            self.acknowledged as u64,
            self.lost as u64,
            self.unopenable,
            self.wrong as u64,
            self.torn,
            self.rebuilt,
            self.backups,
        ];
        let names = [kind.name(), engine, during].map(String::from);
        verdict.row(
            names
                .into_iter()
                .chain(counts.iter().map(ToString::to_string)),
        );
    }
}

/// One image and the list of what is in it.
struct Cycle {
    image: Image,
    kind: Kind,
    work: PathBuf,
    acks: PathBuf,
    life: u64,
    cuts: u64,
}

impl Cycle {
    fn new(kind: Kind, work: &Path) -> Self {
        let acks = work.join("acks");
        let _ = std::fs::remove_file(&acks);
        Self {
            image: Image::new(kind, work).expect("an image"),
            kind,
            work: work.into(),
            acks,
            life: 0,
            cuts: 0,
        }
    }

    fn renewed(self) -> Self {
        let (kind, work) = (self.kind, self.work.clone());
        drop(self);
        Self::new(kind, &work)
    }

    fn dir(&self) -> PathBuf {
        self.image.path().join("data")
    }

    fn backups(&self) -> PathBuf {
        self.image.path().join("backups")
    }

    fn start(&mut self, moment: Moment) -> Running {
        self.life += 1;
        let dir = self.dir();
        let mut command = child::command(["victim", "--dir"]);
        command.arg(dir).arg("--acks").arg(&self.acks);
        command.args(["--life", &self.life.to_string()]);
        command.args(["--segment-bytes", &moment.segment_bytes().to_string()]);
        if moment == Moment::Compaction {
            command.arg("--compact");
        }
        if moment == Moment::Backup {
            let _ = std::fs::remove_dir_all(self.backups());
            command.arg("--backups").arg(self.backups());
        }
        if moment == Moment::Archive {
            let archive = self.image.path().join("archive");
            command.arg("--archive").arg(archive);
        }
        Running::start(command)
    }

    /// Waits until the store that was just started is open. False: it ended or hung.
    fn is_open(&self, victim: &mut Running, opens: usize) -> bool {
        let end = Instant::now() + TIMEOUT;
        while Acks::read(&self.acks).opens <= opens {
            if victim.has_ended() || Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// One cut and what is left. False: the image is spoilt.
    fn turn(
        &mut self,
        moment: Moment,
        mut random: Random,
        what: &str,
        sums: &mut Sums,
        verdict: &mut Verdict,
    ) -> bool {
        let opens = Acks::read(&self.acks).opens;
        let mut victim = self.start(moment);
        if !self.is_open(&mut victim, opens) {
            sums.unopenable += 1;
            verdict.violation(format!("{what}: the store did not open for its victim"));
            return false;
        }
        std::thread::sleep(random.millis(30..600));
        if moment == Moment::Open {
            victim.kill();
            if random.below(2) == 0 {
                let _ = std::fs::remove_dir_all(self.dir().join("index"));
            }
            victim = self.start(moment);
            std::thread::sleep(random.millis(0..60));
        }
        // Before the cut: an acknowledgement that comes while the file system goes down proves nothing.
        let acknowledged = std::fs::read(&self.acks).unwrap_or_default();
        self.image.cut();
        victim.kill();
        std::fs::write(&self.acks, acknowledged).unwrap();
        self.image.remount();
        if random.below(2) == 0 {
            self.reboot();
        }
        self.cuts += 1;
        sums.cuts += 1;
        let copies = moment != Moment::Backup || self.judge_backups(what, sums, verdict);
        self.judge(what, sums, verdict) && copies
    }

    /// After a real power cut the machine has another boot id. Half of the cuts keep it, as when only the disk went.
    fn reboot(&self) {
        let mark = self.dir().join("index.open");
        if mark.exists() {
            std::fs::write(mark, "00000000-0000-4000-8000-000000000000\n").unwrap();
        }
    }

    /// A backup has its name only when it is whole.
    fn judge_backups(&self, what: &str, sums: &mut Sums, verdict: &mut Verdict) -> bool {
        let Ok(found) = std::fs::read_dir(self.backups()) else {
            return true;
        };
        let restored = self.work.join("restored");
        let mut sound = true;
        for entry in found {
            let path = entry.expect("a directory").path();
            if path.extension().is_some_and(|end| end == "partial") {
                continue;
            }
            let _ = std::fs::remove_dir_all(&restored);
            if let Err(error) = issuance_store::copies::restore(&path, &restored) {
                sums.unopenable += 1;
                sound = false;
                verdict.violation(format!(
                    "{what}: {} does not restore: {error:?}",
                    path.display()
                ));
            } else {
                sums.backups += 1;
            }
        }
        sound
    }

    fn judge(&self, what: &str, sums: &mut Sums, verdict: &mut Verdict) -> bool {
        let mut command = child::command(["verify", "--dir"]);
        command.arg(self.dir()).arg("--acks").arg(&self.acks);
        let findings: Findings = match child::finish(command, TIMEOUT) {
            Ended::Well(said) => serde_json::from_str(&said).expect("findings"),
            Ended::Badly(why) => {
                sums.unopenable += 1;
                verdict.violation(format!("{what}: {why}"));
                return false;
            }
            Ended::Hung => {
                sums.unopenable += 1;
                verdict.violation(format!("{what}: hung while it opened or was read"));
                return false;
            }
        };
        sums.acknowledged += Acks::read(&self.acks).count();
        sums.torn += u64::from(findings.cut > 0);
        sums.rebuilt += u64::from(findings.rebuilt.is_some());
        sums.lost += findings.lost.len();
        sums.wrong += findings.wrong.len();
        for lost in &findings.lost {
            verdict.violation(format!("{what}: lost: {lost}"));
        }
        for wrong in &findings.wrong {
            verdict.violation(format!("{what}: wrong: {wrong}"));
        }
        findings.lost.is_empty() && findings.wrong.is_empty()
    }
}

/// The same cuts under plain sled. Its losses are the comparison, not a violation.
fn sled(kind: Kind, args: &Args, work: &Path, verdict: &mut Verdict) {
    let mut sums = Sums::default();
    for cut in 0..args.sled_cuts {
        let mut random = Random::new(args.seed, cut * 16 + 15);
        let mut image = Image::new(kind, work).expect("an image");
        let (acks, dir) = (work.join("sled-acks"), image.path().join("sled"));
        let _ = std::fs::remove_file(&acks);
        let mut command = child::command(["sled-victim", "--life", "1", "--dir"]);
        command.arg(&dir).arg("--acks").arg(&acks);
        let mut victim = Running::start(command);
        std::thread::sleep(random.millis(150..750));
        let acknowledged = std::fs::read(&acks).unwrap_or_default();
        image.cut();
        victim.kill();
        std::fs::write(&acks, acknowledged).unwrap();
        image.remount();
        sums.cuts += 1;
        sums.acknowledged += Acks::read(&acks).count();
        let mut command = child::command(["sled-verify", "--dir"]);
        command.arg(&dir).arg("--acks").arg(&acks);
        match child::finish(command, TIMEOUT) {
            Ended::Well(lost) => sums.lost += lost.trim().parse::<usize>().expect("a count"),
            Ended::Badly(_) | Ended::Hung => sums.unopenable += 1,
        }
    }
    if args.sled_cuts > 0 {
        sums.row("plain sled", kind, "load", verdict);
    }
}
