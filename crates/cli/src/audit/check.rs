//! `issuance audit check`: a log held against the invariants, with the provider's side and the outside history if given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use issuance::domain::Timestamp;
use issuance::{Clock as _, SystemClock};
use issuance_audit::{
    Basis, Checker, Ending, Judgement, Ledger, Log, Outcome, Outside, Rules, Verdict,
};

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
    /// The provider's side: every page of its list of cards (GET /v1/issuing/cards), of every account, one after another, or a simulator's
    /// ledger; a file, or the address of a running simulator's ledger (http://ADDR/_sim/ledger). What was recorded after a
    /// file was last written is not missed in it.
    #[arg(long, value_name = "FILE_OR_URL")]
    ledger: Option<String>,
    /// What the outside was told, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The configuration the orders lived under. Without it, waits are judged by the mildest policy there can be.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The most by which the provider's clock can differ from ours, in seconds. Without it, their times are not compared.
    #[arg(long, value_name = "SECONDS")]
    clocks: Option<u64>,
    /// The client id whose calls in a simulator's ledger are ours. Without it, all are.
    #[arg(long, value_name = "ID")]
    client: Option<Box<str>>,
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
        client: args.client,
        ..rules(args.config.as_deref())?
    };
    // Before the log, which may go on meanwhile: of what is in them, all was recorded.
    let ledger = match &args.ledger {
        Some(from) => Some(ledger(from).await?),
        None => None,
    };
    let history = args.history.as_deref().map(history).transpose()?;
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
    if let Some(ledger) = &ledger {
        checker.ledger(ledger);
    }
    let history = history.iter().flatten();
    history.for_each(|fact| checker.outside(fact));
    let ending = if args.at_rest {
        Ending::AtRest
    } else {
        Ending::Cut
    };
    tell(&checker.report(ending), output)
}

fn rules(config: Option<&Path>) -> Result<Rules, Failure> {
    match config {
        None => Ok(Rules::of_any_policy()),
        Some(file) => Ok(Rules::of(
            config::read(Some(file), &config::variables())?.policy,
        )),
    }
}

/// The provider's side, and when it was taken by this machine's clock.
async fn ledger(from: &str) -> Result<Ledger, Failure> {
    let taken_at = if is_address(from) {
        Some(SystemClock.now())
    } else {
        written_at(Path::new(from))
    };
    let json = fetch(from).await?;
    let mut ledger = Ledger::parse(&json).map_err(|error| {
        Failure::of(Exit::Usage, &error).hint(
            "give the answers to GET /v1/issuing/cards, every page of every account, or a simulator's /_sim/ledger",
        )
    })?;
    ledger.taken_at = taken_at;
    Ok(ledger)
}

fn is_address(from: &str) -> bool {
    from.starts_with("http://") || from.starts_with("https://")
}

fn written_at(file: &Path) -> Option<Timestamp> {
    let written = std::fs::metadata(file).ok()?.modified().ok()?;
    let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(
        i64::try_from(since.as_millis()).ok()?,
    ))
}

fn tell(verdict: &Verdict, output: Output) -> Result<(), Failure> {
    if output.json {
        output.document(verdict)?;
    } else {
        for violation in &verdict.violations {
            output.line(&violation.to_string())?;
        }
        let here = |judgement: &&Judgement| matches!(judgement.invariant.basis(), Basis::Here(..));
        let rows = verdict.judgements.iter().filter(here).map(|judgement| {
            vec![
                judgement.invariant.id().to_owned(),
                judgement.title.to_owned(),
                judgement.standing.to_string(),
            ]
        });
        output.table(&["invariant", "what it says", "outcome"], rows)?;
        let elsewhere = verdict.judgements.iter().filter(|judged| !here(judged));
        let elsewhere: Vec<_> = elsewhere.map(|judged| judged.invariant.id()).collect();
        output.line(&format!(
            "Not to be seen in any log, and proved elsewhere (docs/invariants.md): {}.",
            elsewhere.join(" ")
        ))?;
        output.line(&summary(verdict))?;
    }
    if verdict.is_sound() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        format!("{} times something is not as it must be", verdict.wrong),
    )
    .hint("each paragraph names the order and the facts that disagree; `issuance audit replay DIR --order ID` shows its story"))
}

/// In one line; what was not judged is never counted as held.
fn summary(verdict: &Verdict) -> String {
    let count = |wanted: fn(&Outcome) -> bool| {
        let all = verdict.judgements.iter();
        all.filter(|judged| wanted(&judged.standing)).count()
    };
    format!(
        "{} orders: {} invariants held, {} violated, {} could not be judged from what was given.",
        verdict.orders,
        count(|outcome| matches!(outcome, Outcome::Held { .. })),
        count(|outcome| matches!(outcome, Outcome::Violated { .. })),
        verdict
            .judgements
            .iter()
            .filter(|judged| matches!(judged.invariant.basis(), Basis::Here(..)))
            .filter(|judged| matches!(judged.standing, Outcome::NotJudged { .. }))
            .count()
    )
}

async fn fetch(from: &str) -> Result<Vec<u8>, Failure> {
    if !is_address(from) {
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
