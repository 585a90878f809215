//! Breaks disks and processes under the store, as programs anyone can run: each prints a table and a verdict, and ends
//! with 1 when something acknowledged was lost, misread, or acknowledged wrongly (docs/durability.md).
//!
//! Shared by all: [`load`] drives a store and writes what was acknowledged outside the victim's disk ([`acks`]), [`verify`]
//! opens what is left and compares. A tool that is missing means *skipped*, never *passed*.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "programs for people that measure real time; one that cannot go on should panic"
)]

mod acks;
mod chaos;
mod child;
mod damage;
mod errors;
mod full_disk;
mod image;
mod kill;
mod load;
mod lying_disk;
mod orders;
mod plain_sled;
mod power_cut;
mod random;
mod server;
mod verdict;
mod verify;
mod victim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Breaks disks and processes under the store and looks at what is left.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    harness: Harness,
}

#[derive(Debug, Subcommand)]
enum Harness {
    /// Power cuts on ext4 and xfs (F-077): under load, during open, segment roll, compaction and backup; beside them plain
    /// sled.
    PowerCut(power_cut::Args),
    /// kill -9 of the release binary while orders, answers and webhooks flow (F-078).
    Kill(kill::Args),
    /// The release binary and the provider killed, paused, starved, cut off from each other; the checker judges.
    Chaos(chaos::Args),
    /// Every call to the disk fails once, in every way, simulated and on real files (F-079, F-080).
    Errors(errors::Args),
    /// A file system fills up under load (F-081).
    FullDisk(full_disk::Args),
    /// A thin disk: `fsync` fails once and then says yes (F-079).
    LyingDisk(lying_disk::Args),
    /// Bytes rot, files are cut, mixed up, lost (F-082 to F-084).
    Damage(damage::Args),
    #[command(flatten)]
    Part(Part),
}

/// What the harnesses start as processes of their own, so that these can be killed.
#[derive(Debug, Subcommand)]
enum Part {
    /// Loads a store until it is killed.
    #[command(hide = true)]
    Victim(victim::Args),
    /// Loads plain sled until it is killed.
    #[command(hide = true)]
    SledVictim(plain_sled::VictimArgs),
    /// Opens what is left of a store and compares it with an acknowledgement list.
    Verify(verify::Args),
    /// The same for plain sled.
    #[command(hide = true)]
    SledVerify(plain_sled::VerifyArgs),
}

fn main() -> ExitCode {
    match Arguments::parse().harness {
        Harness::PowerCut(args) => power_cut::run(&args).print(),
        Harness::Kill(args) => kill::run(&args).print(),
        Harness::Chaos(args) => chaos::run(&args).print(),
        Harness::Errors(args) => errors::run(&args).print(),
        Harness::FullDisk(args) => full_disk::run(&args).print(),
        Harness::LyingDisk(args) => lying_disk::run(&args).print(),
        Harness::Damage(args) => damage::run(&args).print(),
        Harness::Part(part) => match part {
            Part::Victim(args) => victim::run(&args),
            Part::SledVictim(args) => plain_sled::victim(&args),
            Part::Verify(args) => verify::run(&args),
            Part::SledVerify(args) => plain_sled::verify(&args),
        },
    }
}
