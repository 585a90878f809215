//! The verdict: what held, what did not, and what could not be judged from what was seen. Silence is never a pass.

use std::fmt;

use serde::Serialize;

use super::invariant::{Basis, Input, Invariant};
use super::verdicts::Verdicts;
use super::violation::Violation;

/// What a checker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Orders in the log.
    pub orders: usize,
    /// How often something did not hold.
    pub wrong: u64,
    /// The first hundred of these.
    pub violations: Vec<Violation>,
    /// Every invariant, in its order.
    pub judgements: Vec<Judgement>,
}

/// What became of one invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Which.
    pub invariant: Invariant,
    /// What it says.
    pub title: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub standing: Outcome,
}

/// Whether an invariant holds, as far as can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// So many facts were held against it, and all of them agree.
    Held {
        /// How many.
        facts: u64,
    },
    /// It is broken.
    Violated {
        /// How often.
        times: u64,
    },
    /// Nothing was held against it.
    NotJudged {
        /// Why not, or by whom.
        why: String,
    },
}

impl Verdict {
    pub(super) fn of(verdicts: Verdicts, orders: usize) -> Self {
        let judgement = |invariant: &Invariant| Judgement {
            invariant: *invariant,
            title: invariant.title(),
            standing: standing(*invariant, &verdicts),
        };
        Self {
            orders,
            wrong: verdicts.all_wrong(),
            judgements: Invariant::ALL.iter().map(judgement).collect(),
            violations: verdicts.violations,
        }
    }

    /// Whether nothing was found. What was not judged was not found to hold either.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.wrong == 0
    }

    /// What became of an invariant.
    #[must_use]
    pub fn outcome(&self, invariant: Invariant) -> &Outcome {
        &self.judgements[invariant.index()].standing
    }
}

fn standing(invariant: Invariant, verdicts: &Verdicts) -> Outcome {
    let times = verdicts.wrong(invariant);
    if times > 0 {
        return Outcome::Violated { times };
    }
    let needs = match invariant.basis() {
        Basis::Here(needs, _) => needs,
        Basis::Elsewhere(whom) => {
            let why = format!("not here: {whom}");
            return Outcome::NotJudged { why };
        }
    };
    let missing: Vec<_> = needs
        .iter()
        .filter(|input| !verdicts.has_seen(**input))
        .map(|input| Input::name(*input))
        .collect();
    if !missing.is_empty() {
        let why = format!("without {}", missing.join(" and "));
        return Outcome::NotJudged { why };
    }
    match verdicts.judged(invariant) {
        0 => Outcome::NotJudged {
            why: "nothing of it was seen".into(),
        },
        facts => Outcome::Held { facts },
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { facts } => write!(f, "held ({facts})"),
            Self::Violated { times } => write!(f, "VIOLATED ({times})"),
            Self::NotJudged { why } => write!(f, "not judged: {why}"),
        }
    }
}

/// Every violation in a paragraph, then what held, by number, and what was not judged.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        let count = |wanted: fn(&Outcome) -> bool| {
            let all = self.judgements.iter();
            let found = all.filter(|judgement| wanted(&judgement.standing));
            found
                .map(|judgement| judgement.invariant.id())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let held = count(|outcome| matches!(outcome, Outcome::Held { .. }));
        let not = count(|outcome| matches!(outcome, Outcome::NotJudged { .. }));
        write!(
            f,
            "{} orders, {} violations; held: {held}; not judged: {not}",
            self.orders, self.wrong
        )
    }
}
