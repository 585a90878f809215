//! The seam against a reference of a hundred lines: operations drawn at random, with restarts, power cuts and failing disks
//! between and inside them, over the simulated and the embedded store. What fails is made as small as it goes.
//! `PROPTEST_CASES` makes it longer.

mod op;
mod reference;
mod subject;

use std::collections::BTreeMap;
use std::fmt::Debug;

use issuance_domain::{OrderId, TaskId, Timestamp};
use issuance_store::{Alias, Field, Position, Query, Standing, Store, StoreError};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use op::{Op, Write, ops};
use reference::Reference;
use subject::Subject;

fn check(subject: fn() -> Subject, cases: u32) {
    let config = Config {
        cases: std::env::var_os("PROPTEST_CASES").map_or(cases, |_| Config::default().cases),
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let played = TestRunner::new(config).run(&ops(), |ops| {
        let played = runtime.block_on(play(subject(), &ops));
        played.map_err(TestCaseError::fail)
    });
    if let Err(broken) = played {
        panic!("{broken:#}");
    }
}

#[test]
fn the_simulated_store_is_what_the_reference_says() {
    check(Subject::simulated, 256);
}

#[test]
fn the_embedded_store_is_what_the_reference_says() {
    check(Subject::embedded, 48);
}

async fn play(mut subject: Subject, ops: &[Op]) -> Result<(), String> {
    let mut reference = Reference::default();
    for (number, op) in ops.iter().enumerate() {
        let done = step(&mut subject, &mut reference, op).await;
        done.map_err(|why| format!("operation {number}, {op:?}: {why}"))?;
    }
    compare(&*subject.store(), &reference).await
}

async fn step(subject: &mut Subject, reference: &mut Reference, op: &Op) -> Result<(), String> {
    match op {
        Op::Write(write) => {
            let Some(call) = write.call(reference) else {
                return Ok(());
            };
            let told = call.tell(reference);
            return same("the answer", &told, &call.ask(&*subject.store()).await);
        }
        Op::Restart => subject.restart().await,
        Op::Crash(seed) => subject.crash(*seed),
        Op::Torn(write, seed) => torn(subject, reference, write, *seed).await?,
    }
    compare(&*subject.store(), reference).await
}

/// Answered as the reference does, it happened; otherwise it happened whole, or not at all.
async fn torn(
    subject: &mut Subject,
    reference: &mut Reference,
    write: &Write,
    seed: u64,
) -> Result<(), String> {
    let Some(call) = write.call(reference) else {
        return Ok(());
    };
    let mut after = reference.clone();
    let told = call.tell(&mut after);
    let answered = subject.torn(seed, call).await == Some(told);
    let head = subject.store().head().await.map_err(failed)?;
    if answered || head == Position(after.head) {
        *reference = after;
    }
    Ok(())
}

/// Everything that can be asked.
async fn compare(store: &dyn Store, reference: &Reference) -> Result<(), String> {
    let head = store.head().await.map_err(failed)?;
    same("the head", &Position(reference.head), &head)?;
    for (id, events) in &reference.events {
        let order = store.order(*id).await.map_err(failed)?;
        let folded = reference.order(*id);
        same("an order", &folded.as_ref(), &order.as_deref())?;
        let history = store.history(*id).await.map_err(failed)?;
        let history: Vec<_> = history.into_iter().map(|recorded| recorded.event).collect();
        same("a history", events, &history)?;
        let sealed = store.open_sealed(*id, &Field::Request).await;
        let sealed = sealed.map_err(failed)?.map(|bytes| bytes.to_vec());
        same("sealed data", &reference.sealed.get(id).cloned(), &sealed)?;
        let tasks = store.tasks(*id).await.map_err(failed)?;
        let tasks: BTreeMap<TaskId, Timestamp> =
            tasks.iter().map(|row| (row.id, row.due)).collect();
        same("tasks", &reference.tasks(*id), &tasks)?;
        for alias in folded.iter().flat_map(|order| Alias::of(&order.ids)) {
            same(
                "an alias",
                &vec![*id],
                &store.find(&alias).await.map_err(failed)?,
            )?;
        }
    }
    let query = Query {
        limit: 100,
        ..Query::default()
    };
    let listed = store.list(&query).await.map_err(failed)?.orders;
    let listed: Vec<OrderId> = listed.iter().map(|order| order.id).collect();
    let newest_first: Vec<OrderId> = reference.events.keys().rev().copied().collect();
    same("the list", &newest_first, &listed)?;
    let all: usize = reference.events.values().map(Vec::len).sum();
    let (read, through) = store.read_after(Position(0), 1_000).await.map_err(failed)?;
    same("the feed", &(all, head), &(read.len(), through))?;
    inbox(store, reference).await
}

async fn inbox(store: &dyn Store, reference: &Reference) -> Result<(), String> {
    let names = |wanted: fn(&Standing) -> bool| -> Vec<String> {
        let messages = reference
            .messages
            .iter()
            .filter(|(_, standing)| wanted(standing));
        messages
            .map(|(message, standing)| format!("{} {standing:?}", message.id))
            .collect()
    };
    let pending = store.pending_messages(100).await.map_err(failed)?;
    let pending: Vec<_> = pending
        .iter()
        .map(|message| format!("{} Pending", message.id))
        .collect();
    same(
        "pending",
        &names(|standing| *standing == Standing::Pending),
        &pending,
    )?;
    let others = store.unsettled_messages(100).await.map_err(failed)?;
    let others: Vec<_> = others
        .iter()
        .map(|(message, standing)| format!("{} {standing:?}", message.id))
        .collect();
    let unsettled =
        |standing: &Standing| matches!(standing, Standing::Parked | Standing::Quarantined { .. });
    same("parked and quarantined", &names(unsettled), &others)
}

fn failed(error: StoreError) -> String {
    format!("{error:?}")
}

fn same<T: PartialEq + Debug>(what: &str, told: &T, heard: &T) -> Result<(), String> {
    if told == heard {
        Ok(())
    } else {
        Err(format!("{what} should be {told:?} and is {heard:?}"))
    }
}
