//! What is left of a damaged log: everything that verifies, nothing that does not, and the damaged one as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use issuance_store::copies::{CopyError, Salvaged, salvage};
use issuance_store::journal::{Directory, Reader};
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
