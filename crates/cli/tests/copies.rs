//! The commands that copy data directories, run as an operator runs them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use issuance::domain::Policy;
use issuance::store::journal::{DataDir, Entry, Options, Writer};
use issuance::store::vault::{Keyring, MasterKey};
use issuance::store::{EmbeddedStore, Limits, Past, Store as _};
use serde_json::Value;
use serde_json::value::RawValue;

fn run(args: &[&str]) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_issuance"))
        .args(args)
        .output()
        .unwrap();
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8(text).unwrap())
}

/// An event from the golden files.
fn placed(number: u64) -> Entry<'static> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/events/order_requested.v1.json");
    let event: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let body = event.get("body").unwrap_or(&event).to_string();
    Entry {
        stream: format!("order/00000000-0000-4000-8000-{number:012}").into(),
        version: 1,
        name: "order_requested".into(),
        schema: 1,
        recorded_at: format!("2025-01-02T03:{:02}:{:02}Z", number / 60 % 60, number % 60).into(),
        body: Cow::Owned(RawValue::from_string(body).unwrap()),
        message: None,
    }
}

/// A data directory whose log has the given number of orders, in some segments.
fn data(dir: &Path, orders: u64, segment_bytes: u64) -> PathBuf {
    let path = dir.join("data");
    let data = DataDir::open(&path).unwrap();
    let journal = Arc::new(data.directory("journal").unwrap());
    let options = Options {
        segment_bytes,
        known: None,
    };
    let (mut writer, _) = Writer::open(journal, &options).unwrap();
    let numbers: Vec<_> = (1..=orders).collect();
    for some in numbers.chunks(if orders > 1_000 { 1_000 } else { 1 }) {
        let batches: Vec<_> = some.iter().map(|number| vec![placed(*number)]).collect();
        writer.write(&batches).unwrap();
        writer.sync().unwrap();
    }
    path
}

fn segments(journal: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    paths.sort();
    paths
}

#[test]
fn salvage_says_what_is_lost_and_verify_says_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path(), 40, 8_000);
    let (data_dir, out) = (data.to_str().unwrap(), dir.path().join("out"));
    let out = out.to_str().unwrap();
    assert!(run(&["audit", "verify", data_dir]).0);
    let second = &segments(&data.join("journal"))[1];
    let mut bytes = std::fs::read(second).unwrap();
    let third_line = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(1)
        .unwrap()
        .0
        + 1;
    bytes[third_line + 50] ^= 1;
    std::fs::write(second, bytes).unwrap();
    let (sound, said) = run(&["audit", "verify", data_dir]);
    let place = format!("line 3, byte {third_line}");
    assert!(!sound && said.contains(&place), "{said}");
    assert!(said.contains("audit salvage"), "{said}");

    let (done, said) = run(&["audit", "salvage", data_dir, "--to", out]);
    assert!(done && said.contains(&place), "{said}");
    assert!(said.contains("prefix: ") && said.contains("run-"), "{said}");
    let (again, said) = run(&["audit", "salvage", data_dir, "--to", out]);
    assert!(!again && said.contains("exists"), "{said}");

    let (sound, said) = run(&["audit", "verify", out]);
    assert!(
        !sound && said.contains("nothing proves that they follow"),
        "{said}"
    );
    assert!(
        said.contains(
            "1 events are lost in between, 1 places cannot be read, 0 events do not make sense"
        ),
        "{said}"
    );
    let prefix = format!("{out}/prefix");
    let (sound, said) = run(&["audit", "verify", &prefix]);
    assert!(sound && said.contains("the chain is whole"), "{said}");
}

