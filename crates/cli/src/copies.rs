//! `issuance backup`, `restore` and `archive`: copies of a data directory. All work beside a running engine, on its machine.

use std::path::PathBuf;

use issuance::store::copies::{self, Before, Copied, CopyError};
use issuance_audit::Until;
use serde_json::json;

use crate::audit::until;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Copy a data directory, whether an engine runs in it or not.
///
/// The copy is a prefix of the log with the personal data it needs, proved while it is made; it is there whole or not at
/// all. The vault's master key is not in it: keep that elsewhere. What `issuance archive` moved away is not in it either.
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The data directory.
    dir: PathBuf,
    /// A directory that does not exist yet.
    #[arg(long, value_name = "OUT")]
    to: PathBuf,
}

/// Make a data directory from a backup, and prove that it is what was backed up.
///
/// Events after the backup are forgotten here, while the provider may have acted on them. Erasures after the backup have to
/// be repeated.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// What `issuance backup` made.
    backup: PathBuf,
    /// A directory that does not exist yet.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Move whole closed segments of the log to an archive. The chain goes on: `issuance audit verify DIR --archive ARCHIVE`.
///
/// The engine may run. It finds old events in the archive, and needs it to make its index anew; without it old histories
/// cannot be read. Always give the same archive.
#[derive(Debug, clap::Args)]
pub(crate) struct Archive {
    /// The data directory.
    dir: PathBuf,
    /// The archive, a directory that is made if its parent exists.
    #[arg(long, value_name = "ARCHIVE")]
    to: PathBuf,
    /// Segments whose last event is older: a time (RFC 3339), or a position in the log.
    #[arg(long, value_name = "T", value_parser = until)]
    before: Until,
}

pub(crate) fn backup(args: Backup, output: Output) -> Result<(), Failure> {
    let copied = copies::backup(&args.dir, &args.to).map_err(not_copied)?;
    show(&copied, output)
}

pub(crate) fn restore(args: Restore, output: Output) -> Result<(), Failure> {
    let copied = copies::restore(&args.backup, &args.to).map_err(not_copied)?;
    show(&copied, output)
}

pub(crate) fn archive(args: Archive, output: Output) -> Result<(), Failure> {
    let before = match args.before {
        Until::Position(position) => Before::Position(position),
        Until::Time(time) => Before::Time(time),
        Until::End => Before::Position(u64::MAX),
    };
    let moved = copies::archive(&args.dir, &args.to, before).map_err(not_copied)?;
    let head = format!("{}:{}", moved.head.position, moved.head.hash);
    if output.json {
        return output
            .document(&json!({ "segments": moved.segments, "bytes": moved.bytes, "head": head }));
    }
    output.line(&format!(
        "{} segments moved, {} bytes; the archive ends at head {head}",
        moved.segments, moved.bytes
    ))
}

fn show(copied: &Copied, output: Output) -> Result<(), Failure> {
    let head = format!("{}:{}", copied.head.position, copied.head.hash);
    if output.json {
        return output.document(&json!({
            "head": head,
            "archived": copied.start.position,
            "journal_bytes": copied.journal_bytes,
            "vault_bytes": copied.vault_bytes,
            "vault_damaged": copied.vault_damaged,
        }));
    }
    if copied.start.position > 0 {
        output.line(&format!(
            "events up to {} are in an archive, not in this copy",
            copied.start.position
        ))?;
    }
    if copied.vault_damaged > 0 {
        output.line(&format!(
            "{} records of the vault were damaged already, and are in the copy",
            copied.vault_damaged
        ))?;
    }
    output.line(&format!(
        "{} bytes of log, {} bytes of vault, each line proved; head {head}",
        copied.journal_bytes, copied.vault_bytes
    ))
}

/// A copy that was not made.
pub(crate) fn not_copied(error: CopyError) -> Failure {
    let (exit, hint) = match &error {
        CopyError::Exists { .. } => (Exit::Conflict, "nothing was copied"),
        CopyError::NoLog { .. } | CopyError::NoBackup { .. } => {
            (Exit::NotFound, "nothing was copied")
        }
        CopyError::Moving => (Exit::Unavailable, "nothing was copied"),
        CopyError::Journal(error) if error.is_rollback() => (
            Exit::Failed,
            "this log and that archive are not one: one of them is an older copy, or another log's",
        ),
        CopyError::Journal(_) => (
            Exit::Failed,
            "`issuance audit verify DIR` names what is wrong; `issuance audit salvage` copies what still verifies",
        ),
        _ => (
            Exit::Failed,
            "nothing was changed; what was begun is cleared away by the next try",
        ),
    };
    Failure::of(exit, &error).hint(hint)
}
