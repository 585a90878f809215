//! Real files: strace makes the n-th call of a kind fail, once, in every thread of the victim; the calls after it succeed,
//! as they do after a real failed `fsync`. Where loop mounts work the power goes afterwards, so that what the failed call
//! should have stored is gone.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Args, Sums};
use crate::acks::Acks;
use crate::child::{self, Ended, Running};
use crate::image::{Image, Kind, tool};
use crate::verdict::Verdict;
use crate::verify::Findings;

const TIMEOUT: Duration = Duration::from_secs(120);
const RUNS_PER_IMAGE: u64 = 25;
/// Call and error.
const FAULTS: [(&str, &str); 5] = [
    ("fdatasync", "EIO"),
    ("fsync", "EIO"),
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("ftruncate", "EIO"),
];

pub(super) fn sweep(args: &Args, work: &Path, verdict: &mut Verdict) {
    if let Err(why) = tool("strace", ["-V"]) {
        verdict.skip(format!("errors on real files: {why}"));
        return;
    }
    for (call, error) in FAULTS {
        let mut image = Image::new(Kind::Ext4, work);
        if let (Err(why), "fdatasync") = (&image, call) {
            verdict.skip(format!("a power cut after an error on real files: {why}"));
        }
        let mut sums = Sums::default();
        for number in 1..=args.injected {
            if number % RUNS_PER_IMAGE == 0 {
                drop(image);
                image = Image::new(Kind::Ext4, work);
            }
            let place = image.as_ref().map_or(work, Image::path);
            let dir = place.join(format!("run-{number}"));
            let acks = work.join("acks");
            let _ = std::fs::remove_file(&acks);
            let hit = victim(
                &dir,
                &acks,
                work,
                &format!("{call}:error={error}:when={number}"),
            );
            if let Ok(image) = &mut image {
                image.cut();
                image.remount();
            }
            if hit.is_empty() {
                // The run has fewer such calls in every thread.
                break;
            }
            let what = format!("strace {call} {error} number {number}");
            judge(&dir, &acks, &hit, error, &what, &mut sums);
            let _ = std::fs::remove_dir_all(&dir);
        }
        if sums.runs == 0 {
            verdict.skip(format!(
                "{call} {error} on real files: strace could not inject it"
            ));
        } else {
            let disk = if image.is_ok() {
                "ext4, then a power cut"
            } else {
                "files"
            };
            sums.row(
                [disk, &format!("n-th {call} of each thread"), error],
                verdict,
            );
        }
    }
}

/// Runs the victim to its end; gives the calls that were made to fail.
fn victim(dir: &Path, acks: &Path, work: &Path, inject: &str) -> Vec<String> {
    let log = work.join("strace.log");
    let _ = std::fs::remove_file(&log);
    let call = inject.split(':').next().unwrap_or_default();
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-y", "--seccomp-bpf", "-e"])
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={inject}"))
        .arg("-o")
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["victim", "--life", "1", "--callers", "3", "--orders", "6"])
        .args(["--segment-bytes", "8192", "--dir"])
        .arg(dir)
        .arg("--acks")
        .arg(acks);
    let mut victim = Running::start(command);
    let ended = victim.wait(TIMEOUT);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let mut hit: Vec<_> = text
        .lines()
        .filter(|line| line.contains("(INJECTED)"))
        .map(str::to_owned)
        .collect();
    if ended.is_none() {
        hit.push("HUNG".into());
    }
    hit
}

fn judge(dir: &Path, list: &Path, hit: &[String], error: &str, what: &str, sums: &mut Sums) {
    let acks = Acks::read(list);
    sums.runs += 1;
    sums.acknowledged += acks.count();
    sums.late(what, &acks.late);
    if hit.iter().any(|line| line == "HUNG") {
        sums.unopenable += 1;
        sums.violations.push(format!("{what}: the victim hung"));
    }
    let in_the_truth = |line: &&String| line.contains("/journal/") || line.contains("/vault/");
    let stopped = !acks.stops.is_empty();
    if acks.opens == 0 {
        sums.refused += 1;
    } else if stopped {
        sums.stopped += 1;
    } else if error == "EIO"
        && let Some(line) = hit.iter().find(in_the_truth)
    {
        sums.wrong += 1;
        sums.violations
            .push(format!("{what}: the store went on after {line}"));
    }
    let mut command = child::command(["verify", "--dir"]);
    command.arg(dir).arg("--acks").arg(list);
    let verified = match child::finish(command, TIMEOUT) {
        Ended::Well(said) => Ok(serde_json::from_str::<Findings>(&said).expect("findings")),
        Ended::Badly(why) => Err(why),
        Ended::Hung => Err("hung while it opened or was read".into()),
    };
    sums.take(what, verified);
}
