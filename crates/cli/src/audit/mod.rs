//! `issuance audit`: prove a log, travel in it, hand it out. It reads files only, so it works on a running directory, on a
//! copy, and on a machine that never saw the engine.

mod check;
mod salvage;

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use issuance::domain::OrderId;
use issuance::store::copies::Salvaged;
use issuance_audit::{
    AuditError, ChainHash, Format, Head, JournalError, Log, Report, Tally, Until,
};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Read a log, and never write it: a data directory, running or not, or a copy of its `journal`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prove that the log is whole and unchanged, and that every order's events make sense.
    Verify {
        /// The data directory, or a copy of its journal.
        dir: PathBuf,
        /// A head that an earlier verification printed: the log must contain it. Only so can it show that nothing was
        /// taken off its end.
        #[arg(long, value_name = "POSITION:HASH", value_parser = head)]
        head: Option<Head>,
        /// Where `issuance archive` moved the log's beginning: prove both together. Without it, what is in DIR.
        #[arg(long, value_name = "DIR")]
        archive: Option<PathBuf>,
    },
    /// Hold the log against every invariant that it shows, alone or with the provider's side and what the outside was told.
    ///
    /// Prints what was judged, what is broken, and what could not be judged from what was given.
    Check(check::Args),
    /// Copy what still verifies of a damaged log, and say what is lost. The damaged one is only read.
    ///
    /// OUT gets `prefix`, which the chain proves from the log's beginning, and `run-…` for what comes after damage: each run
    /// is proved in itself, nothing proves that it follows. `issuance audit verify OUT` shows it all again.
    Salvage {
        /// The data directory, or a copy of its journal.
        dir: PathBuf,
        /// A directory that does not exist yet.
        #[arg(long, value_name = "OUT")]
        to: PathBuf,
    },
    /// Show all orders, or one, as they were at a moment.
    Replay {
        /// The data directory, or a copy of its journal.
        dir: PathBuf,
        /// Where `issuance archive` moved the log's beginning.
        #[arg(long, value_name = "DIR")]
        archive: Option<PathBuf>,
        /// A time (RFC 3339) or a position in the log. Without it, the end.
        #[arg(long, value_name = "T", value_parser = until)]
        until: Option<Until>,
        /// Only this order, with its whole timeline up to then.
        #[arg(long, value_name = "ID")]
        order: Option<OrderId>,
    },
    /// Write the events to a file. There is no personal data in a log, so none in an export.
    Export {
        /// The data directory, or a copy of its journal.
        dir: PathBuf,
        /// A file that does not exist yet; `-` is standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
        format: ExportFormat,
        /// Only this order.
        #[arg(long, value_name = "ID")]
        order: Option<OrderId>,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ExportFormat {
    /// One JSON object a line.
    Jsonl,
    /// For spreadsheets.
    Csv,
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    match args.command {
        Command::Check(args) => check::run(args, output).await,
        Command::Verify { dir, head, archive } => match Salvaged::read(&dir) {
            Ok(None) => verify(&dir, head, archive.as_deref(), output),
            Ok(Some(salvaged)) => salvage::verify(&dir, &salvaged, output),
            Err(error) => Err(Failure::of(Exit::Failed, &error)),
        },
        Command::Salvage { dir, to } => salvage::run(&dir, &to, output),
        Command::Replay {
            dir,
            archive,
            until,
            order,
        } => {
            let log = match archive {
                Some(archive) => Log::open_with_archive(&dir, &archive),
                None => Log::open(&dir),
            };
            let log = log.map_err(failed)?;
            replay(&log, until.unwrap_or(Until::End), order, output)
        }
        Command::Export {
            dir,
            out,
            format,
            order,
        } => export(&dir, &out, format, order, output),
    }
}

fn verify(
    dir: &Path,
    known: Option<Head>,
    archive: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    // First: an engine at work goes on meanwhile.
    let noted = Log::noted(dir).map_err(failed)?;
    let log = match archive {
        Some(archive) => Log::open_with_archive(dir, archive),
        None => Log::open(dir),
    };
    let log = log.map_err(failed)?;
    let is_here = |head: &Head| head.position > log.opened().start.position;
    let mut known = known.into_iter().chain(noted.filter(is_here));
    known
        .try_for_each(|known| log.contains(known))
        .map_err(failed)?;
    let bar = progress(log.opened().head.position);
    let report = log
        .verify(|done, _| bar.set_position(done))
        .map_err(failed)?;
    bar.finish_and_clear();
    if output.json {
        output.document(&in_json(&report, noted))?
    } else {
        in_words(&report, noted, output)?
    }
    if report.is_sound() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        format!("{} events do not make sense", report.wrong),
    )
    .hint("the chain is whole, so they were written like this: a newer engine, or a broken one"))
}