#[test]
fn an_archive_and_what_stays_verify_alone_and_together() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path(), 40, 8_000);
    let (data_dir, old) = (data.to_str().unwrap(), dir.path().join("old"));
    let old_dir = old.to_str().unwrap();
    let before = ["--before", "2025-01-02T03:00:30Z"];
    let archive = ["archive", data_dir, "--to", old_dir];
    let (done, said) = run(&[&archive[..], &before].concat());
    assert!(done && said.contains("segments moved"), "{said}");
    let both = ["audit", "verify", data_dir, "--archive", old_dir];
    for args in [
        &["audit", "verify", data_dir][..],
        &["audit", "verify", old_dir],
        &both,
    ] {
        let (sound, said) = run(args);
        assert!(sound, "{args:?}: {said}");
    }
    // A stranger's reader, by the page alone, says the same of each.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/journal/verify.py");
    for part in [&data, &old] {
        let read = Command::new("python3")
            .arg(&script)
            .arg(part.join("journal"))
            .output();
        let read = read.unwrap();
        assert!(
            read.status.success(),
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
    }
    let (_, alone) = run(&["audit", "verify", data_dir]);
    assert!(alone.contains("are in an archive"), "{alone}");
    let (_, whole) = run(&both);
    assert!(whole.contains("40 events") && whole.lines().last() == alone.lines().last());
    let (told, said) = run(&["audit", "replay", data_dir]);
    assert!(!told && said.contains("--archive"), "{said}");
    assert!(run(&["audit", "replay", data_dir, "--archive", old_dir]).0);
    let elsewhere = dir.path().join("elsewhere");
    let elsewhere = ["archive", data_dir, "--to", elsewhere.to_str().unwrap()];
    let (done, said) = run(&[&elsewhere[..], &before].concat());
    assert!(!done && said.contains("give that one"), "{said}");

    // Of the archive, any segment may be missing: alone it can be a shorter log, together it cannot.
    let moved = segments(&old.join("journal"));
    assert!(moved.len() > 1);
    for path in &moved {
        let kept = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        let (sound, said) = run(&both);
        assert!(!sound && said.contains("is missing"), "{said}");
        assert!(run(&["audit", "verify", data_dir]).0);
        std::fs::write(path, kept).unwrap();
    }
    // A backup of what stays is a log that begins at the anchor.
    let out = dir.path().join("out");
    let (done, said) = run(&["backup", data_dir, "--to", out.to_str().unwrap()]);
    assert!(done && said.contains("not in this copy"), "{said}");
    let again = [
        "audit",
        "verify",
        out.to_str().unwrap(),
        "--archive",
        old_dir,
    ];
    assert!(run(&again).0);
}

#[test]
fn a_backup_that_is_killed_or_has_no_room_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path(), 20_000, 4 << 20);
    let data_dir = data.to_str().unwrap();
    let (out, partial) = (dir.path().join("out"), dir.path().join("out.partial"));
    let out_dir = out.to_str().unwrap();
    // Files may have 100 KiB.
    let limited = format!(
        "ulimit -f 100; exec '{}' backup '{data_dir}' --to '{out_dir}'",
        env!("CARGO_BIN_EXE_issuance")
    );
    let refused = Command::new("bash")
        .args(["-c", &limited])
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("cannot write"),
        "{said}"
    );
    assert!(!out.exists() && !partial.exists());

    let mut killed = 0;
    for _ in 0..200 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_issuance"))
            .args(["backup", data_dir, "--to", out_dir])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !out.exists() && !partial.join("journal").exists() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if out.exists() {
            assert!(run(&["audit", "verify", out_dir]).0);
            std::fs::remove_dir_all(&out).unwrap();
            continue;
        }
        killed += 1;
        if killed == 5 {
            break;
        }
    }
    assert_eq!(killed, 5);
    assert!(partial.exists(), "the last one left something");
    let (done, said) = run(&["backup", data_dir, "--to", out_dir]);
    assert!(done && !partial.exists(), "{said}");
    let restored = dir.path().join("restored");
    let (done, again) = run(&["restore", out_dir, "--to", restored.to_str().unwrap()]);
    assert!(done && again == said, "{again}");
    assert!(run(&["audit", "verify", restored.to_str().unwrap()]).0);
}

/// Without an index, only what the engine noted beside the log shows that it is not the newest.
#[tokio::test]
async fn a_log_that_was_emptied_or_cut_short_is_not_called_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path(), 12, 1 << 10);
    let data_dir = data.to_str().unwrap();
    let (sound, said) = run(&["audit", "verify", data_dir]);
    assert!(sound && said.contains("nothing beside it shows"), "{said}");
    let key = MasterKey::new([7; 32]);
    DataDir::open(&data).unwrap().directory("vault").unwrap();
    let (store, _) = EmbeddedStore::open(issuance::store::Options {
        dir: data.clone(),
        keys: Arc::new(Keyring::new("test", key)),
        policy: Policy::standard(),
        limits: Limits::default(),
        past: Past::default(),
    })
    .unwrap();
    store.close().await.unwrap();
    drop(store);
    std::fs::remove_dir_all(data.join("index")).unwrap();
    let (sound, said) = run(&["audit", "verify", data_dir]);
    assert!(sound && said.contains("event 12"), "{said}");
    let mut segments: Vec<_> = std::fs::read_dir(data.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    while let Some(last) = segments.pop() {
        std::fs::remove_file(last).unwrap();
        let (sound, said) = run(&["audit", "verify", data_dir]);
        assert!(!sound, "{said}");
        assert!(said.contains("had reached 12"), "{said}");
    }
}
