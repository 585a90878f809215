//! What became of all of them.

use serde_json::{Value, json};

use super::Outcome;
use super::file::Line;
use crate::exit::Failure;
use crate::http::Refusal;
use crate::output::Output;

/// Refusals that are shown; with `--json` every one is.
const SHOWN: usize = 20;

/// Counts, and the first refusals.
#[derive(Debug, Default)]
pub(super) struct Summary {
    placed: u64,
    known: u64,
    refused: u64,
    first_refused: Vec<(Line, Refusal)>,
}

impl Summary {
    pub(super) fn add(&mut self, line: Line, outcome: Outcome) {
        match outcome {
            Outcome::Placed { .. } => self.placed += 1,
            Outcome::Known { .. } => self.known += 1,
            Outcome::Refused(refusal) => {
                self.refused += 1;
                if self.first_refused.len() < SHOWN {
                    self.first_refused.push((line, refusal));
                }
            }
        }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Prints the totals, of so many orders in the file.
    pub(super) fn show(&self, count: u64, output: Output) -> Result<(), Failure> {
        let missing = count.saturating_sub(self.placed + self.known + self.refused);
        let (placed, known, refused) = (self.placed, self.known, self.refused);
        if output.json {
            let summary = json!({ "placed": placed, "known": known, "refused": refused, "not_settled": missing });
            return output.json_line(&json!({ "summary": summary }));
        }
        if !self.first_refused.is_empty() {
            let mut shown: Vec<_> = self.first_refused.iter().collect();
            shown.sort_by_key(|(line, _)| line.number);
            let rows = shown.into_iter().map(|(line, refusal)| {
                let errors: Vec<_> = refusal
                    .problem
                    .errors
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                let why = if errors.is_empty() {
                    refusal.problem.title.clone()
                } else {
                    errors.join("; ")
                };
                vec![
                    line.number.to_string(),
                    line.reference.clone(),
                    code(refusal),
                    why,
                ]
            });
            output.table(&["line", "reference", "refused", "why"], rows)?;
        }
        let mut rows = vec![
            ("placed", placed),
            ("placed before", known),
            ("refused", refused),
        ];
        if missing > 0 {
            rows.push(("not settled", missing));
        }
        output.table(
            &["orders", "count"],
            rows.into_iter()
                .map(|(what, count)| vec![what.into(), count.to_string()]),
        )
    }
}

/// One order's line of JSON.
pub(super) fn row(line: &Line, outcome: &Outcome) -> Value {
    let (number, reference) = (line.number, &line.reference);
    match outcome {
        Outcome::Placed { order } => {
            json!({ "line": number, "reference": reference, "outcome": "placed", "order_id": order })
        }
        Outcome::Known { order } => {
            json!({ "line": number, "reference": reference, "outcome": "known", "order_id": order })
        }
        Outcome::Refused(refusal) => json!({
            "line": number, "reference": reference, "outcome": "refused",
            "status": refusal.status, "code": code(refusal), "errors": refusal.problem.errors,
        }),
    }
}

fn code(refusal: &Refusal) -> String {
    if refusal.problem.code.is_empty() {
        refusal.status.to_string()
    } else {
        refusal.problem.code.clone()
    }
}
