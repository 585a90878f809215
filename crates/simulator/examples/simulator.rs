//! The simulator alone, until Ctrl-C. Prints the API base as its first line.
#![allow(clippy::print_stdout, reason = "a program's output")]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use issuance_simulator::{Config, Simulator, WebhookTarget, parse_faults};

/// A false UQPAY.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Receiver of webhooks.
    #[arg(long)]
    webhook_url: Option<String>,
    /// Environment variable that holds the webhook secret.
    #[arg(long)]
    webhook_secret_env: Option<String>,
    /// Directory that keeps the world through a kill.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Seed of ids and chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// JSON file with an array of fault rules.
    #[arg(long)]
    faults: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let secret = arguments
        .webhook_secret_env
        .map(std::env::var)
        .transpose()?;
    let faults = match arguments.faults {
        Some(file) => parse_faults(&std::fs::read(file)?)?,
        None => Vec::new(),
    };
    let config = Config {
        seed: arguments.seed,
        data: arguments.data,
        webhook: arguments
            .webhook_url
            .map(|url| WebhookTarget { url, secret }),
        faults,
        ..Config::default()
    };
    let running = Simulator::start(config, arguments.listen).await?;
    println!("{}", running.api_base());
    tokio::signal::ctrl_c().await?;
    running.shutdown().await;
    Ok(())
}
