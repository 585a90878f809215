//! Every target over its corpus, and over mutations that are the same every time.
#![allow(missing_docs)]

use issuance_fuzz::{Mutations, TARGETS, inputs};

/// Mutations for each target.
const MUTATIONS: usize = 3_000;

#[test]
fn no_bytes_from_outside_break_a_parser() {
    for target in TARGETS {
        let corpus = inputs(target);
        assert!(!corpus.is_empty(), "{} has a corpus", target.name);
        for input in &corpus {
            (target.run)(input);
        }
        for input in Mutations::new(corpus, 0x1d5_ee0).take(MUTATIONS) {
            (target.run)(&input);
        }
    }
}
