//! A provider that keeps a key's answer for a day, makes the person before the card, loses answers and calls, and lets
//! calls arrive late: whatever is sent, searched and waited for, it makes one card for an order (S1, S2, S8, S9).

use std::collections::BTreeMap;

use issuance_domain::{
    Action, CardStatus, Command, EventBody, Fact, Generation, Likeness, Observation,
    OperatorAction, Policy, ProviderIds, Purpose, RefusalClass, SilenceCause, Source, State, Task,
    TaskId, Timestamp, outbox,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::given::{Given, given};
use crate::sample::*;

const CREATE: Purpose = Purpose::CreateCard;

/// What becomes of one call on its way.
#[derive(Debug, Clone, Copy)]
struct Fate {
    arrives: bool,
    /// Seconds on the way; less than the call's deadline.
    travels: u64,
    /// The provider makes the person and then breaks.
    breaks: bool,
    /// Its answer comes back.
    heard: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Whatever the order owes next is done when it is due.
    Next {
        fate: Fate,
        search_takes: u64,
    },
    Wait {
        seconds: u64,
    },
    Operate {
        action: OperatorAction,
    },
}

/// The provider.
#[derive(Default)]
struct Uqpay {
    cards: u32,
    person: bool,
    /// Answers by key, for a day; none of what broke.
    remembered: BTreeMap<Generation, (Timestamp, Fact)>,
    travelling: Vec<Travelling>,
}

struct Travelling {
    generation: Generation,
    arrives: Timestamp,
    two_step: bool,
    fate: Fate,
}

impl Uqpay {
    /// Everything that arrives until now, in order; the answers that come back.
    fn until(&mut self, now: Timestamp) -> Vec<(Generation, Fact)> {
        self.travelling.sort_by_key(|call| call.arrives);
        let arrived: Vec<_> = self
            .travelling
            .extract_if(.., |call| call.arrives <= now)
            .collect();
        arrived
            .into_iter()
            .filter_map(|call| self.take(&call))
            .collect()
    }

    fn take(&mut self, call: &Travelling) -> Option<(Generation, Fact)> {
        let day = hours(24);
        self.remembered
            .retain(|_, (since, _)| call.arrives.since(*since) < day);
        let answer = match self.remembered.get(&call.generation) {
            Some((_, answer)) => answer.clone(),
            None => {
                let answer = self.make(call)?;
                self.remembered
                    .insert(call.generation, (call.arrives, answer.clone()));
                answer
            }
        };
        call.fate.heard.then_some((call.generation, answer))
    }

    /// None when it broke on the way.
    fn make(&mut self, call: &Travelling) -> Option<Fact> {
        if !call.two_step && self.person {
            return Some(Fact::Refused(refusal(
                RefusalClass::Duplicate,
                "email_duplicated",
            )));
        }
        self.person = true;
        if call.fate.breaks {
            return None;
        }
        self.cards += 1;
        Some(Fact::Created(creation()))
    }
}

struct Road {
    life: Given,
    uqpay: Uqpay,
    /// Tasks that were done and are owed still: due again a while later, as the store keeps them.
    done: BTreeMap<TaskId, Timestamp>,
}

impl Road {
    fn begin(policy: Policy) -> Self {
        let life = given(requested()).under(|standard| *standard = policy);
        Self {
            life,
            uqpay: Uqpay::default(),
            done: BTreeMap::new(),
        }
    }

    /// Time passes; what comes back meanwhile is heard.
    fn pass(&mut self, to: Timestamp) -> TestCaseResult {
        self.life.now = self.life.now.max(to);
        for (generation, fact) in self.uqpay.until(self.life.now) {
            let source = Source::Answer {
                purpose: CREATE,
                generation,
            };
            // A refusal names nothing.
            let ids = if matches!(fact, Fact::Refused(_)) {
                ProviderIds::default()
            } else {
                ids()
            };
            self.tell(Command::Learn(Observation {
                fact,
                ids,
                echo: Default::default(),
                source,
            }));
        }
        prop_assert!(self.uqpay.cards <= 1, "two cards: {:#?}", self.life.order());
        Ok(())
    }

    fn tell(&mut self, command: Command) -> Vec<EventBody> {
        let said = issuance_domain::decide(self.life.order.as_ref(), command, &self.life.context())
            .unwrap_or_default();
        let said: Vec<_> = said.into_iter().map(|event| event.body).collect();
        self.life = self.life.clone().and(said.clone());
        said
    }

    fn take(&mut self, step: Step) -> TestCaseResult {
        match step {
            Step::Wait { seconds: count } => self.pass(self.life.now.after(seconds(count))),
            Step::Operate { action } => {
                self.tell(operate(action));
                if action == OperatorAction::Resubmit {
                    let expected = Some(self.life.order().version);
                    let act = act_of("bob", OperatorAction::ApproveResubmit);
                    self.tell(Command::Operate { act, expected });
                }
                Ok(())
            }
            Step::Next { fate, search_takes } => {
                let tasks = outbox(self.life.order(), &self.life.policy);
                let due = |task: &Task| {
                    self.done
                        .get(&task.id)
                        .map_or(task.due, |again| task.due.max(*again))
                };
                let next = tasks
                    .into_iter()
                    .filter(|task| task.id.action != Action::NotifyHost)
                    .min_by_key(due);
                let Some(task) = next else { return Ok(()) };
                self.pass(due(&task))?;
                self.done.insert(task.id, self.life.now.after(minutes(5)));
                match task.id.action {
                    Action::Submit { purpose: CREATE } => self.send(fate),
                    Action::LookUp => self.search(search_takes)?,
                    Action::Escalate => drop(self.tell(Command::Escalate)),
                    Action::Submit { .. }
                    | Action::ExpireIdv
                    | Action::NotifyHost
                    | Action::ErasePersonalData => {}
                }
                Ok(())
            }
        }
    }

    fn send(&mut self, fate: Fate) {
        let Some(owed) = self.life.order().submission(CREATE).cloned() else {
            return;
        };
        let said = self.tell(send(CREATE, owed.generation.0));
        if !said
            .iter()
            .any(|event| matches!(event, EventBody::SubmissionStarted { .. }))
        {
            return;
        }
        if fate.arrives {
            let arrives = self.life.now.after(seconds(fate.travels));
            let two_step = owed.cardholder.is_some();
            self.uqpay.travelling.push(Travelling {
                generation: owed.generation,
                arrives,
                two_step,
                fate,
            });
        }
        if !fate.heard {
            let retry_at = self.life.now.after(minutes(5));
            let cause = SilenceCause::TimedOut;
            self.tell(Command::HearNothing {
                purpose: CREATE,
                generation: owed.generation,
                attempt: owed.attempts + 1,
                cause,
                retry_at,
            });
        }
    }

    /// Sees what had arrived when it began; learns it when it ends.
    fn search(&mut self, takes: u64) -> TestCaseResult {
        let began = self.life.now;
        let (cards, person) = (self.uqpay.cards, self.uqpay.person);
        self.pass(began.after(seconds(takes)))?;
        if cards > 0 {
            let fact = Fact::Card(CardStatus::Pending);
            self.tell(Command::Learn(Observation {
                fact,
                ids: ids(),
                echo: Default::default(),
                source: Source::LookUp,
            }));
        } else {
            let found = if person {
                scan_with(began.since(start()), Likeness::Ours)
            } else {
                scan(began.since(start()))
            };
            self.tell(absent(found));
        }
        Ok(())
    }
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let mostly = |chance| prop::bool::weighted(chance);
    (mostly(0.6), 0..60_u64, mostly(0.3), mostly(0.2)).prop_map(
        |(arrives, travels, breaks, heard)| Fate {
            arrives,
            travels,
            breaks,
            heard,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let action = prop::sample::select(vec![
        OperatorAction::LookUpNow,
        OperatorAction::RetryNow,
        OperatorAction::Resubmit,
        OperatorAction::Cancel,
    ]);
    prop_oneof![
        10 => (any_fate(), 0..120_u64).prop_map(|(fate, search_takes)| Step::Next { fate, search_takes }),
        4 => prop_oneof![0..900_u64, 0..90_000_u64].prop_map(|seconds| Step::Wait { seconds }),
        1 => action.prop_map(|action| Step::Operate { action }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_there_is_one_card(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut road = Road::begin(Policy::standard());
        for step in steps {
            road.take(step)?;
        }
        // Once the provider answers again, every order comes to its end or stands before a person.
        let honest = Fate { arrives: true, travels: 1, breaks: false, heard: true };
        for _ in 0..200 {
            road.take(Step::Next { fate: honest, search_takes: 1 })?;
            road.pass(road.life.now.after(seconds(2)))?;
            if !matches!(road.life.order().state, State::Requested { .. }) {
                break;
            }
        }
        let order = road.life.order();
        let placed = matches!(order.state, State::Accepted { .. });
        prop_assert!(placed || order.state.is_terminal() || order.attention.is_some(), "{:#?}", order);
        if placed {
            prop_assert_eq!(road.uqpay.cards, 1);
        }
    }
}

/// The walk is worth nothing if it never needs what it tests, and must catch an engine that believes one search.
#[test]
fn the_walk_meets_proofs_and_leftovers_and_catches_haste() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let walk = |policy: Policy, runner: &mut proptest::test_runner::TestRunner| {
        let mut seen = std::collections::BTreeSet::new();
        let mut caught = false;
        for _ in 0..1500 {
            let steps = prop::collection::vec(any_step(), 60)
                .new_tree(runner)
                .unwrap()
                .current();
            let mut road = Road::begin(policy.clone());
            for step in steps {
                let before = road
                    .life
                    .order()
                    .submission(CREATE)
                    .map(|owed| owed.generation);
                caught |= road.take(step).is_err();
                let after = road
                    .life
                    .order()
                    .submission(CREATE)
                    .map(|owed| owed.generation);
                if before < after {
                    seen.insert(
                        road.life
                            .order()
                            .submission(CREATE)
                            .unwrap()
                            .cardholder
                            .is_some(),
                    );
                }
            }
        }
        (seen.len(), caught)
    };
    assert_eq!(
        walk(Policy::standard(), &mut runner),
        (2, false),
        "both kinds of a new key, and never two cards"
    );
    let hasty = Policy {
        key_safe_age: hours(48),
        ..Policy::standard()
    };
    assert!(
        walk(hasty, &mut runner).1,
        "a key sent after the provider forgot it makes a second card"
    );
}
