//! What is left of a damaged log: everything that verifies, nothing that does not, and the damaged one as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use issuance_store::copies::{CopyError, Salvaged, salvage};
use issuance_store::journal::{ChainHash, Directory, Reader};
use issuance_store::{EmbeddedStore, OpenError, Options, Past, Store};

use super::hands::{fill, look, open, swap};
use super::options;

/// A log of some segments, in a directory of its own.
async fn log(dir: &Path) -> PathBuf {
    let (store, _) = open(dir);
    fill(&store, 0..25).await;
    store.close().await.unwrap();
    dir.join("data/journal")
}

type Files = BTreeMap<String, Vec<u8>>;

fn files(dir: &Path) -> Files {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn lines(files: &Files) -> Vec<&[u8]> {
    let segments = files
        .iter()
        .filter(|(name, _)| name.starts_with("journal-"));
    segments
        .flat_map(|(_, bytes)| bytes.split_inclusive(|byte| *byte == b'\n'))
        .collect()
}

/// Which of an atomic append's events a line is, and of how many.
fn part(line: &[u8]) -> (u64, u64) {
    let line: serde_json::Value = serde_json::from_slice(line).unwrap();
    let number = |key: &str| line[key].as_u64().unwrap_or(1);
    (number("part"), number("parts"))
}

/// Salvages what a damage left, proves every part, and counts the events that were kept.
fn check(dir: &Path, whole: &Files, damage: &dyn Fn(&mut Files), what: &str) -> (Salvaged, usize) {
    let (damaged, out) = (dir.join("damaged"), dir.join("out"));
    for path in [&damaged, &out] {
        let _ = std::fs::remove_dir_all(path);
    }
    let mut left = whole.clone();
    damage(&mut left);
    std::fs::create_dir(&damaged).unwrap();
    for (name, bytes) in &left {
        std::fs::write(damaged.join(name), bytes).unwrap();
    }
    let found = salvage(&damaged, &out).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(files(&damaged), left, "{what}: the damaged log was changed");
    assert_eq!(Salvaged::read(&out).unwrap().as_ref(), Some(&found));
    assert!(!dir.join("out.partial").exists());

    let originals: Vec<_> = lines(whole);
    let mut kept = 0;
    for part_found in &found.parts {
        let directory = out.join(&part_found.directory);
        let saved = files(&directory);
        let saved = lines(&saved);
        let (reader, report) =
            Reader::open(Arc::new(Directory::open(&directory).unwrap()), None).unwrap();
        assert_eq!(report.cut, None, "{what}");
        assert_eq!(report.start.position + 1, part_found.first, "{what}");
        assert_eq!(report.head.position, part_found.last, "{what}");
        assert_eq!(reader.verify_all().unwrap().head, report.head, "{what}");
        for (line, position) in saved.iter().zip(part_found.first..) {
            assert_eq!(*line, originals[position as usize - 1], "{what}");
        }
        assert!(saved.first().is_none_or(|line| part(line).0 == 1), "{what}");
        assert!(
            saved.last().is_none_or(|line| part(line).0 == part(line).1),
            "{what}"
        );
        kept += saved.len();
    }
    (found, kept)
}

#[tokio::test]
async fn one_wrong_byte_costs_the_append_it_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let whole = files(&log(dir.path()).await);
    let all = lines(&whole).len();
    assert!(whole.len() > 3, "{} segments", whole.len());
    let (found, kept) = check(dir.path(), &whole, &|_| {}, "nothing");
    assert!(found.is_whole());
    assert_eq!((kept, found.parts.len()), (all, 1));
    let mut ends = 0;
    for (name, bytes) in &whole {
        for at in (0..bytes.len()).step_by(bytes.len() / 14) {
            let flip = |files: &mut Files| files.get_mut(name).unwrap()[at] ^= 0x15;
            let (found, kept) = check(dir.path(), &whole, &flip, &format!("{name}, byte {at}"));
            assert!(!found.is_whole());
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            let line = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .nth(line)
                .unwrap();
            // A wrong newline joins two lines.
            let newline = usize::from(bytes[at] == b'\n');
            assert!(all - kept <= part(line).1 as usize * (1 + newline) + newline * 41);
            assert!(found.parts[0].chained && found.parts[1..].iter().all(|run| !run.chained));
            let lost: u64 = found.gaps.iter().map(|gap| gap.to - gap.from + 1).sum();
            let at_the_end = found.parts.last().unwrap().last as usize != all;
            ends += usize::from(at_the_end);
            assert!(at_the_end || lost as usize == all - kept, "{found:?}");
        }
    }
    assert!(ends < 20, "{ends}");
}

