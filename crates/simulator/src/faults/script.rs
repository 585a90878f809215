//! The rules in force, and which of them applies to what.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Endpoint, Fault, FaultMatch, FaultRule};
use crate::rng::Generator;

/// What a rule is asked about: a request, a card or a delivery.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) event: Option<&'static str>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) product_id: Option<Uuid>,
    pub(crate) email: Option<String>,
}

impl FaultMatch {
    fn holds(&self, fault: &Fault, subject: &Subject) -> bool {
        (!fault.is_of_answer() || self.endpoint.is_none() || self.endpoint == subject.endpoint)
            && (!fault.is_of_webhook()
                || self.event.is_none()
                || self.event.as_deref() == subject.event)
            && self
                .metadata
                .iter()
                .all(|(name, value)| subject.metadata.get(name) == Some(value))
            && (self.product_id.is_none() || self.product_id == subject.product_id)
            && (self.email.is_none() || self.email == subject.email)
    }
}

/// The rules in force, in the order they were added.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) rules: Vec<FaultRule>,
    named: u32,
}

impl Script {
    pub(crate) fn add(&mut self, mut rule: FaultRule) {
        if rule.id.is_empty() {
            while rule.id.is_empty() || self.knows(&rule.id) {
                self.named += 1;
                rule.id = format!("rule-{}", self.named);
            }
        }
        match self.rules.iter_mut().find(|known| known.id == rule.id) {
            Some(known) => *known = rule,
            None => self.rules.push(rule),
        }
    }

    /// Puts the rules and their counters back as they were.
    pub(crate) fn restore(&mut self, rules: Vec<FaultRule>) {
        self.named = u32::try_from(rules.len()).unwrap_or(u32::MAX);
        self.rules = rules;
    }

    pub(crate) fn knows(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The first rule of a wanted kind that applies; counts it as used.
    pub(crate) fn take(
        &mut self,
        rng: &mut Generator,
        subject: &Subject,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<(String, Fault)> {
        self.rules
            .iter_mut()
            .find(|rule| {
                wanted(&rule.fault)
                    && rule.times.is_none_or(|times| rule.used < times)
                    && rule.applies_to.holds(&rule.fault, subject)
                    && rule.probability.is_none_or(|p| rng.chance(p))
            })
            .map(|rule| {
                rule.used += 1;
                (rule.id.clone(), rule.fault.clone())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(value: Value) -> FaultRule {
        serde_json::from_value(value).unwrap()
    }

    fn subject(endpoint: Endpoint) -> Subject {
        let metadata = json!({"saga": "7"}).as_object().cloned().unwrap();
        Subject {
            endpoint: Some(endpoint),
            metadata,
            ..Subject::default()
        }
    }

    #[test]
    fn a_rule_applies_as_often_as_it_says_and_only_where_it_says() {
        let mut script = Script::default();
        script.add(rule(json!({
            "match": {"endpoint": "create_card", "metadata": {"saga": "7"}},
            "fault": {"kind": "lost_after_effect"}, "times": 1
        })));
        let mut rng = Generator::new(1);
        assert!(
            script
                .take(&mut rng, &subject(Endpoint::GetCard), Fault::is_of_answer)
                .is_none()
        );
        assert!(
            script
                .take(
                    &mut rng,
                    &subject(Endpoint::CreateCard),
                    Fault::is_of_answer
                )
                .is_some()
        );
        assert!(
            script
                .take(
                    &mut rng,
                    &subject(Endpoint::CreateCard),
                    Fault::is_of_answer
                )
                .is_none()
        );
        assert_eq!(script.rules[0].used, 1);
    }

    #[test]
    fn probability_is_drawn_from_the_seed() {
        let hits = |seed| {
            let mut script = Script::default();
            script.add(rule(
                json!({"fault": {"kind": "processing"}, "probability": 0.5}),
            ));
            let mut rng = Generator::new(seed);
            (0..200)
                .map(|_| {
                    script
                        .take(&mut rng, &subject(Endpoint::Token), Fault::is_of_answer)
                        .is_some()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(hits(3), hits(3));
        assert_ne!(hits(3), hits(4));
        assert!((60..140).contains(&hits(3).iter().filter(|hit| **hit).count()));
    }
}