fn in_words(report: &Report, noted: Option<Head>, output: Output) -> Result<(), Failure> {
    for finding in &report.findings {
        output.line(&format!(
            "{}: {} of {} {}",
            finding.place, finding.event, finding.stream, finding.problem
        ))?;
    }
    let Head { position, hash } = report.head;
    if report.start.position > 0 {
        output.line(&format!(
            "events up to {} are in an archive, not here; what is here follows head {}:{}",
            report.start.position, report.start.position, report.start.hash
        ))?;
    }
    output.line(&format!(
        "{} events in {} files, {} bytes; the chain is whole",
        position - report.start.position,
        report.segments,
        report.bytes
    ))?;
    output.line(&match noted {
        Some(Head { position, .. }) => {
            format!("event {position}, which its engine noted beside it, is in it")
        }
        None => {
            "nothing beside it shows how far it had come: compare the head with one kept elsewhere"
                .into()
        }
    })?;
    if let Some((first, last)) = &report.span {
        output.line(&format!("recorded from {first} to {last}"))?;
    }
    if let Some(cut) = &report.cut {
        let bytes = cut.bytes;
        output.line(&format!(
            "{bytes} bytes at the end of {} were never acknowledged; that is no damage",
            cut.file
        ))?;
    }
    tally(&report.tally, output)?;
    output.line(&format!("head {position}:{hash}"))
}

fn in_json(report: &Report, noted: Option<Head>) -> serde_json::Value {
    json!({
        "sound": report.is_sound(),
        "start": { "position": report.start.position, "hash": report.start.hash.to_string() },
        "head": { "position": report.head.position, "hash": report.head.hash.to_string() },
        "noted": noted.map(|head| json!({ "position": head.position, "hash": head.hash.to_string() })),
        "segments": report.segments,
        "bytes": report.bytes,
        "records": report.records,
        "orders": report.tally,
        "span": report.span.as_ref().map(|(first, last)| json!({ "first": first, "last": last })),
        "unacknowledged_bytes": report.cut.as_ref().map_or(0, |cut| cut.bytes),
        "wrong": report.wrong,
        "findings": report.findings,
    })
}

fn tally(tally: &Tally, output: Output) -> Result<(), Failure> {
    let states = tally
        .states
        .iter()
        .map(|(state, count)| vec![(*state).to_owned(), count.to_string()]);
    let attention = tally
        .attention
        .iter()
        .map(|(reason, count)| vec![format!("attention: {reason}"), count.to_string()]);
    let all = std::iter::once(vec!["all".into(), tally.orders.to_string()]);
    output.table(&["orders", "count"], states.chain(attention).chain(all))
}

fn replay(log: &Log, until: Until, only: Option<OrderId>, output: Output) -> Result<(), Failure> {
    let book = log.replay(until).map_err(failed)?;
    let Some(id) = only else {
        if output.json {
            return book
                .orders
                .values()
                .try_for_each(|order| output.json_line(order));
        }
        let rows = book.orders.values().map(|order| {
            let attention = order
                .attention
                .as_ref()
                .map_or("", |attention| attention.reason.name());
            vec![
                order.id.to_string(),
                order.terms.reference.to_string(),
                order.state.name().to_owned(),
                order.version.to_string(),
                order.updated_at.to_string(),
                attention.to_owned(),
            ]
        });
        output.table(
            &[
                "order",
                "reference",
                "state",
                "version",
                "updated",
                "attention",
            ],
            rows,
        )?;
        return output.line(&format!(
            "{} orders after event {}",
            book.orders.len(),
            book.through
        ));
    };
    let Some(order) = book.orders.get(&id) else {
        return Err(Failure::new(
            Exit::NotFound,
            format!("there was no order {id} then"),
        ));
    };
    let mut moments = log.timeline(id).map_err(failed)?;
    moments.retain(|moment| moment.version <= order.version);
    if output.json {
        return output.document(&json!({ "order": order, "timeline": moments }));
    }
    output.line(&format!(
        "order {id}: {} at version {}",
        order.state.name(),
        order.version
    ))?;
    let rows = moments.iter().map(|moment| {
        let (version, at) = (moment.version.to_string(), moment.recorded_at.to_string());
        vec![
            moment.position.to_string(),
            version,
            at,
            moment.event.name().to_owned(),
        ]
    });
    output.table(&["position", "version", "recorded", "event"], rows)
}

