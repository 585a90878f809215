//! The embedded store: the suite every store passes, and what only files can suffer.
#![cfg(feature = "embedded")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a failed test is a panic"
)]

mod backup;
mod bounds;
mod erasure;
mod faults;
mod files;
mod forgetting;
mod hands;
mod index_faults;
mod index_reopened;
mod model;
mod noted;
mod pipeline;
mod plain;
mod salvage;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::Policy;
use issuance_store::conformance::Subject;
use issuance_store::vault::{Keyring, MasterKey};
use issuance_store::{EmbeddedStore, Limits, Options, Past, Store};
use tempfile::TempDir;

fn options(dir: &Path) -> Options {
    let keys = Arc::new(Keyring::new("test", MasterKey::new([7; 32])));
    // Small, so that segments roll.
    let limits = Limits {
        segment_bytes: 16 << 10,
        vault_file_bytes: 16 << 10,
        ..Limits::default()
    };
    Options {
        dir: dir.join("data"),
        keys,
        policy: Policy::standard(),
        limits,
        past: Past::default(),
    }
}

struct Embedded {
    dir: TempDir,
    policy: Policy,
    store: Option<Arc<EmbeddedStore>>,
}

#[async_trait]
impl Subject for Embedded {
    async fn start(policy: Policy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = EmbeddedStore::open(Options {
            policy: policy.clone(),
            ..options(dir.path())
        })
        .unwrap();
        Self {
            dir,
            policy,
            store: Some(Arc::new(store)),
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone().unwrap()
    }

    async fn reopen(&mut self) {
        let store =
            Arc::into_inner(self.store.take().unwrap()).expect("somebody else holds the store");
        drop(store);
        let (store, _) = EmbeddedStore::open(Options {
            policy: self.policy.clone(),
            ..options(self.dir.path())
        })
        .unwrap();
        self.store = Some(Arc::new(store));
    }
}

issuance_store::store_conformance!(Embedded);
