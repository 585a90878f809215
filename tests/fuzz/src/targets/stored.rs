//! What lies on disk, and what somebody may have made of it.

use issuance_audit::{Format, Log};
use issuance_store::{SealedRequest, body_json, read_event};
use serde_json::value::RawValue;

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
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("journal-00000000000000000001.jsonl");
    std::fs::write(&file, data).unwrap();
    if let Ok(log) = Log::open(directory.path()) {
        let _ = log.verify(|_, _| {});
        for format in [Format::JsonLines, Format::Csv] {
            let _ = log.export(&mut Vec::new(), format, None);
        }
    }
    assert_eq!(
        std::fs::read(&file).unwrap(),
        data,
        "whoever reads a log changes it not"
    );
}
