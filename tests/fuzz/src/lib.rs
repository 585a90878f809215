//! Bytes from outside, into every parser that meets them: a target takes any bytes, and neither panics nor breaks its
//! property (reliability §5.4). What must not live here: a parser; a copy of one.
//!
//! The test `replay` runs each target over its corpus and over mutations of it that are the same every time; the binary
//! runs one at length. `docs/fuzzing.md` says how.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a target says by a panic that a property is broken"
)]

mod mutate;
mod targets;

pub use mutate::Mutations;
pub use targets::{TARGETS, Target};

use std::path::{Path, PathBuf};

/// Where the inputs of a target lie.
#[must_use]
pub fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name)
}

/// A target's inputs, in the order of their names.
#[must_use]
pub fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = std::fs::read_dir(corpus(target))
        .expect("a corpus for each target")
        .map(|entry| entry.expect("a readable corpus").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a readable input"))
        .collect()
}
