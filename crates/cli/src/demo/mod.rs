//! `issuance demo`: the whole of it on one machine. A simulator, the engine on its embedded store, the server, and a host
//! that issues the orders of a file while everything goes wrong that can.

mod host;
mod judge;
mod report;
mod run;
mod script;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use issuance::uqpay::{BaseUrl, Client, Config as ClientConfig};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use crate::{logging, signals};

use judge::Judged;
use report::Row;
use run::Host;
use script::Line;
use world::World;

/// Shows everything on one machine: no account, no network, no set-up.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keeps everything here; a second start goes on where the first ended. Without it, a fresh directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Orders of your own, in the form of config/demo-orders.jsonl.
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// Ends when the orders have; status 0 only if each ended as its line expects.
    #[arg(long)]
    exit: bool,
    /// The longest wait for one order, in seconds.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    patience: u64,
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let _logging = logging::start(logging::Format::Text, "error")?;
    let lines = script::read(args.orders.as_deref())?;
    let data = data_dir(args.data)?;
    let world = World::start(data, lines.iter().flat_map(Line::rules).collect()).await?;

    let issued = tokio::select! {
        issued = issue(&world, &lines, Duration::from_secs(args.patience), output) => issued,
        () = signals::interrupted() => return world.end().await,
    };
    let mut rows = match issued {
        Ok(rows) => rows,
        Err(failure) => {
            world.end().await?;
            return Err(failure);
        }
    };
    let judged = judge::judge(&world).await?;
    judged.tell(&world, &mut rows);
    let verdict = tell(&world, &rows, &judged, output)?;
    if !args.exit {
        if !output.json {
            try_this(&world, &rows, output)?;
        }
        signals::interrupted().await;
    }
    world.end().await?;
    verdict
}

async fn issue(
    world: &World,
    lines: &[Line],
    patience: Duration,
    output: Output,
) -> Result<Vec<Row>, Failure> {
    let progress = progress(lines.len(), output);
    let host = Host {
        engine: &world.serving.engine,
        base: format!("http://{}", world.serving.hosts),
        http: reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| Failure::new(Exit::Failed, "cannot set up HTTP").because(&error))?,
        provider: provider(world)?,
        token: OnceCell::new(),
        patience,
    };
    let rows = host.issue(lines, &progress).await;
    progress.finish_and_clear();
    rows
}

/// What became of it, for people or for programs; and the verdict.
fn tell(
    world: &World,
    rows: &[Row],
    judged: &Judged,
    output: Output,
) -> Result<Result<(), Failure>, Failure> {
    let ended = rows.iter().filter(|row| row.order_id.is_some()).count();
    let calls = world.simulator.ledger().requests.len();
    let calls_each = calls as f64 / ended.max(1) as f64;
    let wrong: Vec<_> = rows.iter().filter(|row| !row.is_as_expected()).collect();
    let ok = wrong.is_empty() && judged.verdict.is_sound();
    if output.json {
        output.document(&json!({
            "ok": ok,
            "orders": rows,
            "log": { "records": judged.head.position, "hash": judged.head.hash.to_string() },
            "checker": judged.verdict,
            "provider_calls": calls,
            "provider_calls_per_order": (calls_each * 100.0).round() / 100.0,
            "host_told_of": world.told.count(),
            "data": world.data,
        }))?;
    } else {
        let head = [
            "order",
            "what it shows",
            "end",
            "why",
            "calls",
            "cards",
            "as expected",
        ];
        let cells = |row: &Row| {
            let verdict = if row.is_as_expected() {
                "yes".into()
            } else {
                row.complaints.join("; ")
            };
            let (calls, cards) = (row.calls.to_string(), row.cards.to_string());
            vec![
                row.reference.clone(),
                row.title.clone(),
                row.end.clone(),
                row.why.clone(),
                calls,
                cards,
                verdict,
            ]
        };
        output.table(&head, rows.iter().map(cells))?;
        output.line(&format!(
            "\n{} of {} orders as expected. {calls} calls to the provider, {calls_each:.1} for each order sent; the host \
             was told of {} since this start.\nThe checker held {} records and the provider's ledger against {} invariants: \
             {}.",
            rows.len() - wrong.len(),
            rows.len(),
            world.told.count(),
            judged.head.position,
            judged.held(),
            match judged.verdict.wrong {
                0 => "all of them hold".to_owned(),
                wrong => format!("{wrong} VIOLATIONS"),
            },
        ))?;
        for violation in &judged.verdict.violations {
            output.line(&violation.to_string())?;
        }
    }
    if ok {
        return Ok(Ok(()));
    }
    let names: Vec<_> = wrong.iter().map(|row| row.reference.as_str()).collect();
    let what = if names.is_empty() {
        format!("{} violations", judged.verdict.wrong)
    } else {
        format!("not as expected: {}", names.join(", "))
    };
    let failure = Failure::new(Exit::Failed, what);
    Ok(Err(failure.hint(format!(
        "everything is kept in {}",
        world.data.display()
    ))))
}

