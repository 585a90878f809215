//! Where a request's head ends, and whether its framing can be read in two ways. A head that a proxy before us might
//! frame otherwise than we do is refused, because what it hides would be taken for somebody else's request.

/// How the body after a head is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many bytes; none without a body.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// A head that must not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The length of the head at the start of `bytes`, if it is all there. `from` bytes were looked at before.
///
/// # Errors
/// When a line does not end as HTTP demands.
pub(super) fn length(bytes: &[u8], from: usize) -> Result<Option<usize>, Ambiguous> {
    let start = from.saturating_sub(3);
    for (index, byte) in bytes.iter().enumerate().skip(start) {
        if *byte != b'\n' {
            continue;
        }
        if index == 0 || bytes[index - 1] != b'\r' {
            return Err(Ambiguous);
        }
        if bytes[..=index].ends_with(b"\r\n\r\n") {
            return Ok(Some(index + 1));
        }
    }
    Ok(None)
}

/// How the body after this head is framed.
///
/// # Errors
/// With both a length and a transfer coding, two lengths, a length that is no number, or a folded line.
pub(super) fn framing(head: &[u8]) -> Result<Framing, Ambiguous> {
    let (mut length, mut chunked) = (None, false);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        if line
            .first()
            .is_some_and(|byte| *byte == b' ' || *byte == b'\t')
        {
            return Err(Ambiguous);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let parsed = digits(value).ok_or(Ambiguous)?;
            if length.replace(parsed).is_some() {
                return Err(Ambiguous);
            }
        }
    }
    match (length, chunked) {
        (Some(_), true) => Err(Ambiguous),
        (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
        (None, true) => Ok(Framing::Chunked),
    }
}

fn digits(value: &[u8]) -> Option<u64> {
    let all_digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    all_digits.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_however_it_arrives() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nrest";
        let end = head.len() - 4;
        assert_eq!(length(head, 0), Ok(Some(end)));
        for cut in 0..end {
            assert_eq!(length(&head[..cut], 0), Ok(None), "{cut}");
            assert_eq!(length(&head[..end], cut), Ok(Some(end)), "{cut}");
        }
        assert_eq!(
            length(b"GET / HTTP/1.1\nhost: a\r\n\r\n", 0),
            Err(Ambiguous)
        );
    }

    #[test]
    fn refuses_what_can_be_read_in_two_ways() {
        let judge =
            |fields: &str| framing(format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes());
        assert_eq!(judge("host: a"), Ok(Framing::Length(0)));
        assert_eq!(judge("Content-Length: 12"), Ok(Framing::Length(12)));
        assert_eq!(judge("transfer-encoding: chunked"), Ok(Framing::Chunked));
        for ambiguous in [
            "content-length: 1\r\ntransfer-encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "transfer-encoding : chunked\r\ncontent-length: 1",
            "content-length: 1\r\ncontent-length: 1",
            "content-length: +1",
            "content-length: 1, 1",
            "content-length: 99999999999999999999",
            "content-length:",
            "x: a\r\n folded",
        ] {
            assert_eq!(judge(ambiguous), Err(Ambiguous), "{ambiguous:?}");
        }
    }
}
