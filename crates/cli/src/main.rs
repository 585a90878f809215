//! The one binary, `issuance`: serve, issue, orders, erase, rekey, audit, config, demo and simulate.
//!
//! Here live the command line, the configuration and what is printed. One file per command; [`exit`] says how a command
//! ends, [`output`] how it prints, `config` what it is told, `assemble` makes an engine of that. What must not live here:
//! a decision about an order, a word of the provider's.

mod address;
mod assemble;
mod audit;
mod config;
mod copies;
mod demo;
mod exit;
mod http;
mod inbox;
mod issue;
mod logging;
mod orders;
mod output;
mod panics;
mod reconcile;
mod serve;
mod signals;
mod simulate;
mod vault;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::{Exit, Failure};
use crate::output::Output;

// What is shipped has no switch for the bugs that tests plant.
const _: () = assert!(!issuance::domain::planted::POSSIBLE);

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
enum Command {
    /// Show everything on one machine: simulator, engine, server, host, and every fault.
    Demo(demo::Args),
    Serve(serve::Args),
    Issue(issue::Args),
    Orders(orders::Args),
    Audit(audit::Args),
    Backup(copies::Backup),
    Restore(copies::Restore),
    Archive(copies::Archive),
    Reconcile(reconcile::Args),
    Erase(vault::EraseArgs),
    Rekey(vault::RekeyArgs),
    Inbox(inbox::Args),
    Config(config::Args),
    /// Run the false UQPAY alone.
    Simulate(simulate::Args),
}

fn main() -> ExitCode {
    panics::mask();
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
    runtime.block_on(async {
        signals::survive_file_size_limit();
        match command {
            Command::Demo(args) => demo::run(args, output).await,
            Command::Serve(args) => serve::run(args, output).await,
            Command::Issue(args) => issue::run(args, output).await,
            Command::Orders(args) => orders::run(args, output).await,
            Command::Audit(args) => audit::run(args, output).await,
            Command::Backup(args) => copies::backup(args, output),
            Command::Restore(args) => copies::restore(args, output),
            Command::Archive(args) => copies::archive(args, output),
            Command::Reconcile(args) => reconcile::run(args, output).await,
            Command::Erase(args) => vault::erase(args, output).await,
            Command::Rekey(args) => vault::rekey(args, output).await,
            Command::Inbox(args) => inbox::run(args, output).await,
            Command::Config(args) => config::run(args, output),
            Command::Simulate(args) => simulate::run(args, output).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
        assert!(
            Cli::command()
                .render_long_help()
                .to_string()
                .contains("Exit status:")
        );
    }

    #[test]
    fn json_can_be_asked_for_anywhere() {
        for line in [
            "issuance --json orders list",
            "issuance orders --json list",
            "issuance orders list --json",
            "issuance audit verify data --json",
            "issuance simulate --json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.json, "{line}");
        }
    }

    #[test]
    fn what_every_command_takes() {
        for line in [
            "issuance serve --config a.toml",
            "issuance serve --config a.toml --accept-rollback",
            "issuance issue orders.jsonl --server http://127.0.0.1:1 --concurrency 4 --patience 10",
            "issuance orders list --state failed --limit 5",
            "issuance orders list --attention",
            "issuance orders list --attention capacity --server http://127.0.0.1:1",
            "issuance orders show ref-1 --account acc",
            "issuance orders watch",
            "issuance orders watch ref-1",
            "issuance orders retry ref-1 --reason r --expect 3",
            "issuance orders fail ref-1 --reason r",
            "issuance orders act ref-1 pause --reason r",
            "issuance reconcile --server http://127.0.0.1:1 --patience 5",
            "issuance reconcile --last",
            "issuance erase ref-1 --reason r --expect 3 --now",
            "issuance erase ref-1 --reason r --offline --config a.toml --actor ada",
            "issuance rekey --patience 5",
            "issuance inbox list",
            "issuance inbox --server http://127.0.0.1:1 dismiss m-1 --reason r",
            "issuance rekey --offline --config a.toml",
            "issuance audit verify data",
            "issuance audit check data --ledger http://127.0.0.1:1/_sim/ledger --history h.jsonl --at-rest",
            "issuance audit check data --ledger cards.json --config a.toml --clocks 2 --shared",
            "issuance audit salvage data --to out",
            "issuance audit verify data --archive old",
            "issuance backup data --to out",
            "issuance restore out --to data",
            "issuance archive data --to old --before 2026-01-01T00:00:00Z",
            "issuance archive data --to old --before 1000",
            "issuance audit replay data --until 2026-10-03T09:12:44Z",
            "issuance audit replay data --until 17",
            "issuance audit export data --out x.csv --format csv",
            "issuance config init",
            "issuance config check --config a.toml --no-secrets",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    #[test]
    fn wrong_use_is_status_two() {
        for line in [
            "issuance",
            "issuance serve",
            "issuance orders fail ref-1",
            "issuance erase ref-1",
            "issuance erase ref-1 --reason r --offline",
            "issuance rekey --config a.toml",
            "issuance inbox dismiss m-1",
            "issuance orders act ref-1 --reason r",
            "issuance orders act ref-1 teleport --reason r",
            "issuance issue",
            "issuance issue orders.jsonl --concurrency 0",
            "issuance audit export data",
            "issuance audit replay data --until yesterday",
            "issuance audit verify data --head 3",
            "issuance teleport",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line}");
            assert_eq!(error.exit_code(), Exit::Usage as i32, "{line}");
        }
    }
}
