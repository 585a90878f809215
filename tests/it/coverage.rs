//! `docs/coverage.md` is what the tests' names say: which row of contract §9 and which fault is proved by what. Run with
//! `UPDATE_DOCS=1` to write the page.

mod faults;
mod rows;
mod storage;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use faults::FAULTS;
use rows::ROWS;
use storage::STORAGE;

/// A row of the page: its name, what it is about, and the tests that prove it, each by its name or, with a `*` at its
/// end, by how its name begins. A proof of two words is a harness of docs/durability.md.
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) proofs: &'static [&'static str],
}

const fn row(id: &'static str, about: &'static str, proofs: &'static [&'static str]) -> Row {
    Row { id, about, proofs }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Every function marked as a test, with the crate it stands in.
fn tests() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root().join("crates"), root().join("tests")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            let place = inside
                .strip_prefix("crates/")
                .map_or("whole system", |inside| inside.split('/').next().unwrap());
            let mut marked = inside.contains("store/src/conformance/");
            for line in std::fs::read_to_string(&path)
                .unwrap()
                .lines()
                .map(str::trim)
            {
                marked |= matches!(line, "#[test]")
                    || line.starts_with("#[tokio::test")
                    || line.starts_with("proptest!");
                let name = line
                    .trim_start_matches("pub ")
                    .trim_start_matches("async ")
                    .strip_prefix("fn ");
                if let Some(name) = name.filter(|_| marked) {
                    let end = name
                        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
                        .unwrap_or(name.len());
                    found.insert(name[..end].to_owned(), place.to_owned());
                    marked = inside.contains("store/src/conformance/");
                }
            }
        }
    }
    found
}

fn proofs(row: &Row, tests: &BTreeMap<String, String>) -> Vec<String> {
    let by_number = format!("{}_", row.id.to_lowercase().replace('-', "_"));
    let mut found: Vec<String> = Vec::new();
    for (name, place) in tests {
        let is_meant = |proof: &&str| match proof.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == proof,
        };
        if row.proofs.iter().any(is_meant)
            || row.id.starts_with("F-") && name.starts_with(&by_number)
        {
            found.push(format!("`{name}` ({place})"));
        }
    }
    let programs = row.proofs.iter().filter(|proof| proof.contains(' '));
    found.extend(programs.map(|program| format!("`{program}` (harness)")));
    found
}

fn section(page: &mut String, title: &str, rows: &[&Row], tests: &BTreeMap<String, String>) {
    write!(
        page,
        "\n## {title}\n\n| row | what | proved by |\n|---|---|---|\n"
    )
    .unwrap();
    for row in rows {
        let proofs = proofs(row, tests);
        let proofs = if proofs.is_empty() {
            "not yet".to_owned()
        } else {
            proofs.join("<br>")
        };
        writeln!(page, "| {} | {} | {} |", row.id, row.about, proofs).unwrap();
    }
}

fn page(tests: &BTreeMap<String, String>) -> String {
    let mut page = String::from(
        "# What is proved by which test\n\nGenerated from the tests' names; `UPDATE_DOCS=1 cargo test -p issuance-tests \
         --test it coverage` writes it anew.\nThe rows of the provider contract's table of signals and actions (§9), and \
         the faults F-014 to F-092 of the\nreliability catalogue. A test names its fault or its section; where another test \
         proves a row, the row says so.\n",
    );
    let of = |beginning: &str| {
        ROWS.iter()
            .filter(|row| row.id.starts_with(beginning))
            .collect::<Vec<_>>()
    };
    section(
        &mut page,
        "Contract §9.1: the create call",
        &of("9.1"),
        tests,
    );
    section(&mut page, "Contract §9.2: webhooks", &of("9.2"), tests);
    section(&mut page, "Contract §9.3: look-ups", &of("9.3"), tests);
    section(&mut page, "Contract §9.4: timers", &of("9.4"), tests);
    section(
        &mut page,
        "Faults",
        &FAULTS.iter().chain(STORAGE).collect::<Vec<_>>(),
        tests,
    );
    page
}

#[test]
fn the_page_is_what_the_tests_are() {
    let tests = tests();
    let page = page(&tests);
    let path = root().join("docs/coverage.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/coverage.md is not what the tests are: run this with UPDATE_DOCS=1"
    );
}

#[test]
fn every_proof_named_is_a_test() {
    let tests = tests();
    for row in ROWS.iter().chain(FAULTS).chain(STORAGE) {
        for proof in row.proofs {
            if let Some(harness) = proof.strip_prefix("durability ") {
                let source = root()
                    .join("tests/durability/src")
                    .join(harness.replace('-', "_"));
                let is_there = source.is_dir() || source.with_extension("rs").is_file();
                assert!(is_there, "{}: no harness `{proof}`", row.id);
                continue;
            }
            let is_there = match proof.strip_suffix('*') {
                Some(beginning) => tests.keys().any(|name| name.starts_with(beginning)),
                None => tests.contains_key(*proof),
            };
            assert!(is_there, "{}: no test `{proof}`", row.id);
        }
    }
}
