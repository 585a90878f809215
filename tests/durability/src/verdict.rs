//! What a harness says at its end.

use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};

/// Violations printed; more are only counted.
const SHOWN: usize = 20;

/// A table, what was violated, and what could not be tried.
#[derive(Debug)]
pub(crate) struct Verdict {
    name: &'static str,
    table: Table,
    ran: bool,
    violations: Vec<String>,
    skipped: Vec<String>,
    notes: Vec<String>,
}

impl Verdict {
    pub(crate) fn new(name: &'static str, columns: &[&str]) -> Self {
        let mut table = Table::new();
        table
            .load_style(presets::ASCII_MARKDOWN)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(columns);
        Self {
            name,
            table,
            ran: false,
            violations: Vec::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A row of something that ran.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.ran = true;
        self.table.add_row(cells);
    }

    /// Something that must never be.
    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("VIOLATION: {what}");
        self.violations.push(what);
    }

    /// Something that could not be tried here.
    pub(crate) fn skip(&mut self, what: impl Into<String>) {
        self.skipped.push(what.into());
    }

    /// A word under the table.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// Prints it all; the status is 1 only for a violation.
    pub(crate) fn print(self) -> ExitCode {
        if self.ran {
            println!("{}", self.table);
        }
        for note in &self.notes {
            println!("note: {note}");
        }
        for what in self.violations.iter().take(SHOWN) {
            println!("violation: {what}");
        }
        for what in &self.skipped {
            println!("skipped: {what}");
        }
        let (word, status) = match (self.violations.len(), self.ran, self.skipped.is_empty()) {
            (0, true, true) => ("PASSED".to_owned(), ExitCode::SUCCESS),
            (0, true, false) => (
                format!("PASSED what ran; SKIPPED {}", self.skipped.len()),
                ExitCode::SUCCESS,
            ),
            (0, false, _) => ("SKIPPED".to_owned(), ExitCode::SUCCESS),
            (count, _, _) => (format!("VIOLATED {count} times"), ExitCode::FAILURE),
        };
        println!("verdict: {} {word}", self.name);
        status
    }
}