fn export(
    dir: &Path,
    out: &Path,
    format: ExportFormat,
    only: Option<OrderId>,
    output: Output,
) -> Result<(), Failure> {
    let log = Log::open(dir).map_err(failed)?;
    let format = match format {
        ExportFormat::Jsonl => Format::JsonLines,
        ExportFormat::Csv => Format::Csv,
    };
    if out == Path::new("-") {
        log.export(&mut BufWriter::new(io::stdout().lock()), format, only)
            .map_err(failed)?;
        return Ok(());
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out);
    let file = file.map_err(|error| {
        let exit = if error.kind() == io::ErrorKind::AlreadyExists {
            Exit::Conflict
        } else {
            Exit::Failed
        };
        Failure::new(exit, format!("cannot make {}", out.display()))
            .because(&error)
            .hint("give a file that does not exist yet")
    })?;
    let mut writer = BufWriter::new(file);
    let written = log.export(&mut writer, format, only).and_then(|exported| {
        writer
            .flush()
            .and_then(|()| writer.get_ref().sync_all())
            .map_err(AuditError::Write)?;
        Ok(exported)
    });
    let exported = match written {
        Ok(exported) => exported,
        Err(error) => {
            // Half an export is none; what is left of it would be taken for one.
            let _ = std::fs::remove_file(out);
            return Err(failed(error));
        }
    };
    if output.json {
        return output.document(&json!({ "events": exported.events, "file": out }));
    }
    output.line(&format!("{} events in {}", exported.events, out.display()))
}

fn failed(error: AuditError) -> Failure {
    let hint = match &error {
        AuditError::Open { .. } | AuditError::NoLog { .. } => {
            "give the data directory of `serve`, or a copy of its `journal`"
        }
        AuditError::Journal(
            JournalError::Damaged { .. }
            | JournalError::Missing { .. }
            | JournalError::Foreign { .. },
        ) => {
            "nothing from there on can be believed; `issuance audit salvage` copies what still verifies"
        }
        AuditError::Journal(JournalError::RolledBack { .. } | JournalError::Diverged { .. }) => {
            "this is not the log that head was taken from, or its end was taken off"
        }
        AuditError::Journal(JournalError::Archived { .. }) => {
            "its beginning was moved by `issuance archive`; name that place with `--archive`"
        }
        AuditError::Unreadable { .. } => "a newer engine may have written it; use its `issuance`",
        _ => "`issuance audit verify DIR` shows everything that is wrong",
    };
    let exit = match &error {
        AuditError::Open { .. } | AuditError::NoLog { .. } => Exit::NotFound,
        _ => Exit::Failed,
    };
    Failure::of(exit, &error).hint(hint)
}

fn progress(events: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} events");
    let bar = ProgressBar::new(events);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// `POSITION:HASH`, as a verification prints it.
pub(crate) fn head(text: &str) -> Result<Head, String> {
    let parsed = text.split_once(':').and_then(|(position, hash)| {
        Some(Head {
            position: position.parse().ok()?,
            hash: ChainHash::from_hex(hash.as_bytes())?,
        })
    });
    parsed
        .ok_or_else(|| "a head is a position, a colon and 64 lower-case hexadecimal digits".into())
}

/// A position or a time.
pub(crate) fn until(text: &str) -> Result<Until, String> {
    let position = text.parse().ok().map(Until::Position);
    let time = || text.parse().ok().map(Until::Time);
    position
        .or_else(time)
        .ok_or_else(|| "give a position, or a time such as 2026-10-03T09:12:44Z".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_position_or_a_time() {
        assert_eq!(until("17"), Ok(Until::Position(17)));
        assert!(matches!(until("2026-10-03T09:12:44Z"), Ok(Until::Time(_))));
        assert!(until("yesterday").is_err());
    }

    #[test]
    fn a_head_is_what_verify_prints() {
        let head_of = Head {
            position: 3,
            hash: ChainHash::GENESIS,
        };
        assert_eq!(
            head(&format!("{}:{}", head_of.position, head_of.hash)),
            Ok(head_of)
        );
        assert!(head("3").is_err() && head("x:00").is_err());
    }
}
