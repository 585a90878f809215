//! The vault on a simulated disk, and once on a real one.
#![allow(clippy::unwrap_used, reason = "tests")]

mod compaction;
mod damage;
mod faults;
mod hints;
mod sealing;

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::journal::{Disk as _, SimulatedDisk};

fn order(number: u128) -> Uuid {
    Uuid::from_u128(0x1234_5678_9abc_4def_8000_0000_0000_0000 + number)
}

fn key(byte: u8) -> MasterKey {
    MasterKey::new([byte; 32])
}

fn ring() -> Keyring {
    Keyring::new("k1", key(1))
}

fn open(disk: &SimulatedDisk) -> Result<(Vault, VaultReport), VaultError> {
    open_with(disk, ring())
}

fn open_with(disk: &SimulatedDisk, keys: Keyring) -> Result<(Vault, VaultReport), VaultError> {
    Vault::open(
        Arc::new(disk.clone()),
        Arc::new(keys),
        &VaultOptions { file_bytes: 2000 },
    )
}

fn put(vault: &mut Vault, order: Uuid, field: &str, value: &str) -> Result<(), VaultError> {
    let sealed = vault.sealer().seal(order, field, value.as_bytes())?;
    vault.write(&[Change::Put(sealed)])?;
    vault.sync()
}

fn erase(vault: &mut Vault, order: Uuid) -> Result<(), VaultError> {
    vault.write(&[Change::Erase(order)])?;
    vault.sync()
}

fn get(vault: &Vault, order: Uuid, field: &str) -> Option<String> {
    let opened = vault.reader().open(order, field).unwrap();
    opened.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    disk.list().unwrap()
}

/// Whether the bytes are anywhere on the disk.
fn holds(disk: &SimulatedDisk, bytes: &[u8]) -> bool {
    let files = names(disk).into_iter().filter_map(|name| disk.bytes(&name));
    files
        .into_iter()
        .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

fn large(byte: char) -> String {
    byte.to_string().repeat(INLINE_MAX + 1)
}
