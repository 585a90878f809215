//! The demo as a user runs it: the real binary, killed halfway and started again on the same directory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

const ORDERS: &str = include_str!("../../../config/demo-orders.jsonl");

fn demo(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command
        .args(["--json", "demo", "--exit", "--data"])
        .arg(data)
        .env("RUST_LOG", "debug");
    command
}

/// Kills on drop, so that a failed test leaves nothing running.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Killed at a few moments on its way, then left to finish: every order ends as its line expects, one card each, and
/// nothing of a person can be read in what it left behind or said.
#[test]
fn survives_kill_9_and_keeps_its_mouth_shut() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for wait in [700, 2_500, 1_200] {
        let mut running = Running(
            demo(&data)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        std::thread::sleep(Duration::from_millis(wait));
        assert!(
            running.0.try_wait().unwrap().is_none(),
            "still at work when killed"
        );
    }
    let finished = demo(&data).output().unwrap();
    let said = String::from_utf8_lossy(&finished.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("no report: {said}"));
    let wrong: Vec<_> = report["orders"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["complaints"].as_array().unwrap().is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(report["ok"], true);
    assert!(finished.status.success());

    let verified = Command::new(env!("CARGO_BIN_EXE_issuance"))
        .args(["audit", "verify"])
        .arg(data.join("store"))
        .output()
        .unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );

    let mut sinks = vec![said.into_bytes(), finished.stdout];
    read_all(&data, &mut sinks);
    assert!(sinks.len() > 5, "the store has files");
    for person in personal() {
        for sink in &sinks {
            let found = sink
                .windows(person.len())
                .any(|window| window == person.as_bytes());
            assert!(!found, "{person:?} can be read");
        }
    }
}

fn read_all(dir: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into)
        } else {
            into.push(std::fs::read(path).unwrap())
        }
    }
}

/// Everything about people in the demo's orders that is long enough not to be met by chance, and the marks of a link.
fn personal() -> BTreeSet<String> {
    let mut found: BTreeSet<_> = ["/_sim/idv/".to_owned()].into();
    for line in ORDERS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let order = &line["order"];
        for place in [
            &order["cardholder"]["fields"],
            &order["cardholder"]["supplement"],
            &line["holder"],
        ] {
            strings(place, &mut found);
        }
        for place in [&order["name_on_card"], &order["kyc"]["reference_id"]] {
            strings(place, &mut found);
        }
    }
    assert!(found.len() > 150, "{}", found.len());
    found
}

fn strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() >= 5 => drop(into.insert(text.clone())),
        Value::Object(members) => members.values().for_each(|value| strings(value, into)),
        Value::Array(items) => items.iter().for_each(|value| strings(value, into)),
        _ => {}
    }
}
