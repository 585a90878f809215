//! The same on a directory nobody serves. The lock file keeps a server and this apart.

use std::path::Path;
use std::sync::Arc;

use issuance::domain::{Command, OperatorAct, OperatorAction, OrderId, Version};
use issuance::store::{
    CommandHandler, Compacted, EmbeddedStore, HandleError, HostReference, Request, Store,
};
use issuance::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{EraseArgs, compaction};
use crate::assemble;
use crate::config;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) async fn erase(config: &Path, args: &EraseArgs, output: Output) -> Result<(), Failure> {
    let opened = open(config).await?;
    let erased = opened.erase(args).await;
    let closed = opened.store.close().await;
    let (id, report) = erased?;
    closed.map_err(|error| Failure::of(Exit::Failed, &error))?;
    if output.json {
        return output.document(&json!({ "order_id": id, "compaction": report }));
    }
    output.line(&format!(
        "the personal data of order {id} is erased, and off the disk"
    ))
}

pub(super) async fn rekey(config: &Path) -> Result<Value, Failure> {
    let opened = open(config).await?;
    let compacted = opened.store.compact(true).await;
    let closed = opened.store.close().await;
    let compacted = compacted.map_err(|error| Failure::of(Exit::Failed, &error))?;
    closed.map_err(|error| Failure::of(Exit::Failed, &error))?;
    compaction::judge(view(&compacted))
}

struct Opened {
    store: Arc<dyn Store>,
    handler: CommandHandler,
}

async fn open(config: &Path) -> Result<Opened, Failure> {
    let variables = config::variables();
    let options = config::read(Some(config), &variables)?.check_store(&variables)?;
    let policy = Arc::new(options.policy.clone());
    let opened = tokio::task::spawn_blocking(|| EmbeddedStore::open(options)).await;
    let opened = opened
        .map_err(|error| Failure::new(Exit::Failed, "cannot open the store").because(&error))?;
    let (store, _) = opened.map_err(assemble::not_opened)?;
    let store: Arc<dyn Store> = Arc::new(store);
    Ok(Opened {
        handler: CommandHandler::new(store.clone(), policy),
        store,
    })
}

impl Opened {
    async fn erase(&self, args: &EraseArgs) -> Result<(OrderId, Value), Failure> {
        let id = self.find(args).await?;
        let act = OperatorAct {
            actor: args.actor.as_str().into(),
            reason: args.reason.trim().into(),
            action: OperatorAction::ErasePersonalData,
        };
        let expected = args.expect.map(Version);
        // Recorded as wanted, then done and recorded as done: a crash between the two leaves what the next start does.
        for command in [
            Command::Operate { act, expected },
            Command::ErasePersonalData,
        ] {
            let request = Request::new(id, command, SystemClock.now());
            let decided = self.handler.handle(request).await;
            decided.map_err(|error| refused(&error))?;
        }
        let compacted = self.store.compact(false).await;
        let compacted = compacted.map_err(|error| Failure::of(Exit::Failed, &error))?;
        Ok((id, compaction::judge(view(&compacted))?))
    }

    async fn find(&self, args: &EraseArgs) -> Result<OrderId, Failure> {
        if let Ok(id) = args.order.parse() {
            return Ok(id);
        }
        let nobody = || {
            let message = format!("no order has the id or reference `{}`", args.order);
            Failure::new(Exit::NotFound, message)
        };
        let reference = HostReference {
            account: match &args.account {
                Some(account) => Some(account.parse().map_err(|_| nobody())?),
                None => None,
            },
            reference: args.order.parse().map_err(|_| nobody())?,
        };
        let found = self.store.find_reference(&reference).await;
        found
            .map_err(|error| Failure::of(Exit::Failed, &error))?
            .ok_or_else(nobody)
    }
}

fn refused(error: &HandleError) -> Failure {
    let exit = match error {
        HandleError::Rejected(issuance::domain::Rejection::StaleVersion { .. }) => Exit::Conflict,
        HandleError::Rejected(issuance::domain::Rejection::Unknown { .. }) => Exit::NotFound,
        _ => Exit::Failed,
    };
    Failure::of(exit, error)
}

/// As a server says it.
fn view(compacted: &Compacted) -> Value {
    json!({
        "removed": compacted.removed,
        "resealed": compacted.resealed,
        "unopened": compacted.unopened,
        "skipped": compacted.skipped,
    })
}
