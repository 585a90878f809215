//! Reads a whole file of records: where they are, which are damaged, and whether the end is torn.

use std::io;
use std::sync::Arc;

use super::open::DamagedRecord;
use super::record::{Record, identify, parse};
use super::table::{About, FieldHash, Table};
use crate::journal::disk::DiskFile;
use crate::journal::lines::{LineEnd, Lines};
use crate::journal::{Cut, Damage, tail};

/// What a file holds.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) table: Table,
    /// Its length, without a torn tail.
    pub(super) end: u64,
    pub(super) cut: Option<Cut>,
    /// Whether a record can be put behind the last one.
    pub(super) appendable: bool,
}

/// Reads the first `size` bytes of a file, and shows every sound record to `look`. Only the last file can have a torn tail.
pub(super) fn scan(
    file: &Arc<dyn DiskFile>,
    name: &str,
    size: u64,
    last: bool,
    mut look: impl FnMut(&Record<'_>),
) -> io::Result<Scanned> {
    let mut lines = Lines::new(Arc::clone(file), 0, size);
    let mut scanned = Scanned {
        table: Table::default(),
        end: size,
        cut: None,
        appendable: true,
    };
    let mut number = 0;
    while let Some(line) = lines.next_line()? {
        number += 1;
        let parsed = match line.end {
            LineEnd::Newline => parse(line.bytes),
            LineEnd::File => Err(Damage::Unterminated),
            LineEnd::TooLong => Err(Damage::TooLong),
        };
        let (byte, offset) = (line.offset, line.offset as u32);
        let damage = match parsed {
            Ok(record) => {
                look(&record);
                scanned.table.take(About::record(&record), offset);
                continue;
            }
            Err(damage) => damage,
        };
        if last && tail::is_torn(file, byte, size)? {
            scanned.cut = Some(Cut {
                file: name.into(),
                byte,
                bytes: size - byte,
            });
            scanned.end = byte;
            break;
        }
        // Reading it must say that it is damaged, not give an older value.
        match identify(line.bytes) {
            Some((order, Some(field))) => scanned.table.put(order, FieldHash::of(field), offset),
            Some((order, None)) => scanned.table.erase(order, offset),
            None => {}
        }
        scanned.appendable = line.end == LineEnd::Newline;
        scanned.table.damage(DamagedRecord {
            file: name.into(),
            record: number,
            byte,
            damage,
        });
    }
    Ok(scanned)
}
