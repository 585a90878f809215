//! `docs/invariants.md`, written from the checker's own table. `UPDATE_DOCS=1` rewrites it.

use std::fmt::Write as _;
use std::path::PathBuf;

use issuance_audit::{Basis, Input, Invariant};

const HEAD: &str = "# What the checker judges

Generated from the code by a test of `crates/audit`; to rewrite it: `UPDATE_DOCS=1 cargo test -p issuance-audit page`.

One checker (`issuance_audit::Checker`) judges a log, the provider's side and what the outside was told by the invariants
below: S for safety, L for liveness, X for security. Every whole-system test ends with it, the simulation asks it after each
step, `issuance demo` prints its verdict, and `issuance audit check DIR` runs it on any log, with the provider's list of cards
or a simulator's ledger (`--ledger`) and a history of what was acknowledged (`--history`) if there is one. What was not
shown is reported as not judged, never as held. A violation names the order and the facts that disagree.

Its tests break each invariant alone in a small world, and spoil good worlds in one place: an event less, two swapped, a key
changed, a card more or less.

## What it has found

In our own engine, by the simulation before it was finished; seeds are of the simulation as it was then.

| | seed | what it was |
|---|---|---|
| S19 | 0x940 | An order failed by hand while it was paused stayed paused: its card came, and nobody looked. Its end ends the pause now. |
| S18 | 0x4343 | A message about a card without our mark was matched by its person: it activated another order of the same person, whose own search had just found that person, with a card made for somebody else. A card is known by its own names and our mark alone now. |
| L2 | 0x14ce | A call that may have arrived waited behind a pool that stayed empty, so that nobody ever learned what had become of it. It asks for no further card and goes ahead now. |

Of the checker's own: the person rejected in messages that no read confirms was taken for no reason to fail (S30); a message
that is only a reason to read was counted as applied twice (S14).

## The files it takes

`--ledger` takes the JSON of the provider's card list, page after page or one array, or what a simulator answers at
`/_sim/ledger`. Of a list every page is needed, of every account the orders name; pages that are missing are refused. It may
be taken while the engine runs, before the check: what was recorded after the file was last written is not missed in it. In a
ledger that others called too, `--client ID` names whose calls are ours. Without `--config` the waits are judged by the
mildest policy there can be. The exit status is 0 when nothing is violated, 1 when something is or the log cannot be read, 2
for evidence that is none, 3 for a log or file that is not there, 6 for a ledger nobody answers for.

`--history` takes one JSON object a line:

| `outside` | members | says |
|---|---|---|
| `placed` | `order`, `reference`, `at` | a host was told that its order is taken |
| `operated` | `order`, `taken`, `at` | an operator's command was answered |
| `delivered` | `message`, `genuine`, `taken`, `at` | a webhook was handed in |
| `told` | `order`, `version`, `at` | a host acknowledged a notice |
| `started` | `head`, `at` | a process was started on the log and found it here |
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let (mut here, mut elsewhere) = (String::new(), String::new());
    for invariant in Invariant::ALL {
        let (id, title) = (invariant.id(), invariant.title());
        let _ = match invariant.basis() {
            Basis::Here(needs, how) => {
                let needs: Vec<_> = needs.iter().map(|input| Input::name(*input)).collect();
                writeln!(here, "| {id} | {title} | {how} | {} |", needs.join(", "))
            }
            Basis::Elsewhere(whom) => writeln!(elsewhere, "| {id} | {title} | {whom} |"),
        };
    }
    let _ = write!(
        page,
        "\n## Judged here\n\nFrom these inputs at the least; more of them show more.\n\n| | what it says | how | from |\n|---|---|---|---|\n{here}\n\
         ## Not judged here\n\nNo log, ledger or outside history can show these.\n\n| | what it says | by whom |\n|---|---|---|\n{elsewhere}"
    );
    page
}

#[test]
fn page_is_what_the_checker_judges() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/invariants.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/invariants.md is not what the code says; UPDATE_DOCS=1 rewrites it"
    );
}

/// Each has its test that it can fail: by its number, in this folder.
#[test]
fn page_tells_nothing_that_no_test_breaks() {
    let tests = [
        include_str!("log.rs"),
        include_str!("provider.rs"),
        include_str!("outside.rs"),
    ]
    .concat();
    for invariant in Invariant::ALL {
        if matches!(invariant.basis(), Basis::Here(..)) {
            let name = format!("fn {}_", invariant.id().to_lowercase());
            assert!(tests.contains(&name), "no test breaks {invariant}");
        }
    }
}
