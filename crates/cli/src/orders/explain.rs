//! An order in plain words: why it stands where it stands, what happens next, and what a person could do.

use serde_json::Value;

use super::view::{Attention, Detail, Order, PersonalData};

/// What an operator wants to know first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) why: String,
    pub(super) next: String,
    pub(super) last_error: Option<String>,
    /// What is kept of the person.
    pub(super) personal_data: Option<String>,
    /// A command to copy.
    pub(super) suggestion: Option<String>,
}

pub(super) fn explain(detail: &Detail) -> Explanation {
    let order = &detail.order;
    Explanation {
        why: why(order),
        next: next(order),
        last_error: last_error(detail),
        personal_data: order.personal_data.as_ref().map(personal_data),
        suggestion: suggestion(detail),
    }
}

fn why(order: &Order) -> String {
    let mut sentences = vec![standing(order)];
    if let Some(attention) = &order.attention {
        sentences.push(format!(
            "A person should look since {}: {}",
            attention.since,
            reason(attention)
        ));
    }
    for discrepancy in &order.discrepancies {
        let card = discrepancy
            .card_id
            .as_deref()
            .map(|card| format!(" (card {card})"))
            .unwrap_or_default();
        sentences.push(match discrepancy.kind.as_str() {
            "late_success" => format!("UQPAY has a live card behind this failed order{card}."),
            "second_card" => format!("UQPAY has a second card for this order{card}."),
            "active_card_failed" => {
                "UQPAY now says that the card of this active order failed.".into()
            }
            "active_card_missing" => {
                format!("UQPAY no longer lists the card of this active order{card}.")
            }
            "mismatched" => format!(
                "UQPAY told us something of this order that is about another one{card}; it was not applied."
            ),
            other => format!("Log and provider disagree: {other}{card}."),
        });
    }
    if let Some(compensation) = &order.compensation {
        let how = if compensation.done {
            "was cancelled"
        } else {
            "is being cancelled"
        };
        sentences.push(format!(
            "Its card {how}, as the {} wished.",
            compensation.by
        ));
    }
    if order.paused {
        sentences.push("An operator paused it.".into());
    }
    sentences.join(" ")
}

fn standing(order: &Order) -> String {
    match order.state.as_str() {
        "requested" => {
            let reason = order
                .attention
                .as_ref()
                .map(|attention| attention.reason.as_str());
            match reason {
                Some("capacity" | "refused" | "possible_leftover") => "UQPAY has not taken the order.".into(),
                _ => "The order is to be sent to UQPAY, or it was and nobody knows yet what became of it.".into(),
            }
        }
        "accepted" => "UQPAY has the order and makes the card.".into(),
        "idv_pending" => match &order.idv {
            Some(idv) if idv.submitted_at.is_some() => {
                "The person has done their part of the identity check; UQPAY reviews it.".into()
            }
            Some(idv) if idv.link_available => {
                let until = idv
                    .expires_at
                    .map(|at| format!(" until {at}"))
                    .unwrap_or_default();
                format!("A person must pass the identity check; their link works{until}.")
            }
            _ => "A person must pass an identity check, and there is no link to send them to yet."
                .into(),
        },
        "active" => "The card is usable.".into(),
        "failed" => failed(order),
        other => format!("It is {other}, a state this version does not know."),
    }
}

fn failed(order: &Order) -> String {
    let Some(failure) = &order.failure else {
        return "There will be no card.".into();
    };
    let code = code(failure.code.as_deref(), failure.code_meaning.as_deref());
    let missing = match failure.missing_fields.as_slice() {
        [] => String::new(),
        fields => format!(" Missing: {}.", fields.join(", ")),
    };
    let again = if failure.new_order_could_succeed {
        format!(
            " Once the {} acted, a new order could succeed.",
            failure.who_must_act
        )
    } else {
        " A new order would fail as well.".into()
    };
    format!(
        "There will be no card: {}{code}.{missing}{again}",
        failure.meaning
    )
}

fn reason(attention: &Attention) -> String {
    let code = code(attention.code.as_deref(), attention.code_meaning.as_deref());
    format!("{}{code}.", attention.meaning)
}

/// A code of the provider's in brackets, with what it means where that is known.
fn code(code: Option<&str>, meaning: Option<&str>) -> String {
    match (code, meaning) {
        (Some(code), Some(meaning)) => format!(" ({code}: {meaning})"),
        (Some(code), None) => format!(" ({code})"),
        (None, _) => String::new(),
    }
}

fn next(order: &Order) -> String {
    match &order.next_step {
        Some(step) => {
            let what = match step.action.as_str() {
                "submit" => "the order is sent to UQPAY",
                "refresh_idv_link" => "a fresh link is asked for",
                "cancel_card" => "the card is cancelled",
                "look_up" => "UQPAY's record is read",
                "expire_idv" => {
                    "the link has expired: UQPAY is asked, then it is renewed or the order fails"
                }
                "escalate" => "a person is told that it takes too long",
                "notify_host" => "the host is told",
                other => other,
            };
            format!("{what} at {}", step.due_at)
        }
        None if order.is_at_rest() => "nothing: it is at rest".into(),
        None => "nothing happens by itself; see what is possible".into(),
    }
}

