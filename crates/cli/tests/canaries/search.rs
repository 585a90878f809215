//! Looks for planted values in bytes, in every form a program writes text in by accident.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Bytes by which a needle is recognised before it is compared.
const HEAD: usize = 3;

/// Values in all their forms.
#[derive(Default)]
pub(crate) struct Search {
    needles: Vec<Needle>,
    /// Needles by their first bytes.
    heads: HashMap<[u8; HEAD], Vec<usize>>,
}

struct Needle {
    name: String,
    form: &'static str,
    bytes: Vec<u8>,
    any_case: bool,
}

impl Search {
    /// Looks for a value in all its forms.
    pub(crate) fn value(&mut self, name: &str, value: &str) {
        for (form, bytes, any_case) in forms(value) {
            self.add(name, form, bytes, any_case);
        }
    }

    /// Looks for bytes exactly as they are.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.add(name, "as it was", bytes.to_vec(), false);
    }

    fn add(&mut self, name: &str, form: &'static str, mut bytes: Vec<u8>, any_case: bool) {
        if any_case {
            bytes.make_ascii_lowercase();
        }
        // Heads are compared in lower case whether or not the rest is.
        let head: Vec<u8> = bytes[..HEAD].to_ascii_lowercase();
        let at = self.needles.len();
        let found = self.heads.entry(head.try_into().unwrap()).or_default();
        found.push(at);
        self.needles.push(Needle {
            name: name.into(),
            form,
            bytes,
            any_case,
        });
    }

    /// `name (form)` of everything that is in there.
    pub(crate) fn hits(&self, text: &[u8]) -> Vec<String> {
        let lower = text.to_ascii_lowercase();
        let mut found: Vec<_> = lower
            .windows(HEAD)
            .enumerate()
            .filter_map(|(at, head)| Some((at, self.heads.get(head)?)))
            .flat_map(|(at, needles)| needles.iter().map(move |needle| (at, *needle)))
            .filter(|(at, needle)| {
                let needle = &self.needles[*needle];
                let text = if needle.any_case { &lower } else { text };
                text[*at..].starts_with(&needle.bytes)
            })
            .map(|(_, needle)| needle)
            .collect();
        found.sort_unstable();
        found.dedup();
        let named = |needle: &usize| {
            let Needle { name, form, .. } = &self.needles[*needle];
            format!("{name} ({form})")
        };
        found.iter().map(named).collect()
    }

    /// `where: name (form)` of everything in a directory's files and their names. How many files there were.
    pub(crate) fn hits_in(&self, dir: &Path, hits: &mut Vec<String>) -> usize {
        let mut files = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.display().to_string();
            if path.is_dir() {
                files += self.hits_in(&path, hits);
                continue;
            }
            files += 1;
            let bytes = [shown.as_bytes(), &std::fs::read(&path).unwrap()].concat();
            hits.extend(
                self.hits(&bytes)
                    .iter()
                    .map(|hit| format!("{shown}: {hit}")),
            );
        }
        files
    }

    /// Every needle, for a search that must find them all.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, &[u8])> {
        self.needles
            .iter()
            .map(|needle| (format!("{} ({})", needle.name, needle.form), &*needle.bytes))
    }
}

/// What a value can look like, and whether its letters' case can change.
fn forms(value: &str) -> Vec<(&'static str, Vec<u8>, bool)> {
    let bytes = value.as_bytes();
    let mut list = String::new();
    bytes
        .iter()
        .for_each(|byte| write!(list, "{byte}, ").unwrap());
    let percent = |keep: fn(&u8) -> bool| -> Vec<u8> {
        let encoded = |byte: &u8| match keep(byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02x}"),
        };
        bytes.iter().map(encoded).collect::<String>().into()
    };
    let debug = format!("{value:?}");
    let json = serde_json::to_string(value).unwrap();
    let utf16 = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let escaped = value.encode_utf16().fold(String::new(), |mut text, unit| {
        match char::from_u32(unit.into()).filter(char::is_ascii) {
            Some(char) => text.push(char),
            None => write!(text, "\\u{unit:04x}").unwrap(),
        }
        text
    });
    let mut forms = vec![
        ("raw", bytes.to_vec(), true),
        ("in JSON", json[1..json.len() - 1].into(), true),
        ("in JSON, ASCII", escaped.into(), true),
        ("as text in Rust", debug[1..debug.len() - 1].into(), true),
        (
            "as bytes in Rust",
            bytes.escape_ascii().to_string().into(),
            true,
        ),
        ("as numbers", list[..list.len() - 2].into(), false),
        ("in hex", hex::encode(bytes).into(), true),
        ("in a URL", percent(u8::is_ascii_alphanumeric), true),
        ("in a URL, whole", percent(|_| false), true),
        ("in UTF-16", utf16, true),
    ];
    // Base64 of it inside of something longer, at each of three places.
    for shift in 0..3 {
        let padded = [&vec![b' '; shift], bytes].concat();
        for (form, engine) in [("in base64", STANDARD), ("in base64url", URL_SAFE)] {
            let encoded = engine.encode(&padded);
            // Characters that other bytes have a part in say nothing.
            let (from, to) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
            forms.push((form, encoded[from..to].into(), false));
        }
    }
    forms
}

#[test]
fn every_form_is_found_inside_of_something_else_and_nothing_is_found_in_nothing() {
    let mut search = Search::default();
    search.value("city", "Zqvür \"Kai\"/&<7>");
    search.value("name", "Zqvander");
    search.bytes("sealed", b"0123456789abcdef");
    for (name, bytes) in search.all() {
        let text = [&b"before it "[..], bytes, &b" and behind it"[..]].concat();
        assert!(search.hits(&text).contains(&name), "{name}");
    }
    for shift in 0..3 {
        let text = format!("{}Zqvander{}", "x".repeat(shift), "y".repeat(5 - shift));
        for text in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            assert!(!search.hits(text.as_bytes()).is_empty(), "{text}");
        }
    }
    assert!(search.hits(b"ZQVANDER").contains(&"name (raw)".to_owned()));
    assert!(search.hits(b"Zqvandre, 0123456789ABCDEF").is_empty());
}
