//! `issuance erase` and `issuance rekey`: the end of a person's data, and of a key. Over the operators' listener of a running
//! server, or on a directory nobody serves.

mod compaction;
mod offline;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::exit::Failure;
use crate::http::Api;
use crate::orders;
use crate::output::Output;

/// Where the data is.
#[derive(Debug, clap::Args)]
struct Place {
    /// The operators' listener of a running `issuance serve`; its token comes from ISSUANCE_ADMIN_TOKEN.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        env = "ISSUANCE_ADMIN_SERVER",
        conflicts_with = "offline"
    )]
    server: String,
    /// Open the data directory itself, which no server may be using.
    #[arg(long, requires = "config")]
    offline: bool,
    /// The configuration that names the directory and its keys.
    #[arg(long, value_name = "FILE", requires = "offline")]
    config: Option<PathBuf>,
    /// Wait at most this many seconds until it is off the disk.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
}

/// Erase what is kept of the person behind an order that has ended. Nothing brings it back.
///
/// The order, its history and the log's proof stay as they are. The data is out of reach at once; off the disk within
/// `limits.compact_every`, or with `--now` before this returns.
#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    /// Its id, or the reference it was placed under.
    order: String,
    /// The sub-account of the reference.
    #[arg(long)]
    account: Option<String>,
    /// Why. It stands in the log for ever, so no personal data.
    #[arg(long)]
    reason: String,
    /// Only if the order is still at this version, as `orders show` printed it.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
    /// Return when it is off the disk, too. Offline it always is.
    #[arg(long)]
    now: bool,
    /// Who does it, for the log; only offline, where no credential says so.
    #[arg(long, requires = "offline", env = "USER", default_value = "offline")]
    actor: String,
    #[command(flatten)]
    place: Place,
}

/// Seal anew what an older key sealed, so that it can be destroyed.
///
/// First serve with the new key as `store.vault_key` under a new name, and the old one among `store.old_vault_keys`. When
/// this succeeds nothing needs the old one any more: take it out of the configuration, restart, destroy it.
#[derive(Debug, clap::Args)]
pub(crate) struct RekeyArgs {
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn erase(args: EraseArgs, output: Output) -> Result<(), Failure> {
    if let Some(config) = args.place.config.as_deref().filter(|_| args.place.offline) {
        return offline::erase(config, &args, output).await;
    }
    let api = Api::new(&args.place.server, "ISSUANCE_ADMIN_TOKEN")?;
    let id = orders::find(&api, &args.order, args.account.as_deref()).await?;
    let path = [
        "admin",
        "v1",
        "orders",
        &id,
        "actions",
        "erase_personal_data",
    ];
    let body = json!({ "reason": args.reason });
    let answer: Value = api.act(&path, &body, args.expect).await?;
    let compacted = match args.now {
        true => Some(compaction::wait(&api, false, args.place.patience).await?),
        false => None,
    };
    if output.json {
        return output.document(&json!({ "action": answer, "compaction": compacted }));
    }
    let state = &answer["order"]["personal_data"]["state"];
    output.line(&match compacted {
        Some(_) => format!("the personal data of order {id} is erased, and off the disk"),
        None if state == "erased" => format!("the personal data of order {id} is erased"),
        None => format!("the personal data of order {id} is being erased"),
    })
}

pub(crate) async fn rekey(args: RekeyArgs, output: Output) -> Result<(), Failure> {
    let place = &args.place;
    let report = match place.config.as_deref().filter(|_| place.offline) {
        Some(config) => offline::rekey(config).await?,
        None => {
            let api = Api::new(&place.server, "ISSUANCE_ADMIN_TOKEN")?;
            compaction::wait(&api, true, place.patience).await?
        }
    };
    compaction::judge_rekey(&report, output)
}
