//! The demo's orders: one line each, with what is to go wrong and how it must end.

use std::path::Path;

use issuance_simulator::FaultRule;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};

/// The orders that come with the program.
const BUILT_IN: &str = include_str!("../../../../config/demo-orders.jsonl");

/// One line of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// What it shows.
    pub(crate) title: String,
    /// The request, as a host sends it.
    pub(crate) order: Map<String, Value>,
    /// The person of the two-step road, made before the order.
    #[serde(default)]
    pub(crate) holder: Option<Value>,
    /// What goes wrong.
    #[serde(default)]
    pub(crate) faults: Vec<FaultRule>,
    /// The host asks once more.
    #[serde(default)]
    pub(crate) again: Option<Again>,
    /// Only once the order of this reference has ended.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// What the host does once the card is active.
    #[serde(default)]
    pub(crate) then: Option<Then>,
    /// How it must end.
    pub(crate) expect: Expect,
}

/// How the host asks once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Again {
    /// For the same: it must be the same order.
    Same,
    /// For something else under the same reference: it must be refused.
    Changed,
}

/// What the host does once the card is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Then {
    /// It wants no card any more.
    Cancel,
}

/// How an order must end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
    /// The kind of its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    /// The reason an operator is called for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attention: Option<String>,
    /// Identity-check links it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) links: Option<usize>,
    /// Its card was cancelled again.
    #[serde(default)]
    pub(crate) cancelled: bool,
    /// It must be refused before anything is sent, for these paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Vec<String>>,
}

impl Line {
    /// The host's name for the order.
    pub(crate) fn reference(&self) -> &str {
        self.order
            .get("reference")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The fault rules, named and aimed at this order alone by a mark in its metadata.
    pub(crate) fn rules(&self) -> impl Iterator<Item = FaultRule> {
        let reference = self.reference();
        self.faults.iter().enumerate().map(move |(number, rule)| {
            let mut rule = rule.clone();
            rule.id = format!("{reference}-{number}");
            rule.applies_to
                .metadata
                .insert(MARK.into(), reference.into());
            rule
        })
    }

    /// The request, marked, with the cardholder of the two-step road filled in.
    pub(crate) fn request(&self, holder: Option<&str>) -> Value {
        let mut order = self.order.clone();
        let metadata = order
            .entry("metadata")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert(MARK.into(), self.reference().into());
        }
        if let (Some(id), Some(cardholder)) = (
            holder,
            order.get_mut("cardholder").and_then(Value::as_object_mut),
        ) {
            cardholder.insert("cardholder_id".into(), id.into());
        }
        Value::Object(order)
    }
}

/// The member of the card's metadata by which the simulator knows which order a fault is for.
const MARK: &str = "demo";

/// Reads the lines of a file, or those that come with the program.
pub(crate) fn read(file: Option<&Path>) -> Result<Vec<Line>, Failure> {
    let name = file.map_or_else(
        || "the built-in orders".to_owned(),
        |file| file.display().to_string(),
    );
    let text = match file {
        None => BUILT_IN.to_owned(),
        Some(file) => std::fs::read_to_string(file).map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot read {name}")).because(&error)
        })?,
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let mut reader = serde_json::Deserializer::from_str(line);
            serde_path_to_error::deserialize(&mut reader).map_err(|error| {
                let place = format!("{name}, line {}: not an order of the demo", number + 1);
                Failure::new(Exit::Usage, place).because(&error)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_built_in_orders_are_whole() {
        let lines = read(None).unwrap();
        assert!(lines.len() >= 50, "{}", lines.len());
        let references: HashSet<_> = lines.iter().map(Line::reference).collect();
        assert_eq!(references.len(), lines.len(), "references are unique");
        for line in &lines {
            let holder = line
                .holder
                .as_ref()
                .map(|_| "7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478");
            let request = line.request(holder);
            let parsed: Result<issuance::domain::CardRequest, _> = serde_json::from_value(request);
            assert!(parsed.is_ok(), "{}: {:?}", line.reference(), parsed.err());
        }
    }
}
