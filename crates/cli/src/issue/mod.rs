//! `issuance issue`: places many orders through a running server. The reference of each is its idempotency, so running it
//! again after whatever happened places nothing twice.

mod file;
mod send;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;
use send::{Outcome, Sender};
use summary::Summary;

/// Place orders in bulk: each line of the file is one card request as JSON.
///
/// Run it again after an interruption: what was placed before is recognised by its reference and not placed twice.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One card request a line.
    file: PathBuf,
    /// The orders' listener of a running `issuance serve`; its token, if it wants one, comes from ISSUANCE_API_TOKEN.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "ISSUANCE_SERVER"
    )]
    server: String,
    /// Requests under way at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// For how long one order is tried again while the server is busy or away, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let api = Api::new(&args.server, "ISSUANCE_API_TOKEN")?;
    let count = file::check(&args.file)?;
    let sender = Sender::new(api, Duration::from_secs(args.patience));
    let bar = bar(count);
    let mut summary = Summary::default();
    let lines = file::lines(&args.file)?.map(|line| async {
        let line = line?;
        let outcome = sender.place(&line).await?;
        Ok::<_, Failure>((line, outcome))
    });
    let mut placing = stream::iter(lines).buffer_unordered(args.concurrency.into());
    let mut ended = Ok(());
    while let Some(result) = placing.next().await {
        match result {
            Ok((line, outcome)) => {
                bar.inc(1);
                if output.json {
                    output.json_line(&summary::row(&line, &outcome))?;
                }
                summary.add(line, outcome);
            }
            // Nothing that follows would fare better; what is under way is given up and known again next time.
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
    }
    drop(placing);
    bar.finish_and_clear();
    summary.show(count, output)?;
    ended.map_err(|failure: Failure| {
        let hint = "run it again when the server is back: nothing is placed twice";
        if failure.exit == Exit::Unavailable {
            failure.hint(hint)
        } else {
            failure
        }
    })?;
    match summary.refused() {
        0 => Ok(()),
        refused => Err(Failure::new(
            Exit::Failed,
            format!("{refused} of {count} orders were refused"),
        )
        .hint("correct these lines and run it again: the others are not placed twice")),
    }
}

fn bar(count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {pos}/{len} orders, {per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}
