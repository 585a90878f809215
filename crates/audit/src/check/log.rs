//! A whole log as facts.

use issuance_domain::MessageId;
use issuance_store::journal::Record;
use issuance_store::{Message, Standing};
use serde::Deserialize;

use super::Checker;
use crate::error::AuditError;
use crate::log::{Log, event_of, order_of};
use crate::place::Place;

impl Log {
    /// Feeds a checker everything that is in the log, from its beginning. Damage to the chain ends it there, and is what the
    /// checker then says of the chain (S20). `progress` hears how many records of how many were read.
    ///
    /// # Errors
    /// When a record is as it was written and still cannot be read: a newer engine may have written it.
    pub fn feed(
        &self,
        checker: &mut Checker,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), AuditError> {
        let end = self.opened().head.position;
        checker.messages_are_known();
        let mut read = 0;
        for record in self.records() {
            let record = match record {
                Ok(record) => record,
                // Its beginning is elsewhere: nothing can be judged.
                Err(missing) if read == 0 => return Err(missing.into()),
                Err(damage) => {
                    checker.chain(false, &damage.to_string());
                    return Ok(());
                }
            };
            match order_of(&record)? {
                Some(order) => {
                    let recorded = event_of(&record, order)?;
                    checker.record(&recorded);
                    if let Some(message) = &record.message {
                        let id = message
                            .parse()
                            .map_err(|_| malformed(&record, "message id"))?;
                        checker.settles(&id, &recorded);
                    }
                }
                None => inbox(checker, &record)?,
            }
            read = record.position;
            if record.position.is_multiple_of(4096) || record.position == end {
                progress(record.position, end);
            }
        }
        checker.chain(true, "");
        Ok(())
    }
}

/// A message that was dealt with, as the log has it.
#[derive(Deserialize)]
struct Settled {
    id: MessageId,
    #[serde(flatten)]
    standing: Standing,
}

fn inbox(checker: &mut Checker, record: &Record) -> Result<(), AuditError> {
    let body = record.body.get();
    match record.name.as_str() {
        "message_received" => {
            let message: Message =
                serde_json::from_str(body).map_err(|_| malformed(record, "message"))?;
            checker.message(&message);
        }
        "message_settled" => {
            let settled: Settled =
                serde_json::from_str(body).map_err(|_| malformed(record, "message"))?;
            checker.settled(&settled.id, &settled.standing);
        }
        _ => {}
    }
    Ok(())
}

fn malformed(record: &Record, what: &'static str) -> AuditError {
    AuditError::Malformed {
        place: Place::of(record),
        what,
    }
}
