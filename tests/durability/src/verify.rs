//! Opens what is left of a store and compares it with what was acknowledged.
//!
//! Everything acknowledged is there, the chain verifies, every order is the fold of its events, owes what its state says and
//! its personal data opens; and the index's rows are those a store makes that only has journal and vault.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use issuance_audit::Log;
use issuance_domain::{OrderId, Policy, evolve};
use issuance_store::{EmbeddedStore, Field, Projection, Query, Receipt, Store};
use serde::{Deserialize, Serialize};

use crate::acks::Acks;
use crate::orders::{self, number_of, options};

const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's data directory.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// The acknowledgement list.
    #[arg(long)]
    pub(crate) acks: PathBuf,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) events: u64,
    pub(crate) orders: usize,
    /// Acknowledged and not there.
    pub(crate) lost: Vec<String>,
    /// There and wrong.
    pub(crate) wrong: Vec<String>,
    /// Bytes of a torn tail.
    pub(crate) cut: u64,
    /// Why the index was made anew.
    pub(crate) rebuilt: Option<String>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(verify(&args.dir, &Acks::read(&args.acks))) {
        Ok(findings) => {
            println!("{}", serde_json::to_string(&findings).unwrap());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// An error: it would not open.
pub(crate) async fn verify(dir: &Path, acks: &Acks) -> Result<Findings, String> {
    let mut findings = Findings::default();
    let opened = EmbeddedStore::open(options(dir, SEGMENT_BYTES));
    let (store, report) = opened.map_err(|error| format!("would not open: {error:?}"))?;
    findings.events = report.journal.head.position;
    findings.cut = report.journal.cut.map_or(0, |cut| cut.bytes);
    findings.rebuilt = report.index.rebuilt;
    if report.vault.damaged_count > 0 {
        findings.wrong.push(format!(
            "{} damaged vault records",
            report.vault.damaged_count
        ));
    }
    let store: Arc<dyn Store> = Arc::new(store);
    chain(dir, findings.events, &mut findings);
    folds(&store, &mut findings)
        .await
        .map_err(|error| error.to_string())?;
    acknowledged(&store, acks, &mut findings)
        .await
        .map_err(|error| error.to_string())?;
    store.close().await.map_err(|error| error.to_string())?;
    drop(store);
    index(dir, &mut findings).await?;
    Ok(findings)
}

fn chain(dir: &Path, head: u64, findings: &mut Findings) {
    let verified = Log::open(dir).and_then(|log| log.verify(|_, _| {}));
    match verified {
        Ok(report) if report.is_sound() && report.head.position == head => {}
        Ok(report) => findings.wrong.push(format!(
            "the chain ends at {} of {head}, findings {:?}",
            report.head.position, report.findings
        )),
        Err(error) => findings.wrong.push(format!("the chain: {error}")),
    }
}

/// Every order is the fold of its events, and owes what it should.
async fn folds(
    store: &Arc<dyn Store>,
    findings: &mut Findings,
) -> Result<(), issuance_store::StoreError> {
    let policy = Policy::standard();
    let mut query = Query {
        limit: 1_000,
        ..Query::default()
    };
    loop {
        let page = store.list(&query).await?;
        findings.orders += page.orders.len();
        for order in &page.orders {
            let (mut folded, mut expected) = (None, 1);
            for recorded in store.history(order.id).await? {
                if recorded.version.0 != expected {
                    findings
                        .wrong
                        .push(format!("order {} has no version {expected}", order.id));
                }
                expected += 1;
                match evolve(order.id, folded.take(), &recorded.event) {
                    Ok(next) => folded = Some(next),
                    Err(corrupt) => findings
                        .wrong
                        .push(format!("order {}: {corrupt}", order.id)),
                }
            }
            if folded.as_ref() != Some(&**order) {
                findings
                    .wrong
                    .push(format!("order {} is not its events", order.id));
            }
            let owed = Projection::of(Arc::clone(order), &policy).tasks;
            let owed: BTreeMap<_, _> = owed
                .iter()
                .map(|task| (format!("{:?}", task.id), task.due))
                .collect();
            let rows = store.tasks(order.id).await?;
            let rows: BTreeMap<_, _> = rows
                .iter()
                .map(|task| (format!("{:?}", task.id), task.due))
                .collect();
            if owed != rows {
                findings
                    .wrong
                    .push(format!("order {} owes {owed:?}, not {rows:?}", order.id));
            }
        }
        match page.next {
            Some(next) => query.before = Some(next),
            None => return Ok(()),
        }
    }
}

async fn acknowledged(
    store: &Arc<dyn Store>,
    acks: &Acks,
    findings: &mut Findings,
) -> Result<(), issuance_store::StoreError> {
    for (id, version) in &acks.orders {
        let found = store.order(*id).await?.map_or(0, |order| order.version.0);
        if found < *version {
            findings
                .lost
                .push(format!("order {id} is at version {found}, not {version}"));
        }
        sealed(store, *id, findings).await;
    }
    let mut waiting: Vec<String> = Vec::new();
    for message in store.pending_messages(usize::MAX).await? {
        waiting.push(message.id.to_string());
    }
    for (message, _) in store.unsettled_messages(usize::MAX).await? {
        waiting.push(message.id.to_string());
    }
    for id in &waiting {
        if acks.settled.contains(id) {
            findings.lost.push(format!("message {id} is not settled"));
        }
    }
    for id in &acks.messages {
        let number = id[2..].parse().expect("a message of ours");
        match store.receive(orders::message(number), None).await? {
            Receipt::Repeat => {}
            Receipt::Stored | Receipt::Forged => {
                findings.lost.push(format!("message {id} is not stored"));
            }
        }
    }
    Ok(())
}

async fn sealed(store: &Arc<dyn Store>, id: OrderId, findings: &mut Findings) {
    match store.open_sealed(id, &Field::Request).await {
        Ok(Some(bytes)) if *bytes == orders::personal(number_of(id)) => {}
        Ok(Some(_)) => findings
            .wrong
            .push(format!("personal data of order {id} is another's")),
        Ok(None) => findings
            .lost
            .push(format!("personal data of order {id} is not there")),
        Err(error) => findings
            .wrong
            .push(format!("personal data of order {id}: {error}")),
    }
}

/// The index, closed, is what an index made from journal and vault alone is.
async fn index(dir: &Path, findings: &mut Findings) -> Result<(), String> {
    let fresh = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copy = fresh.path().join("data");
    for part in ["journal", "vault"] {
        copy_tree(&dir.join(part), &copy.join(part)).map_err(|error| error.to_string())?;
    }
    make_private(&copy);
    let opened = EmbeddedStore::open(options(&copy, SEGMENT_BYTES));
    let (store, _) = opened.map_err(|error| format!("a copy would not open: {error:?}"))?;
    store.close().await.map_err(|error| error.to_string())?;
    drop(store);
    let (mut left, mut anew) = (rows(dir)?, rows(&copy)?);
    left.retain(|row, value| anew.get(row) != Some(value));
    if let Some((row, _)) = left.iter().next() {
        findings.wrong.push(format!(
            "{} rows of the index are not those of the journal, as {:?}",
            left.len(),
            String::from_utf8_lossy(row)
        ));
    }
    let there = rows(dir)?;
    anew.retain(|row, _| !there.contains_key(row));
    if let Some((row, _)) = anew.iter().next() {
        findings.wrong.push(format!(
            "{} rows are missing in the index, as {:?}",
            anew.len(),
            String::from_utf8_lossy(row)
        ));
    }
    Ok(())
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn rows(dir: &Path) -> Result<Rows, String> {
    let index = sled::Config::new()
        .path(dir.join("index"))
        .flush_every_ms(None)
        .open()
        .map_err(|error| format!("the closed index would not open: {error}"))?;
    let mut rows = Rows::new();
    for name in index.tree_names() {
        let tree = index.open_tree(&name).map_err(|error| error.to_string())?;
        for row in &tree {
            let (key, value) = row.map_err(|error| error.to_string())?;
            rows.insert([&name[..], b" ", &key].concat(), value.to_vec());
        }
    }
    Ok(rows)
}

/// Copies a directory, as private as the store wants it.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    make_private(to);
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Makes a directory as the store wants it.
pub(crate) fn make_private(dir: &Path) {
    std::fs::create_dir_all(dir).expect("a directory");
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(dir, private).expect("a private directory");
}
