//! `issuance simulate`: the false UQPAY alone, as a team's local provider.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use issuance_simulator::{Config, FaultRule, Running, Simulator, Variants, WebhookTarget};

use crate::exit::{Exit, Failure};
use crate::output::{self, Output};

/// Runs the simulator until interrupted. API base `http://ADDR/api`, any credentials but bad/bad; its own controls
/// under `/_sim/` (docs/simulator.md).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
API base: http://ADDR/api, with any credentials but bad/bad. Controls: http://ADDR/_sim/
  ledger, clock, clock/advance, faults, webhook, variants, idv/{cardholder_id}
  curl -d '{\"fault\":{\"kind\":\"lost_after_effect\"},\"times\":1}' ADDR/_sim/faults
docs/simulator.md has the products, every fault and a walk through all of it.")]
pub(crate) struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Where webhooks go. Can be set later by POST /_sim/webhook.
    #[arg(long)]
    webhook_url: Option<String>,
    /// Name of the environment variable with the secret that webhooks are signed with. Without it they are not signed.
    #[arg(long, value_name = "NAME", requires = "webhook_url")]
    webhook_secret_env: Option<String>,
    /// A failed delivery is tried again after 16, 32, 64, 128 and 256 times so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    webhook_retry_unit: u64,
    /// Decides every id and every chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A JSON array of fault rules to begin with.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Keeps the world in this directory through a kill.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Also accept what the contract only discourages.
    #[arg(long)]
    lenient: bool,
    /// Write answers and webhooks in every documented form, chosen by the seed.
    #[arg(long)]
    variants: bool,
    /// Answer 429 beyond this many calls a minute.
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let config = Config {
        seed: args.seed,
        data: args.data,
        webhook: webhook(args.webhook_url, args.webhook_secret_env)?,
        webhook_retry_unit: Duration::from_millis(args.webhook_retry_unit),
        strict: !args.lenient,
        variants: if args.variants {
            Variants::BySeed
        } else {
            Variants::Off
        },
        rate_limit_per_minute: args.rate_limit,
        faults: args.faults.map(faults).transpose()?.unwrap_or_default(),
        ..Config::default()
    };
    let running = Simulator::start(config, args.listen)
        .await
        .map_err(|error| {
            Failure::of(Exit::Failed, &error).hint("is the address free and the directory ours?")
        })?;
    announce(&running, output)?;
    crate::signals::interrupted().await;
    running.shutdown().await;
    Ok(())
}

fn announce(running: &Running, output: Output) -> Result<(), Failure> {
    let (api, controls) = (
        running.api_base(),
        format!("http://{}/_sim", running.addr()),
    );
    if output.json {
        return output.document(&serde_json::json!({ "api_base": api, "controls": controls }));
    }
    output.line(&format!(
        "UQPAY simulator\n  API base  {api}\n  controls  {controls}/ledger"
    ))?;
    output::note("Ctrl-C ends it.");
    Ok(())
}

fn webhook(
    url: Option<String>,
    secret_env: Option<String>,
) -> Result<Option<WebhookTarget>, Failure> {
    let Some(url) = url else { return Ok(None) };
    let secret = secret_env
        .map(|name| {
            std::env::var(&name).map_err(|_| {
                Failure::new(
                    Exit::Usage,
                    format!("environment variable {name} is not set"),
                )
                .hint("put the webhook secret there")
            })
        })
        .transpose()?;
    Ok(Some(WebhookTarget { url, secret }))
}

fn faults(file: PathBuf) -> Result<Vec<FaultRule>, Failure> {
    let named = |what: &str| format!("{what} {}", file.display());
    let text = std::fs::read_to_string(&file)
        .map_err(|error| Failure::new(Exit::Usage, named("cannot read")).because(&error))?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        Failure::new(Exit::Usage, named("not a list of fault rules:"))
            .because(&error)
            .hint("docs/simulator.md has an example of each")
    })
}