#[tokio::test]
async fn whole_files_may_be_missing_empty_cut_or_twice() {
    let dir = tempfile::tempdir().unwrap();
    let whole = files(&log(dir.path()).await);
    let all = lines(&whole).len();
    let names: Vec<_> = whole.keys().cloned().collect();
    for (index, name) in names.iter().enumerate() {
        let count = whole[name].iter().filter(|byte| **byte == b'\n').count();
        let last = index + 1 == names.len();
        let parts = match index {
            _ if last => 1,
            _ => 2,
        };
        let gone = |files: &mut Files| drop(files.remove(name));
        let (found, kept) = check(dir.path(), &whole, &gone, &format!("{name} is missing"));
        assert_eq!((kept, found.parts.len()), (all - count, parts));
        assert_eq!(found.gaps.len(), parts - 1);

        let empty = |files: &mut Files| files.get_mut(name).unwrap().clear();
        let (found, kept) = check(dir.path(), &whole, &empty, &format!("{name} is empty"));
        assert_eq!((kept, found.unreadable_count), (all - count, 1));

        let cut = |files: &mut Files| {
            let bytes = files.get_mut(name).unwrap();
            bytes.truncate(bytes.len() / 2 + 1);
        };
        let (found, kept) = check(dir.path(), &whole, &cut, &format!("{name} is cut"));
        assert!(kept < all && kept >= all - count && !found.is_whole());

        let noise = |files: &mut Files| files.get_mut(name).unwrap().fill(0x7b);
        let (found, kept) = check(dir.path(), &whole, &noise, &format!("{name} is noise"));
        assert_eq!((kept, found.unreadable_count), (all - count, 1));

        // Another name, the same events: they are kept once.
        let twice = |files: &mut Files| {
            let copy = files[name].clone();
            files.insert("journal-00000000000000009999.jsonl".into(), copy);
        };
        let (found, kept) = check(
            dir.path(),
            &whole,
            &twice,
            &format!("{name} is there twice"),
        );
        assert_eq!((kept, found.parts.len()), (all, 1));
        assert_eq!(found.unreadable_count, count as u64);
    }
    let foreign = |files: &mut Files| drop(files.insert("journal-1.jsonl.bak".into(), vec![1]));
    let (found, kept) = check(dir.path(), &whole, &foreign, "a foreign file");
    assert_eq!((kept, found.foreign.len()), (all, 1));
    let taken = salvage(&dir.path().join("damaged"), &dir.path().join("out"));
    assert!(matches!(taken, Err(CopyError::Exists { .. })));
    let nothing = salvage(&dir.path().join("data/vault"), &dir.path().join("none"));
    assert!(matches!(nothing, Err(CopyError::NoLog { .. })));
}

#[tokio::test]
async fn a_start_from_the_prefix_must_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let journal = log(dir.path()).await;
    let (store, _) = open(dir.path());
    let before = look(&store, 0..25).await;
    drop(store);
    let segments = files(&journal);
    let (name, bytes) = segments.iter().nth(1).unwrap();
    let mut bytes = bytes.clone();
    bytes[30] ^= 1;
    std::fs::write(journal.join(name), bytes).unwrap();
    let start = |past| {
        EmbeddedStore::open(Options {
            past,
            ..options(dir.path())
        })
    };
    assert!(matches!(start(Past::default()), Err(OpenError::Journal(_))));

    let out = dir.path().join("out");
    let found = salvage(&journal, &out).unwrap();
    swap(&out.join("prefix"), &journal);
    assert!(matches!(
        start(Past::default()),
        Err(OpenError::Journal(error)) if error.is_rollback()
    ));
    let accepted = Past {
        known: None,
        accept_rollback: true,
    };
    let (store, report) = start(accepted).unwrap();
    assert_eq!(report.journal.head.position, found.parts[0].last);
    assert!(report.index.ahead_of.is_some());
    assert_eq!(look(&store, 0..1).await[&0], before[&0]);
}

