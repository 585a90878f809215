//! What the caller's side does before the queue: bodies as JSON, personal data sealed.

use std::borrow::Cow;

use issuance_domain::{MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::EmbeddedStore;
use super::shared::chain;
use crate::error::StoreError;
use crate::journal::{Batch, Entry, MAX_LINE};
use crate::message::{Message, Standing};
use crate::record::body_json;
use crate::store::{Append, Field, Sealing};
use crate::vault::{Change, INLINE_MAX, VaultError};

/// The journal's stream of webhooks.
pub(super) const INBOX: &str = "inbox";
/// A webhook came in; the body is the [`Message`].
pub(super) const MESSAGE_RECEIVED: &str = "message_received";
/// A webhook was dealt with, without events; the body is a [`SettledBody`].
pub(super) const MESSAGE_SETTLED: &str = "message_settled";
/// What the prefix of an order's stream is.
pub(super) const ORDER: &str = "order/";

/// What a line has besides its body, at most.
const FRAME_MAX: usize = 2 << 10;
/// Under this namespace a message's id becomes the UUID its body is sealed under.
const MESSAGES: Uuid = Uuid::from_u128(0x6f2a_4c1e_97d3_5b08_a1e6_03c5_d47b_8f92);

/// A standing as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SettledBody {
    pub(super) id: MessageId,
    #[serde(flatten)]
    pub(super) standing: Standing,
}

/// The lines of an append.
pub(super) fn event_lines(append: &Append) -> Result<Batch<'static>, StoreError> {
    let stream: String = format!("{ORDER}{}", append.order);
    let lines = append
        .events
        .iter()
        .zip(append.expected.0 + 1..)
        .map(|(event, version)| {
            Ok(Entry {
                stream: Cow::Owned(stream.clone()),
                version,
                name: Cow::Borrowed(event.body.name()),
                schema: event.body.schema(),
                recorded_at: Cow::Owned(event.at.to_string()),
                body: Cow::Owned(one_line(body_json(&event.body))?),
                message: None,
            })
        });
    let mut lines = lines.collect::<Result<Batch<'static>, StoreError>>()?;
    if let (Some(first), Some(message)) = (lines.first_mut(), &append.settles) {
        first.message = Some(Cow::Owned(message.to_string()));
    }
    Ok(lines)
}

/// The line of a message that came in.
pub(super) fn received_line(message: &Message) -> Result<Batch<'static>, StoreError> {
    inbox_line(
        MESSAGE_RECEIVED,
        message.received_at,
        serde_json::to_string(message),
    )
}

/// The line of a message that was dealt with.
pub(super) fn settled_line(
    id: &MessageId,
    standing: &Standing,
    at: Timestamp,
) -> Result<Batch<'static>, StoreError> {
    let body = SettledBody {
        id: id.clone(),
        standing: standing.clone(),
    };
    inbox_line(MESSAGE_SETTLED, at, serde_json::to_string(&body))
}

fn inbox_line(
    name: &'static str,
    at: Timestamp,
    body: Result<String, serde_json::Error>,
) -> Result<Batch<'static>, StoreError> {
    Ok(vec![Entry {
        stream: Cow::Borrowed(INBOX),
        version: 1,
        name: Cow::Borrowed(name),
        schema: 1,
        recorded_at: Cow::Owned(at.to_string()),
        body: Cow::Owned(one_line(body)?),
        message: None,
    }])
}

/// JSON without breaks between its tokens, short enough for a line.
fn one_line(json: Result<String, serde_json::Error>) -> Result<Box<RawValue>, StoreError> {
    let refused = |why: String| StoreError::Damaged {
        what: format!("a body that cannot be stored: {why}"),
    };
    let mut json = json.map_err(|error| refused(error.to_string()))?;
    if json.len() > MAX_LINE - FRAME_MAX {
        return Err(refused(format!(
            "{} bytes are more than a line holds",
            json.len()
        )));
    }
    // Inside strings control characters are escaped, so these stand between tokens.
    if json.bytes().any(|byte| byte < b' ') {
        json = json.replace(|char: char| char < ' ', " ");
    }
    RawValue::from_string(json).map_err(|error| refused(error.to_string()))
}

/// What a message's body is sealed under.
pub(super) fn owner_of(message: &MessageId) -> Uuid {
    Uuid::new_v5(&MESSAGES, message.as_str().as_bytes())
}

/// A field's name in the vault, where not every character of a message's id may stand.
pub(super) fn field_name(field: &Field) -> String {
    match field {
        Field::Body(message) => format!("body/{}", owner_of(message)),
        Field::Request | Field::IdvLink(_) => field.name(),
    }
}

impl EmbeddedStore {
    /// Seals personal data for the vault.
    pub(super) async fn seal(
        &self,
        owner: Uuid,
        sealings: Vec<Sealing>,
    ) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::with_capacity(sealings.len());
        for Sealing { field, plaintext } in sealings {
            let (sealer, field) = (self.sealer.clone(), field_name(&field));
            let large = plaintext.len() > INLINE_MAX;
            let seal = move || sealer.seal(owner, &field, &plaintext);
            // Large values are written to files of their own, which blocks.
            let sealed = if large { blocking(seal).await? } else { seal() };
            changes.push(Change::Put(
                sealed.map_err(|error| self.vault_error(error))?,
            ));
        }
        Ok(changes)
    }

    fn vault_error(&self, error: VaultError) -> StoreError {
        match error {
            VaultError::Full { source, .. } => self.shared.no_room(&source),
            VaultError::Io { .. } | VaultError::Poisoned => self.shared.stop(chain(&error)),
            other => unread(&other),
        }
    }
}

/// Why sealed data was not read: a key that may come, or damage that stays.
pub(super) fn unread(error: &VaultError) -> StoreError {
    let why = chain(error);
    match error {
        VaultError::Key(_) | VaultError::UnknownKey { .. } => StoreError::NoKey { why },
        _ => StoreError::Damaged { what: why },
    }
}

/// Runs what may block where that harms nobody.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let ran = tokio::task::spawn_blocking(run).await;
    ran.map_err(|error| StoreError::Stopped {
        why: format!("a read ended early: {error}"),
    })
}
