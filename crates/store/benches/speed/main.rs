//! How near the embedded store is to the disk, printed as tables. Everything is durable before it counts, index, chain and
//! sealing are on, and each figure stands beside a bare `write` + `fdatasync` of the same bytes in the same run:
//!
//! ```text
//! cargo bench -p issuance-store --bench speed -- [DIRECTORY] [short | full]
//! ```
//!
//! `replay STORE` reads the log of a store that is there. `short` takes about a minute; `full` takes many rounds and fills
//! a store with a million orders. The directory should lie on the disk that is to be judged and is made when it is not
//! there; all files made in it are removed at the end.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a program for people that measures time"
)]

mod acks;
mod fill;
mod load;
mod machine;

use std::path::PathBuf;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    /// Pairs of measurements, raw and store in turns.
    rounds: usize,
    /// Of each half of a pair.
    lasts: Duration,
    /// Orders the store is filled with.
    orders: u64,
    /// Those of them that are left open.
    open: u64,
}

const SHORT: Effort = Effort {
    rounds: 3,
    lasts: Duration::from_millis(700),
    orders: 50_000,
    open: 5_000,
};
const FULL: Effort = Effort {
    rounds: 9,
    lasts: Duration::from_secs(2),
    orders: 1_000_000,
    open: 100_000,
};

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    // A process of its own, so that its memory is the store's alone.
    if let [word, dir] = &arguments[..]
        && word == fill::REOPEN
    {
        return fill::reopen(dir.as_ref());
    }
    if let [word, dir, orders] = &arguments[..]
        && word == fill::KILLED
    {
        return fill::killed(dir.as_ref(), orders.parse().unwrap());
    }
    if let [word, dir] = &arguments[..]
        && word == fill::REPLAY
    {
        return fill::verify_and_replay(dir.as_ref());
    }
    let (mut dir, mut effort, mut only, mut callers) = (std::env::temp_dir(), SHORT, None, None);
    for argument in arguments {
        match argument.as_str() {
            "short" => effort = SHORT,
            "full" => effort = FULL,
            "acks" | "fill" => only = Some(argument),
            other => match other.parse() {
                Ok(number) => callers = Some(number),
                Err(_) => dir = PathBuf::from(other),
            },
        }
    }
    std::fs::create_dir_all(&dir).unwrap();
    machine::print(&dir);
    if only.as_deref() != Some("fill") {
        acks::measure(&dir, effort, callers);
    }
    if only.as_deref() != Some("acks") {
        fill::measure(&dir, effort);
    }
}
