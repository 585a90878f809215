//! What a command prints: results on standard output, everything else on standard error. With `--json` results are JSON,
//! one document or one line each, and keep their shape from release to release.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// JSON instead of words and tables.
    pub(crate) json: bool,
    /// Whether somebody watches.
    pub(crate) terminal: bool,
}

impl Output {
    /// As the command line and the terminal say.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            terminal: io::stdout().is_terminal(),
        }
    }

    /// A result as one JSON document; indented for a person.
    pub(crate) fn document(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = if self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.line(&text.map_err(|error| Failure::of(Exit::Failed, &error))?)
    }

    /// One of many results as a line of JSON.
    pub(crate) fn json_line(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&serde_json::to_string(value).map_err(|error| Failure::of(Exit::Failed, &error))?)
    }

    /// A line of words.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        written(writeln!(io::stdout().lock(), "{text}"))
    }

    /// A table: framed and fitted on a terminal, bare and whole into a pipe.
    pub(crate) fn table(
        self,
        head: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), Failure> {
        let mut table = Table::new();
        table.set_header(head);
        if self.terminal {
            table
                .load_style(presets::UTF8_HORIZONTAL_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Disabled);
        }
        for row in rows {
            table.add_row(row);
        }
        self.line(&table.trim_fmt())
    }
}

/// Whoever closed the pipe has read enough: that ends the command, and is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            Err(Failure::new(Exit::Failed, "cannot write to standard output").because(&error))
        }
    }
}

/// A line for the person at the terminal, never part of the result.
pub(crate) fn note(text: &str) {
    // Nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether colours are welcome on standard error.
pub(crate) fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
