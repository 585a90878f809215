//! The one binary, `issuance`: serve, issue, orders, audit, config, demo and simulate.
//!
//! Here live the command line, the configuration and what is printed. One file per command; [`exit`] says how a command
//! ends, [`output`] how it prints, `config` what it is told, `assemble` makes an engine of that. What must not live here:
//! a decision about an order, a word of the provider's.

mod exit;
mod logging;
mod output;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Issues cards through UQPAY, one card per order, whatever happens in between.
#[derive(Debug, Parser)]
#[command(name = "issuance", version, after_help = exit::HELP, propagate_version = true)]
struct Cli {
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    match run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = if output.json {
                failure.json()
            } else {
                failure.lines()
            };
            // There is no better place left to complain.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            failure.exit.into()
        }
    }
}

fn run(command: Command, output: Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::new(Exit::Failed, "cannot start threads").because(&error))?;
    runtime.block_on(async { match command {} })
}
