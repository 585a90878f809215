//! How every order of the demo ended, and whether that is what its line expects.

use issuance::domain::{EventBody, Order, State};
use serde::Serialize;

use super::run::links;
use super::script::Line;

/// How one order ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The host's name for it.
    pub(crate) reference: String,
    /// What it shows.
    pub(crate) title: String,
    /// Its id; none if it was refused.
    pub(crate) order_id: Option<String>,
    /// Where it ended.
    pub(crate) end: String,
    /// Why.
    pub(crate) why: String,
    /// Calls for the card, all under one key as long as the outcome was unknown.
    pub(crate) calls: usize,
    /// Cards the provider made for it.
    pub(crate) cards: usize,
    /// What is not as the line expects; empty when all is.
    pub(crate) complaints: Vec<String>,
}

impl Row {
    /// Refused before anything was sent.
    pub(crate) fn refused(line: &Line, paths: Vec<String>) -> Self {
        let expected = line.expect.refused.clone().unwrap_or_default();
        let mut complaints = Vec::new();
        if line.expect.refused.is_none() {
            complaints.push("refused, which the line does not expect".to_owned());
        } else if !expected.iter().all(|path| paths.contains(path)) || paths.len() != expected.len()
        {
            complaints.push(format!(
                "refused for {}, not {}",
                paths.join(", "),
                expected.join(", ")
            ));
        }
        Self {
            reference: line.reference().into(),
            title: line.title.clone(),
            order_id: None,
            end: "refused".into(),
            why: format!("not sent: {}", paths.join(", ")),
            calls: 0,
            cards: 0,
            complaints,
        }
    }

    /// Whether it ended as the line expects.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// An order's end against what the line expects.
pub(crate) fn how(
    line: &Line,
    order: &Order,
    events: &[EventBody],
    mut complaints: Vec<String>,
) -> Row {
    let expect = &line.expect;
    let attention = order
        .attention
        .as_ref()
        .map(|attention| attention.reason.name());
    let failure = match &order.state {
        State::Failed { failure, .. } => word(&failure.kind),
        State::Active { .. }
        | State::Requested { .. }
        | State::Accepted { .. }
        | State::IdvPending { .. } => None,
    };
    let cancelled = order.compensation.as_ref().is_some_and(|ended| ended.done);
    let mut differs = |what: &str, is: Option<&str>, expected: Option<&str>| {
        if is != expected {
            complaints.push(format!(
                "{what} is {}, not {}",
                is.unwrap_or("none"),
                expected.unwrap_or("none")
            ));
        }
    };
    differs("state", Some(order.state.name()), expect.state.as_deref());
    differs("failure", failure.as_deref(), expect.failure.as_deref());
    differs("attention", attention, expect.attention.as_deref());
    differs(
        "cancelled",
        Some(yes(cancelled)),
        Some(yes(expect.cancelled)),
    );
    if let Some(expected) = expect.links {
        differs(
            "links",
            Some(&links(events).to_string()),
            Some(&expected.to_string()),
        );
    }
    let mut why = failure
        .or(attention.map(|reason| format!("operator called: {reason}")))
        .unwrap_or_default();
    if cancelled {
        why = "cancelled for the host".into();
    }
    Row {
        reference: line.reference().into(),
        title: line.title.clone(),
        order_id: Some(order.id.to_string()),
        end: order.state.name().into(),
        why,
        calls: events
            .iter()
            .filter(|event| matches!(event, EventBody::SubmissionStarted { .. }))
            .count(),
        cards: 0,
        complaints,
    }
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A unit variant's stored name.
fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value)
        .ok()?
        .as_str()
        .map(str::to_owned)
}
