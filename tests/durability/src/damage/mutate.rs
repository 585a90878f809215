//! Ways a log is damaged.

use std::sync::Arc;

use super::log::{Files, Log};
use crate::random::Random;

const KINDS: usize = 16;
const SECTOR: usize = 512;

/// One random mutation and what it is.
pub(super) fn random(log: &Log, random: &mut Random) -> (Files, String) {
    let mut files = log.files.clone();
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[random.below(names.len())].clone();
    let other = names[random.below(names.len())].clone();
    let mut bytes = files[&name].to_vec();
    let length = bytes.len();
    let at = random.below(length);
    // Mostly short, now and then long.
    let span = match random.below(4) {
        0 => random.below(length - at),
        _ => random.below((length - at).min(600)),
    };
    let what = match random.below(KINDS) {
        0 | 1 => {
            bytes[at] ^= 1 << random.below(8);
            format!("bit flipped in {name} at {at}")
        }
        2 => {
            bytes[at] = random.next() as u8;
            format!("byte set in {name} at {at}")
        }
        3 => {
            bytes.truncate(at);
            format!("{name} truncated at {at}")
        }
        4 => {
            bytes.drain(at..at + span);
            format!("{span} bytes deleted in {name} at {at}")
        }
        5 => {
            let copy = bytes[at..at + span].to_vec();
            bytes.splice(at..at, copy);
            format!("{span} bytes doubled in {name} at {at}")
        }
        6 => {
            let noise: Vec<u8> = (0..span).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, noise);
            format!("{span} random bytes put into {name} at {at}")
        }
        7 => {
            let source = Arc::clone(&files[&other]);
            let from = random.below(source.len());
            let end = (from + span).min(source.len());
            bytes.splice(at..at + span, source[from..end].iter().copied());
            format!("{span} bytes of {name} at {at} from {other} at {from}")
        }
        8 => {
            // As never written: zeros in whole sectors.
            let (from, end) = (at / SECTOR * SECTOR, ((at + span) / SECTOR + 1) * SECTOR);
            bytes[from..end.min(length)].fill(0);
            format!("sectors of {name} zero from {from} to {end}")
        }
        9 => {
            lines(&mut bytes, |lines| {
                lines.remove(at % lines.len());
            });
            format!("line {at} (modulo) of {name} deleted")
        }
        10 => {
            let to = random.below(length);
            lines(&mut bytes, |lines| {
                let line = lines[at % lines.len()].clone();
                lines.insert(to % lines.len(), line);
            });
            format!("line {at} (modulo) of {name} repeated at {to}")
        }
        11 => {
            let to = random.below(length);
            lines(&mut bytes, |lines| {
                let count = lines.len();
                lines.swap(at % count, to % count);
            });
            format!("lines {at} and {to} (modulo) of {name} swapped")
        }
        12 => {
            files.remove(&name);
            return (files, format!("{name} removed"));
        }
        13 => {
            bytes = files[&other].to_vec();
            files.insert(other.clone(), Arc::clone(&files[&name]));
            format!("{name} and {other} swapped")
        }
        14 => {
            let first = 1 + random.below(log.records.len() + 2);
            let to = format!("journal-{first:020}.jsonl");
            let moved = files.remove(&name).expect("a file");
            files.insert(to.clone(), moved);
            return (files, format!("{name} renamed to {to}"));
        }
        _ => {
            bytes.clear();
            format!("{name} emptied")
        }
    };
    files.insert(name, Arc::new(bytes));
    (files, what)
}

fn lines(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines: Vec<Vec<u8>> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    change(&mut lines);
    *bytes = lines.concat();
}
