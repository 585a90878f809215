//! S21, no leak: a value of its own is planted in every personal field and every secret, carried along every road through
//! the real binary, and looked for in everything that comes out of it and in everything it keeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

mod planted;
mod roads;
mod search;
mod world;

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::domain::{OrderId, Policy};
use issuance::store::vault::{Keyring, MasterKey};
use issuance::store::{EmbeddedStore, Field, Limits, Options, Past, Store as _};
use serde_json::Value;

use crate::roads::Placed;
use crate::search::Search;
use crate::world::{World, copy};

#[tokio::test]
async fn s21_no_canary_is_found_anywhere_and_erased_ones_not_even_sealed() {
    let mut world = World::start().await;
    let placed = roads::walk(&world).await;
    roads::look_at_everything(&world, &placed).await;
    world.stop().await;
    came_in(&world, &placed).await;
    let data = world.data();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (data_dir, backup) = (text(&data), text(&world.path("backup")));
    for (command, name) in [
        ("backup", "backup"),
        ("restore", "restored"),
        ("archive", "archive"),
    ] {
        let (from, to) = (
            if command == "restore" {
                &backup
            } else {
                &data_dir
            },
            text(&world.path(name)),
        );
        let mut args = vec![command, from, "--to", &to];
        args.extend(["--before", "1"].iter().filter(|_| command == "archive"));
        world.must(&args);
    }
    copy(&data.join("journal"), &world.path("journal-copy"));
    roads::read_offline(&world, &placed);

    let mut search = Search::default();
    let planted = world.planted.all();
    planted.for_each(|(name, value)| search.value(name, value));
    let mut hits = found(&world, &search);
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));

    // Erased, not even the sealed bytes are left.
    let sealed = sealed_bytes(&data.join("vault"));
    assert!(sealed.len() > 15, "{}", sealed.len());
    let mut ciphertexts = Search::default();
    for (name, bytes) in &sealed {
        ciphertexts.bytes(name, bytes);
    }
    ciphertexts.hits_in(&data, &mut hits);
    assert!(
        2 * hits.len() >= sealed.len(),
        "they were never there: {hits:?}"
    );
    hits.clear();
    world.serve().await;
    roads::erase(&world, &placed).await;
    ciphertexts.hits_in(&data, &mut hits);
    assert!(hits.is_empty(), "after erasure:\n{}", hits.join("\n"));
    roads::look_at_everything(&world, &placed).await;
    world.stop().await;
    world.must(&["backup", &data_dir, "--to", &text(&world.path("later"))]);
    world.must(&["audit", "verify", &data_dir]);
    ciphertexts.hits_in(&data, &mut hits);
    ciphertexts.hits_in(&world.path("later"), &mut hits);
    hits.extend(found(&world, &search));
    assert!(hits.is_empty(), "after erasure:\n{}", hits.join("\n"));

    can_fail(&world, &search);
}

/// Everything heard and everything kept, but for the secrets' own configuration.
fn found(world: &World, search: &Search) -> Vec<String> {
    let mut hits = Vec::new();
    for (place, said) in world.heard.all() {
        let said = [place.as_bytes(), b" ", &said].concat();
        hits.extend(
            search
                .hits(&said)
                .iter()
                .map(|hit| format!("{place}: {hit}")),
        );
    }
    let files = search.hits_in(world.dir.path(), &mut hits);
    assert!(files > 20, "{files} files");
    hits
}

/// What must be sealed is in the vault, and opens: so the canaries went all the way.
async fn came_in(world: &World, placed: &Placed) {
    let key = hex::decode(world.planted.get("vault key")).unwrap();
    let keys = Keyring::new("k1", MasterKey::new(key.try_into().unwrap()));
    let copied = world.path("opened");
    copy(&world.data(), &copied);
    let options = Options {
        dir: copied.clone(),
        keys: Arc::new(keys),
        policy: Policy::standard(),
        limits: Limits::default(),
        past: Past::default(),
    };
    let (store, _) = EmbeddedStore::open(options).unwrap();
    let mut opened = Vec::new();
    for id in &placed.ids {
        let id: OrderId = id.parse().unwrap();
        let sealed = store.open_sealed(id, &Field::Request).await.unwrap();
        let request: Value = serde_json::from_slice(&sealed.unwrap()).unwrap();
        texts(&request, &mut opened);
    }
    opened.push(placed.link.clone());
    for (name, value) in world.planted.personal() {
        assert!(
            opened.iter().any(|text| text.starts_with(value)),
            "{name} never came in"
        );
    }
    store.close().await.unwrap();
    std::fs::remove_dir_all(copied).unwrap();
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A part of every ciphertext on the disk, as text and as bytes.
fn sealed_bytes(vault: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(vault).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        if name.starts_with("sealed-") {
            found.push((name, bytes[..64].to_vec()));
            continue;
        }
        for (line, record) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let record: Value = serde_json::from_slice(record).unwrap_or_default();
            let Some(sealed) = record["sealed"].as_str() else {
                continue;
            };
            let name = format!("{name} line {line}");
            found.push((name.clone(), sealed[..40].into()));
            found.push((name, STANDARD.decode(sealed).unwrap()[..24].to_vec()));
        }
    }
    found
}

/// Each canary, in each form, is found when it is put into a log line, an answer or a file.
fn can_fail(world: &World, search: &Search) {
    let file = world.data().join("journal").join("planted");
    for (name, bytes) in search.all() {
        let line = [&b"{\"level\":\"TRACE\",\"message\":\""[..], bytes, b"\"}\n"].concat();
        assert!(search.hits(&line).contains(&name), "{name}");
    }
    let leak = world.planted.get("e-mail");
    world.heard.note("an answer", leak);
    std::fs::write(&file, leak).unwrap();
    let hits = found(world, search);
    for place in ["an answer: e-mail (raw)", "planted: e-mail (raw)"] {
        assert!(hits.iter().any(|hit| hit.ends_with(place)), "{hits:?}");
    }
}
