//! What the log and the provider's ledger say in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use issuance_audit::{Checker, Ending, Ledger as Side, Log, Outside, Rules, Until};
use issuance_domain::{OrderId, Policy, Timestamp};
use issuance_simulator::{DeliveryState, Ledger};
use issuance_store::HostReference;
use issuance_store::journal::{Directory, Reader};
use serde_json::Value;

use crate::verdict::Verdict;

/// The member of a card's metadata that names our order.
const ORDER: &str = "issuance_order";

#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) events: u64,
    pub(super) lost: usize,
    pub(super) webhooks: usize,
    pub(super) webhooks_lost: usize,
    pub(super) duplicates: usize,
    pub(super) wrong: usize,
}

/// The chain, and every acknowledged order. Gives the number of events.
pub(super) fn log(
    data: &Path,
    known: &BTreeMap<String, String>,
    what: &str,
    verdict: &mut Verdict,
) -> u64 {
    let read =
        Log::open(data).and_then(|log| Ok((log.verify(|_, _| {})?, log.replay(Until::End)?)));
    let (report, book) = match read {
        Ok(read) => read,
        Err(error) => {
            verdict.violation(format!("{what}: the log: {error}"));
            return 0;
        }
    };
    if !report.is_sound() {
        verdict.violation(format!("{what}: {:?}", report.findings));
    }
    for (reference, id) in known {
        let order = id.parse().ok().and_then(|id: OrderId| book.orders.get(&id));
        if order.is_none_or(|order| order.terms.reference.to_string() != *reference) {
            verdict.violation(format!("{what}: lost: {reference} ({id})"));
        }
    }
    report.head.position
}

/// Everything, after the last life ended well.
pub(super) fn end(
    data: &Path,
    known: &BTreeMap<String, String>,
    shown: &[Value],
    ledger: &Ledger,
    verdict: &mut Verdict,
) -> Judged {
    let mut judged = Judged {
        events: log(data, known, "at the end", verdict),
        ..Judged::default()
    };
    let book = match Log::open(data).and_then(|log| log.replay(Until::End)) {
        Ok(book) => book,
        Err(_) => return judged,
    };
    let ids: BTreeSet<String> = book.orders.keys().map(ToString::to_string).collect();
    judged.lost = known.values().filter(|id| !ids.contains(*id)).count();
    let shown: BTreeMap<_, _> = shown
        .iter()
        .map(|view| (view["id"].as_str().unwrap_or_default(), view))
        .collect();
    for order in book.orders.values() {
        let view = shown.get(&*order.id.to_string());
        let same = view.is_some_and(|view| {
            view["state"] == order.state.name() && view["version"] == order.version.0
        });
        if !same || order.state.name() != "active" {
            judged.wrong += 1;
            verdict.violation(format!(
                "order {} is {} at {} by its events, shown as {view:?}",
                order.id,
                order.state.name(),
                order.version
            ));
        }
    }
    for (order, cards) in ledger.cards_by_metadata(ORDER) {
        if cards.len() > 1 || !ids.contains(&order) {
            judged.duplicates += cards.len() - 1;
            verdict.violation(format!("order {order} has {} cards", cards.len()));
        }
    }
    if ledger.cards_by_metadata(ORDER).len() != ledger.cards.len() - judged.duplicates {
        verdict.violation("a card of the ledger names no order");
    }
    webhooks(data, ledger, &mut judged, verdict);
    check(data, known, ledger, verdict);
    judged
}

/// The checker's verdict on log, ledger and what hosts were told.
fn check(data: &Path, known: &BTreeMap<String, String>, ledger: &Ledger, verdict: &mut Verdict) {
    let mut checker = Checker::new(Rules {
        // One machine's clock for both.
        clocks: Some(Duration::from_secs(2)),
        ..Rules::of(Policy::standard())
    });
    let fed = Log::open(data).and_then(|log| log.feed(&mut checker, |_, _| {}));
    if let Err(error) = fed {
        verdict.violation(format!("the log cannot be judged: {error}"));
        return;
    }
    let side = serde_json::to_vec(ledger).expect("a ledger is JSON");
    checker.ledger(&Side::parse(&side).expect("a ledger of ours"));
    for (reference, id) in known {
        checker.outside(&Outside::Placed {
            order: id.parse().expect("an order id"),
            reference: Some(HostReference {
                account: None,
                reference: reference.parse().expect("a reference"),
            }),
            at: Timestamp::from_millis(ledger.now),
        });
    }
    let found = checker.report(Ending::Cut);
    for violation in &found.violations {
        verdict.violation(violation.to_string());
    }
    verdict.note(found.to_string());
}

/// A webhook that was answered 200 is in the log.
fn webhooks(data: &Path, ledger: &Ledger, judged: &mut Judged, verdict: &mut Verdict) {
    let disk = Directory::open(&data.join("journal")).expect("the journal");
    let (reader, _) = Reader::open(Arc::new(disk), None).expect("the journal");
    let received: BTreeSet<String> = reader
        .records(1)
        .map_while(Result::ok)
        .filter(|record| record.name == "message_received")
        .filter_map(|record| serde_json::from_str::<Value>(record.body.get()).ok())
        .filter_map(|body| body["id"].as_str().map(str::to_owned))
        .collect();
    for delivery in &ledger.deliveries {
        if delivery.state == DeliveryState::Delivered {
            judged.webhooks += 1;
            if !received.contains(&delivery.event_id.to_string()) {
                judged.webhooks_lost += 1;
                verdict.violation(format!("lost: webhook {}", delivery.event_id));
            }
        }
    }
}
