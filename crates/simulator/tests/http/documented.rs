//! docs/simulator.md keeps its word: its rules are rules, and it names every endpoint and fault.

use std::collections::BTreeSet;
use std::path::Path;

use issuance_simulator::{FaultRule, parse_faults};
use serde_json::Value;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulator.md");
    std::fs::read_to_string(path).unwrap()
}

fn rules(page: &str) -> Vec<FaultRule> {
    page.split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(|json| parse_faults(json.as_bytes()).expect(json))
        .collect()
}

/// The names serde would have taken, as its refusal tells them.
fn known(rule: &str) -> BTreeSet<String> {
    let refusal = parse_faults(rule.as_bytes()).unwrap_err().to_string();
    let names = refusal.split("expected one of").nth(1).unwrap();
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_fault_has_an_example_that_is_read() {
    let page = page();
    let shown: BTreeSet<String> = rules(&page)
        .iter()
        .map(|rule| {
            let Value::Object(fault) = serde_json::to_value(&rule.fault).unwrap() else {
                panic!("a fault is an object");
            };
            fault["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(shown, known(r#"{"fault": {"kind": "?"}}"#));
}

#[test]
fn every_endpoint_is_named() {
    let page = page();
    for endpoint in known(r#"{"match": {"endpoint": "?"}, "fault": {"kind": "processing"}}"#) {
        assert!(page.contains(&format!("`{endpoint}`")), "{endpoint}");
    }
}
