//! The comparison: plain sled 0.34, a record acknowledged when `flush` has returned.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::acks::AckFile;

const CALLERS: u64 = 4;
const LIFE: u64 = 1 << 32;
const CALLER: u64 = 1 << 24;

#[derive(Debug, clap::Args)]
pub(crate) struct VictimArgs {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    acks: PathBuf,
    #[arg(long)]
    life: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    acks: PathBuf,
}

fn value(number: u64) -> Vec<u8> {
    format!("event {number}; ").repeat(20).into_bytes()
}

/// Acknowledges until it is killed. A line of the list is `m <number>`, as for a message.
pub(crate) fn victim(args: &VictimArgs) -> ExitCode {
    let acks = Arc::new(AckFile::append_to(&args.acks));
    let Ok(db) = sled::open(&args.dir) else {
        return ExitCode::FAILURE;
    };
    acks.write("open");
    let callers = (0..CALLERS).map(|caller| {
        let (db, acks) = (db.clone(), Arc::clone(&acks));
        let first = args.life * LIFE + caller * CALLER;
        std::thread::spawn(move || {
            for number in first..first + CALLER {
                let written = db
                    .insert(number.to_be_bytes(), value(number))
                    .and_then(|_| db.flush());
                if written.is_err() {
                    return;
                }
                acks.write(&format!("m {number}"));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        let _ = caller.join();
    }
    ExitCode::SUCCESS
}

/// Prints how many of the list are not there; fails when it would not open or not be read.
pub(crate) fn verify(args: &VerifyArgs) -> ExitCode {
    let db = match sled::open(&args.dir) {
        Ok(db) => db,
        Err(error) => {
            eprintln!("would not open: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut lost = 0_u64;
    for number in crate::acks::Acks::read(&args.acks).messages {
        let number: u64 = number.parse().expect("a number");
        match db.get(number.to_be_bytes()) {
            Ok(Some(found)) if found == value(number) => {}
            Ok(_) => lost += 1,
            Err(error) => {
                eprintln!("would not be read: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{lost}");
    ExitCode::SUCCESS
}
