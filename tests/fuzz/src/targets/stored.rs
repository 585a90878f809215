//! What lies on disk, and what somebody may have made of it.

use std::sync::Arc;

use issuance_audit::{Checker, Ending, Format, Ledger, Log, Outside, Rules};
use issuance_domain::Policy;
use issuance_store::journal::SimulatedDisk;
use issuance_store::vault::{Keyring, MasterKey, Vault, VaultOptions};
use issuance_store::{SealedRequest, body_json, read_event};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Two lines: the stored name, and the body. What is read is written as the same again.
pub(super) fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (name, body) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(body) = RawValue::from_string(body.into()) else {
        return;
    };
    let at = "2026-10-03T00:00:00Z";
    for schema in [0, 1, u16::MAX] {
        let Ok(event) = read_event(name, schema, at, &body) else {
            continue;
        };
        assert_eq!((event.body.name(), event.body.schema()), (name, schema));
        let written = RawValue::from_string(body_json(&event.body).unwrap()).unwrap();
        assert_eq!(read_event(name, schema, at, &written).unwrap(), event);
    }
}

/// The sealed part of a request: read, or refused.
pub(super) fn sealed_request(data: &[u8]) {
    if let Ok(sealed) = SealedRequest::open(data) {
        let again = sealed.seal().unwrap();
        assert!(SealedRequest::open(&again.plaintext).is_ok());
    }
}

/// One segment. Whatever it holds, it is refused by a typed error, or proved and told; never a panic, never changed.
pub(super) fn journal(data: &[u8]) {
    read_log(&[("journal-00000000000000000001.jsonl", data)]);
}

/// Several segments, each under a line `=== ` and its name; other names are left out.
pub(super) fn journal_segments(data: &[u8]) {
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"=== ").map(<[u8]>::trim_ascii_end);
        if let Some(name) = name {
            let name = std::str::from_utf8(name).unwrap_or_default();
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
            let fits = plain && name.starts_with("journal-") && name.len() < 100;
            files.push((if fits { name } else { "journal-other" }, Vec::new()));
        } else if let Some((_, bytes)) = files.last_mut() {
            bytes.extend_from_slice(line);
        }
    }
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (*name, &**bytes))
        .collect();
    read_log(&files);
}

/// A log is proved, told and judged, or refused with a typed error; sound is only what goes from 1 to its end.
fn read_log(files: &[(&str, &[u8])]) {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    let before = contents(directory.path());
    if let Ok(log) = Log::open(directory.path()) {
        if let Ok(report) = log.verify(|_, _| {}) {
            let mut checker = Checker::new(Rules::of(Policy::standard()));
            let fed = log.feed(&mut checker, |_, _| {});
            assert!(
                !report.is_sound() || fed.is_ok(),
                "sound, and cannot be read: {fed:?}"
            );
            drop(checker.report(Ending::Cut).to_string());
        }
        for format in [Format::JsonLines, Format::Csv] {
            let _ = log.export(&mut Vec::new(), format, None);
        }
    }
    assert_eq!(
        contents(directory.path()),
        before,
        "whoever reads a log changes it not"
    );
}

fn contents(directory: &std::path::Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

/// A file of sealed records, made under this key: opened or refused, and a value is given back as it was sealed or not at
/// all.
pub(super) fn vault(data: &[u8]) {
    let disk = SimulatedDisk::new();
    disk.put(VAULT_FILE, data);
    let keys = Arc::new(Keyring::new("fuzz", MasterKey::new([7; 32])));
    let Ok((vault, report)) = Vault::open(Arc::new(disk), keys, &VaultOptions::default()) else {
        return;
    };
    assert!(report.damaged_count >= report.damaged.len() as u64);
    let reader = vault.reader();
    for (order, field) in [(1, "request"), (2, "request"), (1, "link")] {
        if let Ok(Some(found)) = reader.open(Uuid::from_u128(order), field) {
            let sealed = format!("the {field} of order {order}");
            assert_eq!(*found, sealed.as_bytes(), "another value than was sealed");
        }
    }
}

pub(super) const VAULT_FILE: &str = "vault-0000000001.jsonl";

/// Two parts, the second under a line `---`: the provider's side, and an outside history. What can be read is judged,
/// without a log.
pub(super) fn evidence(data: &[u8]) {
    let end = data.windows(5).position(|window| window == b"\n---\n");
    let (ledger, history) = match end {
        Some(end) => (&data[..end], &data[end + 5..]),
        None => (data, &[][..]),
    };
    let mut checker = Checker::new(Rules::of(Policy::standard()));
    if let Ok(ledger) = Ledger::parse(ledger) {
        checker.ledger(&ledger);
    }
    for line in history.split(|byte| *byte == b'\n') {
        if let Ok(fact) = serde_json::from_slice::<Outside>(line) {
            let written = serde_json::to_string(&fact).unwrap();
            assert_eq!(serde_json::from_str::<Outside>(&written).unwrap(), fact);
            checker.outside(&fact);
        }
    }
    for ending in [Ending::Cut, Ending::AtRest] {
        let verdict = checker.report(ending);
        assert_eq!(verdict.orders, 0);
        serde_json::to_string(&verdict).unwrap();
    }
}
