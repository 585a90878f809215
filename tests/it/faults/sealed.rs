//! Sealed data that cannot be read when a call needs it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use issuance::domain::{AttentionReason, Order, Policy};
use issuance::store::vault::{Keyring, MasterKey};
use issuance::store::{EmbeddedStore, Field, Limits, Options, Past, Store, StoreError};
use issuance_simulator::{Config, Endpoint, Fault};
use issuance_tests::requests::simple;
use issuance_tests::world::{World, policy};
use serde_json::json;

use super::support::{answer, calls, eventually, judge, place};

fn store(dir: &Path, policy: Policy) -> Arc<dyn Store> {
    let options = Options {
        dir: dir.into(),
        keys: Arc::new(Keyring::new("k1", MasterKey::new([7; 32]))),
        policy,
        limits: Limits::default(),
        past: Past::default(),
    };
    Arc::new(EmbeddedStore::open(options).unwrap().0)
}

/// Flips one bit of the ciphertext of the only record.
fn flip(dir: &Path) {
    let path = dir.join("vault/vault-0000000001.jsonl");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut line = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut line, 0).unwrap();
    let sealed = b"\"sealed\":\"";
    let at = line.windows(sealed.len()).position(|bytes| bytes == sealed);
    let at = at.unwrap() + sealed.len() + 20;
    file.write_all_at(&[line[at] ^ 1], at as u64).unwrap();
}

fn misses_data(order: &Order) -> bool {
    let called = order.attention.as_ref().map(|called| &called.reason);
    called == Some(&AttentionReason::DataMissing)
}

#[tokio::test]
async fn an_altered_vault_record_is_never_sent_and_a_person_is_told() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("data");
    let store = store(&dir, policy());
    let world = World::with(store.clone(), Config::default(), policy()).await;
    let broken = answer(json!({ "status": 500 }));
    world.fault(1, None, Fault::ErrorBeforeEffect(broken));
    let id = place(&world, simple(1)).await;
    eventually("sent and not known", async || {
        calls(&world.simulator, Endpoint::CreateCard) > 0
    })
    .await;
    flip(&dir);
    let read = store.open_sealed(id, &Field::Request).await;
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");

    let order = world.until(id, "without data", misses_data).await;
    assert!(!order.state.is_terminal(), "unknown is not failed");
    let sent = calls(&world.simulator, Endpoint::CreateCard);
    let looked = calls(&world.simulator, Endpoint::ListCards);
    eventually("looked up all the same", async || {
        calls(&world.simulator, Endpoint::ListCards) > looked
    })
    .await;
    assert_eq!(calls(&world.simulator, Endpoint::CreateCard), sent);
    judge(&world.simulator, id, 0);
}
