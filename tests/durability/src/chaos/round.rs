//! One round: a world of its own is built, stormed upon, healed, and judged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::Client;
use tokio::task::JoinSet;

use super::Args;
use super::engine::{Disk, Engine};
use super::host::{History, Host};
use super::judge;
use super::links::Links;
use super::operator::Operator;
use super::plan::{Event, Plan, Road, Step, Weather};
use super::provider::Provider;
use crate::random::Random;

const CALLERS: u64 = 16;
/// For the first order, before it.
const CALM: Duration = Duration::from_secs(10);
/// After the storm, for everything the hosts began.
const SEEN_THROUGH_WITHIN: Duration = Duration::from_secs(60);

/// What a round came to.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) acknowledged: usize,
    pub(super) orders: u64,
    pub(super) cards: usize,
    pub(super) acts: u64,
    pub(super) exchanges: u64,
    /// How often each thing happened.
    pub(super) struck: BTreeMap<String, u64>,
    pub(super) wrong: Vec<String>,
    /// What the engine said when it ended by itself.
    pub(super) ended: Vec<String>,
    pub(super) skipped: Option<String>,
}

impl Sums {
    fn struck(&mut self, what: impl std::fmt::Debug, times: u64) {
        if times > 0 {
            *self.struck.entry(format!("{what:?}")).or_default() += times;
        }
    }
}

pub(super) async fn round(args: &Args, seed: u64, work: &Path) -> Sums {
    let (mut sums, storm) = (Sums::default(), Duration::from_secs(args.storm));
    let plan = Plan::of(&mut Random::new(seed, 0), storm);
    let disk = plan
        .fills_the_disk()
        .then(|| Disk::mount(&work.join("disk")));
    let disk = disk.transpose().unwrap_or_else(|why| {
        sums.skipped = Some(why);
        None
    });
    let data = work.join("disk/data");
    std::fs::create_dir_all(work.join("disk")).expect("a place for the data");

    let history = Arc::new(History::default());
    let (links, server) = Links::lay(&args.binary, work, &data, &history, seed).await;
    let webhooks = links.url(Road::ProviderToEngine, "/webhooks/uqpay");
    let mut provider = Provider::new(&args.binary, work, seed, links.provider, &plan, &webhooks);
    let client = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(4))
        .build()
        .expect("a client");
    if !provider.is_up(&client).await {
        sums.wrong.push("the provider did not start".into());
        return sums;
    }
    let mut engine = Engine::start(server.clone());
    if !engine.is_up(&client).await {
        let words = server.last_words();
        sums.wrong.push(format!("it did not start: {words}"));
        return sums;
    }

    // The storm, once the products are known: without them no order is taken.
    let orders = links.url(Road::HostToEngine, "/v1/orders");
    let host = Arc::new(Host::new(
        client.clone(),
        orders,
        &history,
        seed,
        args.orders,
    ));
    let operator = Arc::new(Operator::new(
        client.clone(),
        links.operators.clone(),
        &history,
    ));
    let mut random = Random::new(seed, 0);
    let first = host.see_through(0, &mut random);
    if tokio::time::timeout(CALM, first).await.is_err() {
        sums.wrong.push("no order is taken in fair weather".into());
    }
    for (road, weather) in &plan.weather {
        links.of(*road).set(weather.clone());
    }
    let mut outside = JoinSet::new();
    for _ in 0..CALLERS {
        outside.spawn(Arc::clone(&host).call());
    }
    outside.spawn(Arc::clone(&operator).work(Random::new(seed, u64::MAX)));
    let around = around(
        &plan.events,
        &mut provider,
        &links,
        disk.as_ref(),
        &mut sums,
    );
    let (mut engine, ()) = tokio::join!(engine.endure(plan.blows.clone(), storm), around);

    // It heals.
    links.all().for_each(|link| link.set(Weather::default()));
    host.over.store(true, Ordering::Relaxed);
    operator.over.store(true, Ordering::Relaxed);
    let up = provider.is_up(&client).await && engine.is_up(&client).await;
    if !up || provider.heal(&client).await.is_err() {
        let words = server.last_words();
        sums.wrong.push(format!("it did not come back: {words}"));
    }
    let seen_through = async { while outside.join_next().await.is_some() {} };
    if tokio::time::timeout(SEEN_THROUGH_WITHIN, seen_through)
        .await
        .is_err()
    {
        sums.wrong
            .push("hosts hear no answer long after it healed".into());
    }
    if let Err(why) = judge::quiet(&client, &server).await {
        sums.wrong.push(why);
    }
    if !engine.end() {
        sums.wrong
            .push("it did not end well when it was told to".into());
    }

    // The verdict.
    let ledger = provider.url("/_sim/ledger");
    let facts = history.facts.lock().unwrap().clone();
    let (orders, wrong) = judge::check(&server, &data, work, &ledger, &facts);
    sums.orders = orders;
    sums.wrong.extend(wrong);
    sums.wrong
        .append(&mut history.contradictions.lock().unwrap());
    let panicked = engine
        .ended
        .iter()
        .filter(|words| words.contains("panicked"));
    sums.wrong.extend(panicked.cloned());
    sums.cards = provider.cards(&client).await;
    sums.acknowledged = history.acknowledged();
    sums.acts = operator.acts.load(Ordering::Relaxed);
    for link in links.all() {
        sums.exchanges += link.exchanges();
        link.struck()
            .for_each(|(fault, times)| sums.struck(fault, times));
    }
    engine.struck.iter().for_each(|blow| sums.struck(blow, 1));
    sums.ended = engine.ended;
    sums
}

/// One event after the other.
async fn around(
    events: &[Step<Event>],
    provider: &mut Provider,
    links: &Links,
    disk: Option<&Disk>,
    sums: &mut Sums,
) {
    for Step { after, what, lasts } in events.iter().copied() {
        tokio::time::sleep(after).await;
        match (what, disk) {
            (Event::KillProvider, _) => provider.kill(lasts).await,
            (Event::PauseProvider, _) => provider.pause(lasts).await,
            (Event::Away(road), _) => links.of(road).refuse(lasts).await,
            (Event::FullDisk, Some(disk)) => disk.fill(lasts).await,
            (Event::FullDisk, None) => continue,
        }
        sums.struck(what, 1);
    }
}
