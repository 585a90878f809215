//! What a batch must have reached: each row of the failure catalogue the simulation claims, each cell of the table of
//! transitions, each signal of the provider's error table.

use super::{Coverage, Point, name};
use crate::faults::Family;

/// Rows of the failure catalogue that are a death at one place. The other rows stand at their family.
const DEATHS: &[(&str, Point)] = &[
    ("F-005", Point::Durable),
    ("F-006", Point::Append),
    ("F-006", Point::Written),
    ("F-014", Point::Leased),
    ("F-015", Point::Written),
    ("F-016", Point::Send),
    ("F-019", Point::Answered),
    ("F-020", Point::Written),
    ("F-021", Point::Durable),
    ("F-058", Point::Received),
    ("F-059", Point::ReceiveWritten),
    ("F-074", Point::Notified),
    ("F-078", Point::Release),
];

/// A row of the failure catalogue, and what is counted when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Its number there.
    pub id: &'static str,
    /// The kind of counter.
    pub kind: &'static str,
    /// The counter.
    pub what: &'static str,
}

/// Every row the simulation claims.
#[must_use]
pub fn claims() -> Vec<Claim> {
    let families = Family::ALL.iter().flat_map(|family| {
        family.ids().split_whitespace().map(|id| Claim {
            id,
            kind: "fault",
            what: family.name(),
        })
    });
    let deaths = DEATHS.iter().map(|(id, point)| Claim {
        id,
        kind: "crash at",
        what: name(*point),
    });
    let mut all: Vec<_> = families.chain(deaths).collect();
    all.push(Claim {
        id: "F-022",
        kind: "crash",
        what: "again",
    });
    all.sort_unstable();
    all
}

/// The page that says which event can follow where.
const LIFECYCLE: &str = include_str!("../../../../docs/lifecycle.md");

/// Cells nobody gets to here, and why.
const NO_CELL: &[(&str, &str, &str)] = &[
    (
        "requested",
        "host_notified",
        "a host is owed no notice before the provider has the order",
    ),
    ("requested", "submission_answered, create_card", ANSWERED),
    (
        "idv_pending",
        "submission_answered, renew_idv_link",
        ANSWERED,
    ),
    (
        "idv_pending",
        "resubmission_owed, renew_idv_link",
        "whoever asks for a link again starts with a key of its own",
    ),
];

const ANSWERED: &str = "what the answer says is the event; only a cancel's says nothing more";

/// Each (state, event) the page calls reachable; an event with a purpose has it behind a comma.
#[must_use]
pub fn cells() -> Vec<(&'static str, &'static str)> {
    let mut lines = LIFECYCLE.lines();
    let Some(head) = lines.find(|line| line.starts_with("| event | first")) else {
        return Vec::new();
    };
    let states: Vec<_> = columns(head).skip(1).collect();
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .flat_map(|line| {
            let event = columns(line).next().unwrap_or_default();
            let marks = columns(line).skip(1).zip(states.clone());
            marks
                .filter(|(mark, _)| *mark != "–")
                .map(move |(_, state)| (state, event))
        })
        .collect()
}

fn columns(line: &'static str) -> impl Iterator<Item = &'static str> {
    line.trim_matches('|').split('|').map(str::trim)
}

/// The signals of contract §6.3 by code or status, as the provider's ledger has them.
const SIGNALS: &[&str] = &[
    "cardholder_missing_info",
    "cardholder_incomplete_fields",
    "kyc_insufficient",
    "email_duplicated",
    "phone_number_duplicated",
    "invalid_phone_number",
    "invalid_parameter",
    "card_not_found",
    "insufficient_sub_bin",
    "insufficient_balance",
    "card_art_not_configured",
    "sub_account_not_found",
    "idempotency_error",
    "200",
    "unauthorized",
    "unauthorized_error",
    "ip_not_allowed",
    "forbidden",
    "request_too_large",
    "too_many_requests",
    "api_error",
    "status 302",
    "status 401",
    "status 403",
    "status 404",
    "status 408",
    "status 409",
    "status 413",
    "status 429",
    "status 500",
    "status 502",
    "status 503",
    "status 504",
];

/// What the pages name and nobody gets to here, with the reason.
#[must_use]
pub fn excuses() -> Vec<String> {
    let told = |(state, event, why): &(&str, &str, &str)| format!("{event} in {state}: {why}");
    NO_CELL.iter().map(told).collect()
}

/// What must be reached and was not.
pub(super) fn gaps(coverage: &Coverage) -> Vec<String> {
    let mut gaps = Vec::new();
    for Claim { id, kind, what } in claims() {
        if coverage.of(kind, what, "") == 0 {
            gaps.push(format!("{id}: no {kind} {what}"));
        }
    }
    for point in Point::ALL {
        if coverage.of("crash at", name(*point), "") == 0 {
            gaps.push(format!("no crash at {}", name(*point)));
        }
    }
    for (state, event) in cells() {
        let excused = NO_CELL.iter().any(|(s, e, _)| (*s, *e) == (state, event));
        if !excused && coverage.of("cell", state, event) == 0 {
            gaps.push(format!("no {event} in {state}"));
        }
    }
    for signal in SIGNALS {
        if coverage.heard(signal) == 0 {
            gaps.push(format!("never heard {signal} (contract §6.3)"));
        }
    }
    gaps
}
