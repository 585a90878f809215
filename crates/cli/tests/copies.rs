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

use issuance::store::journal::{DataDir, Entry, Options, Writer};
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
        recorded_at: format!("2025-01-02T03:{:02}:{:02}Z", number / 60, number % 60).into(),
        body: Cow::Owned(RawValue::from_string(body).unwrap()),
        message: None,
    }
}

/// A data directory whose log has the given number of orders, in some segments.
fn data(dir: &Path, orders: u64) -> PathBuf {
    let path = dir.join("data");
    let data = DataDir::open(&path).unwrap();
    let journal = Arc::new(data.directory("journal").unwrap());
    let options = Options {
        segment_bytes: 8_000,
        known: None,
    };
    let (mut writer, _) = Writer::open(journal, &options).unwrap();
    for number in 1..=orders {
        writer.write(&[vec![placed(number)]]).unwrap();
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
    let data = data(dir.path(), 40);
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
