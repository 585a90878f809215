//! Events for other programs. The log holds no personal data, so an export needs no redaction.

use std::io::{self, Write};

use issuance_domain::OrderId;
use issuance_store::journal::Record;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::AuditError;
use crate::log::{Log, order_of};

/// The shape of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// RFC 4180, with a head; bodies as JSON in one cell.
    Csv,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Events.
    pub events: u64,
}

/// One event as exported.
#[derive(Serialize)]
struct Row<'a> {
    position: u64,
    stream: &'a str,
    version: u64,
    name: &'a str,
    schema: u16,
    recorded_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    body: &'a RawValue,
    hash: String,
}

impl Log {
    /// Writes all events, or one order's, in log order. Every line read is verified first.
    ///
    /// # Errors
    /// When the log is not as written, or the output cannot be.
    pub fn export(
        &self,
        out: &mut dyn Write,
        format: Format,
        only: Option<OrderId>,
    ) -> Result<Exported, AuditError> {
        let mut exported = Exported::default();
        if format == Format::Csv {
            head(out).map_err(AuditError::Write)?;
        }
        for record in self.here() {
            let record = record?;
            if only.is_some() && order_of(&record)? != only {
                continue;
            }
            let written = match format {
                Format::JsonLines => json_line(out, &record),
                Format::Csv => csv_line(out, &record),
            };
            written.map_err(AuditError::Write)?;
            exported.events += 1;
        }
        out.flush().map_err(AuditError::Write)?;
        Ok(exported)
    }
}

fn json_line(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    let row = Row {
        position: record.position,
        stream: &record.stream,
        version: record.version,
        name: &record.name,
        schema: record.schema,
        recorded_at: &record.recorded_at,
        message: record.message.as_deref(),
        body: &record.body,
        hash: record.hash.to_string(),
    };
    serde_json::to_writer(&mut *out, &row)?;
    out.write_all(b"\n")
}

const COLUMNS: [&str; 9] = [
    "position",
    "stream",
    "version",
    "name",
    "schema",
    "recorded_at",
    "message",
    "body",
    "hash",
];

fn head(out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{}\r\n", COLUMNS.join(","))
}

fn csv_line(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    let (position, version) = (record.position.to_string(), record.version.to_string());
    let (schema, hash) = (record.schema.to_string(), record.hash.to_string());
    let cells: [&str; COLUMNS.len()] = [
        &position,
        &record.stream,
        &version,
        &record.name,
        &schema,
        &record.recorded_at,
        record.message.as_deref().unwrap_or_default(),
        record.body.get(),
        &hash,
    ];
    let cells: Vec<_> = cells.into_iter().map(cell).collect();
    write!(out, "{}\r\n", cells.join(","))
}

/// A cell no spreadsheet takes for a formula or splits.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_spreadsheet_sees_text() {
        assert_eq!(cell("order/1"), "order/1");
        assert_eq!(cell("=1+2"), "\"'=1+2\"");
        assert_eq!(cell("@sum"), "\"'@sum\"");
        assert_eq!(cell("-1"), "\"'-1\"");
        assert_eq!(cell("+1"), "\"'+1\"");
        assert_eq!(cell(r#"{"a":"b,c"}"#), r#""{""a"":""b,c""}""#);
    }
}