fn try_this(world: &World, rows: &[Row], output: Output) -> Result<(), Failure> {
    let (hosts, data) = (world.serving.hosts, world.data.display());
    let operators = world
        .serving
        .operators
        .map_or_else(|| "none".to_owned(), |address| format!("http://{address}"));
    let stuck = rows
        .iter()
        .find(|row| row.end == "accepted")
        .and_then(|row| row.order_id.as_deref())
        .unwrap_or("ID");
    let program = std::env::args().next().unwrap_or_else(|| "issuance".into());
    output.line(&format!(
        "\nEverything goes on running. Ctrl-C ends it; a start with --data {data} goes on.\n\
         \x20 orders and webhooks  http://{hosts}\n\
         \x20 operators            {operators}\n\
         \x20 false UQPAY          {api}\n\
         \n\
         Three things to try:\n\
         \x20 1. See who is stuck, and why:\n\
         \x20    export ISSUANCE_ADMIN_TOKEN=$(cat {data}/secrets/admin-token)\n\
         \x20    {program} orders --server {operators} list --attention\n\
         \x20 2. Read one order's whole story, and free it:\n\
         \x20    {program} orders --server {operators} show {stuck}\n\
         \x20    {program} orders --server {operators} fail {stuck} --reason \"the card never came\"\n\
         \x20 3. Prove that nobody touched the log:\n\
         \x20    {program} audit verify {data}/store",
        api = world.simulator.api_base(),
    ))
}

fn progress(length: usize, output: Output) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or_default());
    if output.json || !output.terminal {
        // Without a terminal the bar draws nothing; say at least that something happens.
        bar.set_draw_target(ProgressDrawTarget::hidden());
        output::note(&format!(
            "issuing {length} orders, with faults; this takes about half a minute"
        ));
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} orders at their end  {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The provider as another program of ours would reach it, with a credential of its own.
fn provider(world: &World) -> Result<Client, Failure> {
    let base_url = BaseUrl::parse(&world.simulator.api_base(), true)
        .map_err(|error| Failure::of(Exit::Failed, &error))?;
    let config = ClientConfig {
        base_url,
        client_id: "demo-setup".into(),
        api_key: "demo-setup".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: ClientConfig::CONNECT_TIMEOUT,
        total_timeout: ClientConfig::TOTAL_TIMEOUT,
        max_answer: ClientConfig::MAX_ANSWER,
    };
    Client::new(config).map_err(|error| Failure::of(Exit::Failed, &error))
}

fn data_dir(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let dir = given.unwrap_or_else(|| {
        let mut random = [0; 6];
        issuance::Clock::fill_random(&issuance::SystemClock, &mut random);
        std::env::temp_dir().join(format!("issuance-demo-{}", hex::encode(random)))
    });
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("cannot use data directory {}", dir.display()),
        )
        .because(&error)
    };
    std::fs::create_dir_all(&dir).map_err(failed)?;
    dir.canonicalize().map_err(failed)
}
