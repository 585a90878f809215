//! What a batch has reached. A generator that never gets somewhere proves nothing about it.

mod claims;

use std::collections::BTreeMap;

use issuance_domain::{EventBody, Purpose};

pub use claims::{Claim, cells, claims, excuses};

use crate::faults::Family;

/// A place between two effects, where a process can die or stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Decided, nothing written.
    Append,
    /// Written, not synced.
    Written,
    /// Durable, the caller does not know.
    Durable,
    /// A task is claimed.
    Leased,
    /// A task is about to be given back.
    Release,
    /// A webhook came in.
    Receive,
    /// A webhook is written, not synced.
    ReceiveWritten,
    /// A webhook is durable, not acknowledged.
    Received,
    /// A message is about to be settled.
    Settle,
    /// A call is about to leave.
    Send,
    /// An answer came.
    Answered,
    /// The host is about to be told.
    Notify,
    /// The host was told.
    Notified,
}

impl Point {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Append,
        Self::Written,
        Self::Durable,
        Self::Leased,
        Self::Release,
        Self::Receive,
        Self::ReceiveWritten,
        Self::Received,
        Self::Settle,
        Self::Send,
        Self::Answered,
        Self::Notify,
        Self::Notified,
    ];
}

/// Counts of what was reached.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// What comes up all the time, by its number.
    points: [u64; Point::ALL.len()],
    families: [u64; Family::ALL.len()],
    /// The rest.
    counts: BTreeMap<Place, u64>,
    codes: BTreeMap<String, u64>,
}

/// Kind, what, and a detail of it.
type Place = (&'static str, &'static str, &'static str);

impl Default for Coverage {
    fn default() -> Self {
        Self {
            points: [0; Point::ALL.len()],
            families: [0; Family::ALL.len()],
            counts: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }
}

impl Coverage {
    fn count(&mut self, kind: &'static str, what: &'static str, detail: &'static str) {
        *self.counts.entry((kind, what, detail)).or_default() += 1;
    }

    pub(crate) fn family(&mut self, family: Family) {
        self.families[family as usize] += 1;
    }

    pub(crate) fn point(&mut self, point: Point) {
        self.points[point as usize] += 1;
    }

    /// A process died there; `again` if it had died before.
    pub(crate) fn died(&mut self, point: Point, again: bool) {
        self.count("crash at", name(point), "");
        if again {
            self.count("crash", "again", "");
        }
    }

    pub(crate) fn cell(&mut self, state: &'static str, event: &EventBody) {
        self.count("cell", state, row(event));
    }

    pub(crate) fn attention(&mut self, reason: &'static str) {
        self.count("attention", reason, "");
    }

    pub(crate) fn operator(&mut self, action: &'static str) {
        self.count("operator", action, "");
    }

    pub(crate) fn ended(&mut self, state: &'static str) {
        self.count("end", state, "");
    }

    pub(crate) fn code(&mut self, code: &str) {
        match self.codes.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.codes.insert(code.to_owned(), 1)),
        }
    }

    pub(crate) fn status(&mut self, status: u16) {
        if status >= 300 {
            self.code(&format!("status {status}"));
        }
    }

    /// Adds what another run reached.
    pub fn add(&mut self, other: &Self) {
        for (own, others) in self.points.iter_mut().zip(other.points) {
            *own += others;
        }
        for (own, others) in self.families.iter_mut().zip(other.families) {
            *own += others;
        }
        for (place, count) in &other.counts {
            *self.counts.entry(*place).or_default() += count;
        }
        for (code, count) in &other.codes {
            match self.codes.get_mut(code) {
                Some(own) => *own += count,
                None => drop(self.codes.insert(code.clone(), *count)),
            }
        }
    }

    /// All that was counted.
    fn all(&self) -> BTreeMap<Place, u64> {
        let points = Point::ALL.iter().zip(self.points);
        let points = points.map(|(point, count)| (("point", name(*point), ""), count));
        let families = Family::ALL.iter().zip(self.families);
        let families = families.map(|(family, count)| (("fault", family.name(), ""), count));
        let seen = points.chain(families).filter(|(_, count)| *count > 0);
        let rest = self.counts.iter().map(|(place, count)| (*place, *count));
        seen.chain(rest).collect()
    }

    /// How often a place was reached.
    #[must_use]
    pub fn of(&self, kind: &'static str, what: &'static str, detail: &'static str) -> u64 {
        self.all().get(&(kind, what, detail)).copied().unwrap_or(0)
    }

    /// Everything, one line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let counts = self
            .all()
            .into_iter()
            .map(|((kind, what, detail), count)| format!("{count:>12}  {kind} {what} {detail}"));
        let codes = self
            .codes
            .iter()
            .map(|(code, count)| format!("{count:>12}  code {code}"));
        counts.chain(codes).collect()
    }

    /// How often the provider said this.
    pub(crate) fn heard(&self, code: &str) -> u64 {
        self.codes.get(code).copied().unwrap_or(0)
    }

    /// What must be reached and was not.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        claims::gaps(self)
    }
}

/// An event as the page of transitions names it: what is sent and answered, with its purpose.
fn row(event: &EventBody) -> &'static str {
    macro_rules! of {
        ($purpose:expr, $name:literal) => {
            match $purpose {
                Purpose::CreateCard => concat!($name, ", create_card"),
                Purpose::RenewIdvLink => concat!($name, ", renew_idv_link"),
                Purpose::CancelCard => concat!($name, ", cancel_card"),
            }
        };
    }
    match event {
        EventBody::SubmissionStarted { purpose, .. } => of!(purpose, "submission_started"),
        EventBody::SubmissionUnanswered { purpose, .. } => of!(purpose, "submission_unanswered"),
        EventBody::SubmissionRefused { purpose, .. } => of!(purpose, "submission_refused"),
        EventBody::SubmissionAnswered { purpose, .. } => of!(purpose, "submission_answered"),
        EventBody::KeyExpired { purpose, .. } => of!(purpose, "key_expired"),
        EventBody::ResubmissionOwed { purpose, .. } => of!(purpose, "resubmission_owed"),
        other => other.name(),
    }
}

fn name(point: Point) -> &'static str {
    match point {
        Point::Append => "append",
        Point::Written => "written",
        Point::Durable => "durable",
        Point::Leased => "leased",
        Point::Release => "release",
        Point::Receive => "receive",
        Point::ReceiveWritten => "receive_written",
        Point::Received => "received",
        Point::Settle => "settle",
        Point::Send => "send",
        Point::Answered => "answered",
        Point::Notify => "notify",
        Point::Notified => "notified",
    }
}