/// A line that says what it should not, under a hash that is right.
fn forged(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(line.to_vec()).unwrap();
    let (covered, _) = text.rsplit_once(",\"hash\":").unwrap();
    let covered = covered.replacen(from, to, 1);
    let hash = ChainHash::of(covered.as_bytes());
    format!("{covered},\"hash\":\"{hash}\"}}\n").into_bytes()
}

#[tokio::test]
async fn forged_and_shuffled_lines_are_never_taken_for_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let whole = files(&log(dir.path()).await);
    let all = lines(&whole).len();
    let (name, bytes) = whole.iter().nth(1).unwrap();
    let own: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let first: u64 = name[8..28].parse().unwrap();
    let position = format!("\"position\":{}", first + 2);
    let claims = [
        (&*position, "\"position\":18446744073709551615"),
        (&*position, "\"position\":9223372036854775807"),
        (&*position, "\"position\":0"),
        (&*position, "\"position\":1"),
        (&*position, "\"position\":100000"),
        (",\"body\"", ",\"part\":1,\"parts\":4294967295,\"body\""),
        (",\"body\"", ",\"part\":0,\"parts\":2,\"body\""),
        (",\"body\"", ",\"unknown\":1,\"body\""),
        ("\"schema\":1", "\"schema\":70000"),
        ("\"stream\":\"", "\"stream\":\"\\ud800"),
    ];
    for (from, to) in claims {
        let forge = |files: &mut Files| {
            let mut lines: Vec<Vec<u8>> = own.iter().map(|line| line.to_vec()).collect();
            lines[2] = forged(&lines[2], from, to);
            files.insert(name.clone(), lines.concat());
        };
        let mut left = whole.clone();
        forge(&mut left);
        let damaged = dir.path().join("forged");
        let _ = std::fs::remove_dir_all(&damaged);
        std::fs::create_dir(&damaged).unwrap();
        for (name, bytes) in &left {
            std::fs::write(damaged.join(name), bytes).unwrap();
        }
        let disk = Arc::new(Directory::open(&damaged).unwrap());
        let proved = Reader::open(disk, None).and_then(|(reader, _)| reader.verify_all());
        assert!(proved.is_err(), "{to}");
        let out = dir.path().join("out");
        let _ = std::fs::remove_dir_all(&out);
        let found = salvage(&damaged, &out).unwrap_or_else(|error| panic!("{to}: {error}"));
        // What the chain proves ends before it, and everything else is found again.
        assert!(!found.is_whole(), "{to}");
        assert!(found.parts[0].last <= first + 1, "{to}: {found:?}");
        let kept: u64 = found
            .parts
            .iter()
            .map(|part| part.last + 1 - part.first)
            .sum();
        assert!(kept as usize + 45 > all, "{to}: {kept} of {all}");
    }

    // Pieces of the log in any order, some twice, some not at all.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for round in 0..40 {
        let mut shuffled: Vec<Vec<u8>> = own.iter().map(|line| line.to_vec()).collect();
        for _ in 0..=next(6) {
            let (at, other) = (next(shuffled.len()), next(own.len()));
            match next(5) {
                0 => shuffled.swap(at, other % own.len().min(at + 1)),
                1 => shuffled.insert(at, own[other].to_vec()),
                2 => drop(shuffled.remove(at)),
                3 => shuffled[at].fill(0),
                _ => {
                    let byte = next(shuffled[at].len());
                    shuffled[at][byte] ^= 1 << next(8);
                }
            }
        }
        let shuffle = |files: &mut Files| drop(files.insert(name.clone(), shuffled.concat()));
        let what = format!("round {round}");
        // Every part that is kept is of the log, line by line.
        check(dir.path(), &whole, &shuffle, &what);
    }
}
