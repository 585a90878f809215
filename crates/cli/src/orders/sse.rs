//! Server-sent events, as far as our feed uses them.

/// Bytes of one event at most; our largest are a few KiB.
const MAX_EVENT: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// The position in the log.
    pub(super) id: String,
    /// JSON.
    pub(super) data: String,
}

/// Puts events together from pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Parser {
    waiting: Vec<u8>,
    event: Event,
}

/// The sender is not our feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the feed sent what is no event")]
pub(super) struct NoEvent;

impl Parser {
    /// The events that are whole after this piece.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Vec<Event>, NoEvent> {
        self.waiting.extend_from_slice(piece);
        let mut whole = Vec::new();
        while let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.waiting.drain(..=end).collect();
            let line = std::str::from_utf8(&line)
                .map_err(|_| NoEvent)?
                .trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                // A comment, such as a sign of life, ends with an empty line too.
                whole.extend((!event.data.is_empty()).then_some(event));
            } else if let Some(id) = line.strip_prefix("id:") {
                id.trim_start().clone_into(&mut self.event.id);
            } else if let Some(data) = line.strip_prefix("data:") {
                self.event.data.push_str(data.trim_start());
            }
        }
        if self.waiting.len() + self.event.data.len() > MAX_EVENT {
            Err(NoEvent)
        } else {
            Ok(whole)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_events() {
        let text = b": alive\n\nid: 7\nevent: x\ndata: {\"a\":1}\n\nid:8\r\ndata:{}\r\n\r\nid: 9\n";
        let expected = [("7", "{\"a\":1}"), ("8", "{}")].map(|(id, data)| Event {
            id: id.into(),
            data: data.into(),
        });
        for size in [1, 3, 1000] {
            let mut parser = Parser::default();
            let events: Vec<_> = text
                .chunks(size)
                .flat_map(|piece| parser.feed(piece).unwrap())
                .collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
        assert_eq!(
            Parser::default().feed(&vec![b'x'; MAX_EVENT + 1]),
            Err(NoEvent)
        );
    }
}
