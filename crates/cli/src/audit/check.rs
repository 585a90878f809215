//! `issuance audit check`: a log held against the invariants, with the provider's side and the outside history if given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use issuance::domain::Policy;
use issuance_audit::{Checker, Ending, Ledger, Log, Outside, Rules, Verdict};

use crate::config;
use crate::exit::{Exit, Failure};
use crate::output::Output;

use super::{failed, progress};

/// For the ledger of a running simulator.
const TIMEOUT: Duration = Duration::from_secs(60);
/// More is no ledger.
const MAX_LEDGER: usize = 1 << 30;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data directory, or a copy of its journal.
    dir: PathBuf,
    /// Where `issuance archive` moved the log's beginning.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// The provider's side: its list of cards as JSON, page after page, or a simulator's ledger; a file, or the address
    /// of a running simulator's ledger.
    #[arg(long, value_name = "FILE_OR_URL")]
    ledger: Option<String>,
    /// What the outside was told, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The configuration the orders lived under. Without it, the standard policy.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The most by which the provider's clock can differ from ours, in seconds. Without it, their times are not compared.
    #[arg(long, value_name = "SECONDS")]
    clocks: Option<u64>,
    /// Others issue cards for orders of their own under the same account.
    #[arg(long)]
    shared: bool,
    /// Everything was left alone until nothing happened any more: what is owed must have been done.
    #[arg(long)]
    at_rest: bool,
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let rules = Rules {
        clocks: args.clocks.map(Duration::from_secs),
        sole: !args.shared,
        ..Rules::of(policy(args.config.as_deref())?)
    };
    let log = match &args.archive {
        Some(archive) => Log::open_with_archive(&args.dir, archive),
        None => Log::open(&args.dir),
    };
    let log = log.map_err(failed)?;
    let mut checker = Checker::new(rules);
    let bar = progress(log.opened().head.position);
    log.feed(&mut checker, |done, _| bar.set_position(done))
        .map_err(failed)?;
    bar.finish_and_clear();
    if let Some(ledger) = &args.ledger {
        let json = fetch(ledger).await?;
        let ledger = Ledger::parse(&json).map_err(|error| Failure::of(Exit::Failed, &error))?;
        checker.ledger(&ledger);
    }
    if let Some(path) = &args.history {
        history(path)?.iter().for_each(|fact| checker.outside(fact));
    }
    let ending = if args.at_rest {
        Ending::AtRest
    } else {
        Ending::Cut
    };
    tell(&checker.report(ending), output)
}

fn policy(config: Option<&Path>) -> Result<Policy, Failure> {
    match config {
        None => Ok(Policy::standard()),
        Some(file) => Ok(config::read(Some(file), &config::variables())?.policy),
    }
}

fn tell(verdict: &Verdict, output: Output) -> Result<(), Failure> {
    if output.json {
        output.document(verdict)?;
    } else {
        for violation in &verdict.violations {
            output.line(&violation.to_string())?;
        }
        let rows = verdict.judgements.iter().map(|judgement| {
            vec![
                judgement.invariant.id().to_owned(),
                judgement.title.to_owned(),
                judgement.standing.to_string(),
            ]
        });
        output.table(&["invariant", "what it says", "outcome"], rows)?;
        output.line(&format!(
            "{} orders, {} violations",
            verdict.orders, verdict.wrong
        ))?;
    }
    if verdict.is_sound() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        format!("{} times something is not as it must be", verdict.wrong),
    )
    .hint("each paragraph names the order and the facts that disagree; `issuance audit replay --order ID` shows its story"))
}

async fn fetch(from: &str) -> Result<Vec<u8>, Failure> {
    if !from.starts_with("http://") && !from.starts_with("https://") {
        return std::fs::read(from).map_err(|error| {
            Failure::new(Exit::NotFound, format!("cannot read {from}")).because(&error)
        });
    }
    let unavailable = |error: &dyn std::error::Error| {
        Failure::new(Exit::Unavailable, "the ledger cannot be fetched").because(error)
    };
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| unavailable(&error))?;
    let mut answer = http
        .get(from)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| unavailable(&error))?;
    let mut json = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unavailable(&error))? {
        if json.len() + chunk.len() > MAX_LEDGER {
            return Err(Failure::new(
                Exit::Failed,
                "the ledger is larger than any ledger",
            ));
        }
        json.extend_from_slice(&chunk);
    }
    Ok(json)
}

fn history(path: &Path) -> Result<Vec<Outside>, Failure> {
    let unreadable = |error: &dyn std::error::Error| {
        Failure::new(Exit::NotFound, format!("cannot read {}", path.display())).because(error)
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                let what = format!(
                    "line {} of {} is no outside fact",
                    number + 1,
                    path.display()
                );
                Failure::new(Exit::Usage, what).because(&error)
            })
        })
        .collect()
}
