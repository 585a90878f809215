//! The file: read through once before anything is sent, so that a broken line stops it all and not the second half.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use issuance::domain::CardRequest;

use crate::exit::{Exit, Failure};

/// Bytes of the longest line; the server takes 12 MiB.
const MAX_LINE: u64 = 12 << 20;
/// Broken lines that are shown.
const SHOWN: usize = 10;

/// One order of the file.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// The host's name for the order.
    pub(super) reference: String,
    /// As it stands in the file; personal data, so never shown.
    pub(super) json: String,
}

/// Reads all lines without keeping them; how many there are.
pub(super) fn check(path: &Path) -> Result<u64, Failure> {
    let mut broken = Vec::new();
    let mut known: HashMap<(Option<String>, String), u64> = HashMap::new();
    let mut count = 0;
    for line in raw(path)? {
        let (number, json) = line?;
        match read(&json) {
            Ok((account, reference)) => {
                count += 1;
                if let Some(first) = known.insert((account, reference), number) {
                    broken.push(format!("line {number} has the reference of line {first}"));
                }
            }
            Err(why) => broken.push(format!("line {number}: {why}")),
        }
    }
    if broken.is_empty() {
        return Ok(count);
    }
    let failure = Failure::new(
        Exit::Usage,
        format!(
            "{} lines of {} are not orders",
            broken.len(),
            path.display()
        ),
    );
    let more = broken.len().saturating_sub(SHOWN);
    broken.truncate(SHOWN);
    if more > 0 {
        broken.push(format!("and {more} more"));
    }
    Err(Failure {
        causes: broken,
        ..failure.hint("nothing was sent; correct them and run it again")
    })
}

/// The orders of the file, read as they are asked for.
pub(super) fn lines(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Line, Failure>> + use<>, Failure> {
    let changed = || Failure::new(Exit::Failed, "the file was changed while it was read");
    Ok(raw(path)?.map(move |line| {
        let (number, json) = line?;
        let (_, reference) = read(&json).map_err(|_| changed())?;
        Ok(Line {
            number,
            reference,
            json,
        })
    }))
}

type Numbered = Result<(u64, String), Failure>;

/// Lines with something on them.
fn raw(path: &Path) -> Result<impl Iterator<Item = Numbered> + use<>, Failure> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        Failure::new(exit, format!("cannot open {name}")).because(&error)
    })?;
    let mut reader = BufReader::new(file);
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        loop {
            let mut text = String::new();
            number += 1;
            match reader.by_ref().take(MAX_LINE + 1).read_line(&mut text) {
                Ok(0) => return None,
                Ok(read) if read as u64 > MAX_LINE => {
                    return Some(Err(Failure::new(
                        Exit::Usage,
                        format!("line {number} of {name} is longer than 12 MiB"),
                    )));
                }
                Ok(_) if text.trim().is_empty() => {}
                Ok(_) => return Some(Ok((number, text))),
                Err(error) => {
                    return Some(Err(Failure::new(
                        Exit::Failed,
                        format!("cannot read {name}"),
                    )
                    .because(&error)));
                }
            }
        }
    }))
}

/// Account and reference of a line, if it is a card request. What is wrong is named by its path and never by its value.
fn read(json: &str) -> Result<(Option<String>, String), String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let request: CardRequest = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, text) = (error.path().to_string(), error.inner().to_string());
        let named = |start: &str| Some(text.strip_prefix(start)?.split('`').next()?.to_owned());
        if !error.inner().is_data() {
            "not JSON".into()
        } else if let Some(name) = named("missing field `") {
            format!(
                "`{name}` is missing{}",
                if path == "." {
                    String::new()
                } else {
                    format!(" in `{path}`")
                }
            )
        } else if let Some(name) = named("unknown field `") {
            format!("`{name}` is not a member of a card request")
        } else {
            format!("`{path}` is not as a card request has it")
        }
    })?;
    reader
        .end()
        .map_err(|_| "more than one JSON value".to_owned())?;
    Ok((request.account.map(Into::into), request.reference.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"reference":"r-1","product_id":"p","currency":"USD","cardholder":{"type":"new","fields":{"email":"sEcReT@example.test"}}}"#;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn empty_lines_are_none_and_numbers_are_the_files() {
        let file = file(&format!("\n{GOOD}\n\n{}\n", GOOD.replace("r-1", "r-2")));
        assert_eq!(check(file.path()), Ok(2));
        let lines: Vec<_> = lines(file.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(
            lines.iter().map(|line| line.number).collect::<Vec<_>>(),
            [2, 4]
        );
        assert_eq!(lines[1].reference, "r-2");
    }

    #[test]
    fn broken_lines_are_named_before_anything_is_sent() {
        let wrong = [
            "not json".to_owned(),
            GOOD.replace(r#""currency":"USD","#, ""),
            GOOD.replace("email", "sEcReT"),
            GOOD.replace(r#""USD""#, r#""sEcReT""#),
            GOOD.to_owned(),
            GOOD.to_owned(),
        ];
        let failure = check(file(&wrong.join("\n")).path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.causes.len(), 5, "{failure:?}");
        assert_eq!(failure.causes[1], "line 2: `currency` is missing");
        assert_eq!(failure.causes[4], "line 6 has the reference of line 5");
        assert!(!failure.lines().contains("sEcReT"), "{}", failure.lines());
        assert_eq!(
            check(Path::new("/nowhere/at/all")).unwrap_err().exit,
            Exit::NotFound
        );
    }
}
