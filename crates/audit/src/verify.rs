//! The proof that a log is whole, unchanged, and makes sense. The chain shows that nothing was changed, taken out or put
//! in; folding every order shows that what is there can be true. What breaks the chain ends the walk, since nothing after
//! it can be believed; what breaks one order is noted and the walk goes on.

use std::collections::{BTreeMap, HashMap};

use issuance_domain::{Order, OrderId, evolve};
use issuance_store::journal::{Cut, Head, Record};
use issuance_store::{Message, Standing};
use serde::Serialize;

use crate::error::AuditError;
use crate::log::{Log, event_of, order_of};
use crate::place::Place;
use crate::tally::Tally;

/// The stream of webhooks.
const INBOX: &str = "inbox";
/// Findings kept; more are only counted.
const FINDINGS_KEPT: usize = 100;
/// Events between two words of progress.
const PROGRESS_EVERY: u64 = 4096;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The last event that was not read because it is not here but in an archive; [`Head::EMPTY`] when all was.
    pub start: Head,
    /// The last event. Its hash stands for the whole log: keep it elsewhere, and the next audit can compare.
    pub head: Head,
    /// Segment files.
    pub segments: usize,
    /// Bytes of all lines.
    pub bytes: u64,
    /// Records by stored name, an order's and others.
    pub records: BTreeMap<String, u64>,
    /// Where the orders stand.
    pub tally: Tally,
    /// When the first and the last event were recorded, RFC 3339.
    pub span: Option<(String, String)>,
    /// What was written but never acknowledged, at the end; no damage.
    pub cut: Option<Cut>,
    /// What is wrong, by position; the first hundred.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub wrong: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.wrong == 0
    }
}

/// One thing that is wrong with an order's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The stream it is on.
    pub stream: String,
    /// The stored name of the event.
    pub event: String,
    /// What.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What can be wrong with an event whose bytes are as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// A version is missing, or comes twice.
    #[error("has version {found} where {expected} should be")]
    Version {
        /// The next one.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// No released engine up to this one knows it; a newer one may have written it.
    #[error("cannot be read: {why}")]
    Unreadable {
        /// What is wrong.
        why: String,
    },
    /// It does not follow from the events before it.
    #[error("cannot follow: {why}")]
    Contradiction {
        /// What is wrong.
        why: String,
    },
}

/// What is known of an order so far.
enum Known {
    Folded(Box<Order>),
    /// Its beginning is not here: only that its versions have no gap can be judged.
    Elsewhere(u64),
    /// Something was wrong: what follows cannot be judged, except that it is there.
    Broken,
}

impl Log {
    /// Reads everything and proves it. `progress` hears how many events of how many were read, now and then and at the
    /// end.
    ///
    /// Memory is bounded by the number of orders, not of events.
    ///
    /// # Errors
    /// When bytes are not as they were written or a part is missing: nothing from there on is believed.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<Report, AuditError> {
        let opened = self.opened();
        let mut report = Report {
            start: opened.start,
            head: opened.start,
            segments: opened.segments,
            bytes: opened.bytes,
            records: BTreeMap::new(),
            tally: Tally::default(),
            span: None,
            cut: opened.cut.clone(),
            findings: Vec::new(),
            wrong: 0,
        };
        let mut orders = HashMap::new();
        let begun = opened.start != Head::EMPTY;
        let mut inbox = (!begun).then_some(0);
        for record in self.here() {
            let record = record?;
            report.head = Head {
                position: record.position,
                hash: record.hash,
            };
            *report.records.entry(record.name.clone()).or_default() += 1;
            if let Some(problem) = judge(&record, begun, &mut orders, &mut inbox) {
                report.note(&record, problem);
            }
            match &mut report.span {
                Some((_, last)) => *last = record.recorded_at,
                none => *none = Some((record.recorded_at.clone(), record.recorded_at)),
            }
            if report.head.position.is_multiple_of(PROGRESS_EVERY) {
                progress(report.head.position, opened.head.position);
            }
        }
        progress(report.head.position, opened.head.position);
        for known in orders.values() {
            if let Known::Folded(order) = known {
                report.tally.add(order);
            }
        }
        Ok(report)
    }
}

impl Report {
    fn note(&mut self, record: &Record, problem: Problem) {
        self.wrong += 1;
        if self.findings.len() < FINDINGS_KEPT {
            self.findings.push(Finding {
                place: Place::of(record),
                stream: record.stream.clone(),
                event: record.name.clone(),
                problem,
            });
        }
    }
}

/// Folds a record into what is known, or says why that cannot be.
fn judge(
    record: &Record,
    begun: bool,
    orders: &mut HashMap<OrderId, Known>,
    inbox: &mut Option<u64>,
) -> Option<Problem> {
    match order_of(record) {
        Ok(Some(id)) => judge_event(record, id, begun, orders),
        Ok(None) => judge_message(record, inbox),
        Err(error) => Some(unreadable(&error)),
    }
}

fn judge_event(
    record: &Record,
    id: OrderId,
    begun: bool,
    orders: &mut HashMap<OrderId, Known>,
) -> Option<Problem> {
    let found = record.version;
    let (before, expected) = match orders.insert(id, Known::Broken) {
        Some(Known::Broken) => return None,
        Some(Known::Elsewhere(version)) => (None, version + 1),
        Some(Known::Folded(order)) => {
            let expected = order.version.0 + 1;
            (Some(*order), expected)
        }
        None if begun && found > 1 => (None, found),
        None => (None, 1),
    };
    if found != expected {
        return Some(Problem::Version { expected, found });
    }
    if before.is_none() && found > 1 {
        orders.insert(id, Known::Elsewhere(found));
        return event_of(record, id).err().map(|error| unreadable(&error));
    }
    let event = match event_of(record, id) {
        Ok(recorded) => recorded.event,
        Err(AuditError::Unreadable { source, .. }) => return Some(unreadable(&source)),
        Err(error) => return Some(unreadable(&error)),
    };
    match evolve(id, before, &event) {
        Ok(order) => {
            orders.insert(id, Known::Folded(Box::new(order)));
            None
        }
        Err(corrupt) => Some(Problem::Contradiction {
            why: corrupt.to_string(),
        }),
    }
}

/// Judges a record of the inbox by its number and its shape: what it led to is an order's to tell.
fn judge_message(record: &Record, inbox: &mut Option<u64>) -> Option<Problem> {
    if record.stream != INBOX {
        let why = format!("there is no stream `{}`", record.stream);
        return Some(Problem::Unreadable { why });
    }
    let found = record.version;
    let expected = inbox.map_or(found, |last| last + 1);
    *inbox = Some(found);
    if found != expected {
        return Some(Problem::Version { expected, found });
    }
    let body = record.body.get();
    let shape = match (record.name.as_str(), record.schema) {
        ("message_received", 1) => serde_json::from_str::<Message>(body).map(drop),
        ("message_settled", 1) => serde_json::from_str::<Standing>(body).map(drop),
        (_, schema) => {
            let why =
                format!("schema {schema} of it is unknown; a newer engine may have written it");
            return Some(Problem::Unreadable { why });
        }
    };
    shape.err().map(|error| unreadable(&error))
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    Problem::Unreadable {
        why: error.to_string(),
    }
}
