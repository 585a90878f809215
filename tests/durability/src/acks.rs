//! What was acknowledged, as lines of a file that lies outside the victim's disk.
//!
//! ```text
//! open                     the store is open
//! o <order> <version>      the order is durable up to this version
//! m <message>              the message is durable
//! s <message>              and settled
//! full                     the disk was full: refused, to be tried again
//! stop <why>               the store has stopped
//! ! <what>                 acknowledged what was begun after the stop
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use issuance_domain::OrderId;

/// The writing end. A line is one `write`, so that a kill leaves whole lines.
#[derive(Debug)]
pub(crate) struct AckFile(Mutex<File>);

impl AckFile {
    pub(crate) fn append_to(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(path);
        Self(Mutex::new(file.expect("the acknowledgement list")))
    }

    pub(crate) fn write(&self, line: &str) {
        let mut file = self.0.lock().unwrap();
        file.write_all(format!("{line}\n").as_bytes())
            .expect("the acknowledgement list");
    }
}

/// The list, read back.
#[derive(Debug, Default, Clone)]
pub(crate) struct Acks {
    /// How often the store was opened.
    pub(crate) opens: usize,
    pub(crate) orders: BTreeMap<OrderId, u64>,
    pub(crate) messages: BTreeSet<String>,
    pub(crate) settled: BTreeSet<String>,
    pub(crate) full: usize,
    pub(crate) stops: Vec<String>,
    /// Acknowledged after the stop.
    pub(crate) late: Vec<String>,
}

impl Acks {
    /// Everything that is a whole line; no file is an empty list.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut acks = Self::default();
        for line in whole.lines() {
            acks.take(line);
        }
        acks
    }

    fn take(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "open" => self.opens += 1,
            "o" => {
                let (order, version) = rest.split_once(' ').expect("order and version");
                let version = version.parse().expect("a version");
                let known = self.orders.entry(order.parse().expect("an order id"));
                let known = known.or_insert(version);
                *known = version.max(*known);
            }
            "m" => drop(self.messages.insert(rest.to_owned())),
            "s" => drop(self.settled.insert(rest.to_owned())),
            "full" => self.full += 1,
            "stop" => self.stops.push(rest.to_owned()),
            "!" => self.late.push(rest.to_owned()),
            other => panic!("unknown line {other:?}"),
        }
    }

    /// How many acknowledgements there are.
    pub(crate) fn count(&self) -> usize {
        self.orders.len() + self.messages.len() + self.settled.len()
    }
}
