//! How fast the checker judges as it happens: facts a second, on one core, and what it costs beside folding alone.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a program that prints a table"
)]

#[path = "../tests/check/world.rs"]
mod world;

use std::hint::black_box;
use std::time::Instant;

use issuance_audit::{Checker, Ending};
use issuance_domain::{Order, OrderId, evolve};

use world::{World, feed};

const ROUNDS: u32 = 20_000;

fn main() {
    let good = World::good();
    let events = good.events().count() as f64;
    let facts = good.told.len() as f64;
    let timed = |name: &str, count: f64, mut work: Box<dyn FnMut()>| {
        for _ in 0..ROUNDS / 10 {
            work();
        }
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            work();
        }
        let took = begun.elapsed().as_secs_f64() / f64::from(ROUNDS);
        println!(
            "{name:<44} {:>10.0} a second {:>8.2} µs a world",
            count / took,
            took * 1e6
        );
        took
    };
    let world = good.clone();
    let fold = timed(
        "events folded, nothing judged",
        events,
        Box::new(move || {
            let mut orders: std::collections::HashMap<OrderId, Order> = Default::default();
            for recorded in world.events() {
                let before = orders.remove(&recorded.order);
                let order = evolve(recorded.order, before, &recorded.event).unwrap();
                orders.insert(recorded.order, order);
            }
            black_box(orders);
        }),
    );
    let world = good.clone();
    let log = timed(
        "events judged",
        events,
        Box::new(move || {
            let mut checker = Checker::new(world.rules.clone());
            world.events().for_each(|recorded| checker.record(recorded));
            black_box(checker.first());
        }),
    );
    let world = good.clone();
    let all = timed(
        "events, calls, cards, messages judged",
        facts,
        Box::new(move || {
            let mut checker = Checker::new(world.rules.clone());
            for told in &world.told {
                feed(&mut checker, told);
                checker.settle();
            }
            black_box(checker.first());
        }),
    );
    let whole = good.seen();
    let report = timed(
        "whole verdicts",
        1.0,
        Box::new(move || {
            black_box(whole.report(Ending::AtRest));
        }),
    );
    println!(
        "\na world: {events} events of 3 orders, {facts} facts. Judging costs {:.1} times folding; a verdict {:.1} times \
         judging.",
        log / fold,
        report / all
    );
}