fn personal_data(kept: &PersonalData) -> String {
    let by = kept.by.as_deref().unwrap_or("nobody");
    match (kept.state.as_str(), kept.at) {
        ("kept", None) => "kept until somebody erases it".into(),
        ("kept", Some(at)) => format!("kept until {at}"),
        ("erasing", _) => format!("being erased, as the {by} wished"),
        ("erased", Some(at)) => format!("erased at {at}, as the {by} wished"),
        (other, _) => other.into(),
    }
}

/// The newest call that brought no or a bad answer.
fn last_error(detail: &Detail) -> Option<String> {
    let entry = detail.timeline.iter().rev().find(|entry| {
        matches!(
            entry.name.as_str(),
            "submission_unanswered" | "submission_refused" | "failure_reported"
        )
    })?;
    Some(format!(
        "{} at {}: {}",
        entry.name.replace('_', " "),
        entry.at,
        particulars(&entry.body)
    ))
}

fn suggestion(detail: &Detail) -> Option<String> {
    let order = &detail.order;
    let reason = order.attention.as_ref()?.reason.as_str();
    let wanted: &[&str] = match reason {
        "discrepancy" => &["resolve_discrepancy", "look_up_now"],
        "paused" => &["resume"],
        "absence_proved" => &["approve_resubmit", "resubmit", "look_up_now", "fail"],
        "idv_expired" | "idv_link_missing" => &["refresh_idv_link", "look_up_now", "retry_now"],
        "capacity" | "refused" => &["retry_now", "fail"],
        _ => &["look_up_now", "retry_now", "resolve_discrepancy", "fail"],
    };
    let action = wanted.iter().find(|wanted| {
        detail
            .allowed_actions
            .iter()
            .any(|allowed| allowed == *wanted)
    })?;
    let expect = order.version;
    Some(format!(
        "issuance orders act {} {action} --reason \"…\" --expect {expect}",
        order.id
    ))
}

/// The parts of an event's body that say something to a person.
pub(super) fn particulars(body: &Value) -> String {
    let Some(members) = body.as_object() else {
        return String::new();
    };
    let said = members.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Object(inner) => words(inner),
            Value::Array(_) | Value::Null => return None,
        };
        // Digests and keys say nothing to a person.
        (!text.is_empty() && !name.ends_with("digest") && name != "key" && name != "terms")
            .then(|| format!("{name} {text}"))
    });
    said.collect::<Vec<_>>().join(", ")
}

fn words(members: &serde_json::Map<String, Value>) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    members
        .iter()
        .filter(|(name, _)| !name.ends_with("digest"))
        .filter_map(|(_, value)| text(value))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn detail(order: Value, actions: &[&str], timeline: Value) -> Detail {
        let mut whole = json!({
            "id": "0192", "reference": "r", "account": null, "product_id": "p", "currency": "USD", "state": "requested",
            "version": 7, "placed_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "card_id": null,
            "idv": null, "failure": null, "attention": null, "discrepancies": [], "compensation": null,
            "paused": false, "next_step": null,
        });
        for (name, value) in order.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(
            json!({ "order": whole, "allowed_actions": actions, "tasks": [], "timeline": timeline }),
        )
        .unwrap()
    }

    #[test]
    fn a_stuck_order_says_why_and_what_would_free_it() {
        let attention = json!({ "reason": "capacity", "meaning": "it waits", "code": "insufficient_sub_bin",
            "code_meaning": "the pool is empty", "since": "2026-01-01T00:00:00Z" });
        let timeline = json!([
            { "version": 1, "at": "2026-01-01T00:00:00Z", "name": "order_requested", "body": {} },
            { "version": 2, "at": "2026-01-01T00:00:01Z", "name": "submission_refused",
              "body": { "purpose": "create_card", "refusal": { "code": "insufficient_sub_bin" }, "body_digest": "00" } },
        ]);
        let said = explain(&detail(
            json!({ "attention": attention }),
            &["retry_now", "fail"],
            timeline,
        ));
        assert!(
            said.why
                .contains("it waits (insufficient_sub_bin: the pool is empty)."),
            "{}",
            said.why
        );
        assert_eq!(said.next, "nothing happens by itself; see what is possible");
        let error = said.last_error.unwrap();
        assert!(
            error.contains("refusal insufficient_sub_bin") && !error.contains("digest"),
            "{error}"
        );
        assert_eq!(
            said.suggestion.unwrap(),
            "issuance orders act 0192 retry_now --reason \"…\" --expect 7"
        );
    }

    #[test]
    fn an_order_at_rest_says_so() {
        let said = explain(&detail(json!({ "state": "active" }), &["note"], json!([])));
        assert_eq!(
            (said.why.as_str(), said.next.as_str()),
            ("The card is usable.", "nothing: it is at rest")
        );
        assert_eq!((said.last_error, said.suggestion), (None, None));
    }

    #[test]
    fn a_failed_order_says_who_must_act() {
        let failure = json!({
            "kind": "refused", "meaning": "it was refused", "code": "invalid_parameter", "code_meaning": null, "missing_fields": ["date_of_birth"],
            "who_must_act": "host", "new_order_could_succeed": true,
        });
        let said = explain(&detail(
            json!({ "state": "failed", "failure": failure }),
            &[],
            json!([]),
        ));
        assert_eq!(
            said.why,
            "There will be no card: it was refused (invalid_parameter). Missing: date_of_birth. Once the host acted, a new order could succeed."
        );
    }
}
