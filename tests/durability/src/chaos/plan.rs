//! What goes wrong in a round, all of it from the seed: which families are on, how often they strike, and when processes
//! and links fail. The timing of what strikes whom is the machine's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::random::Random;

/// What can happen to one exchange on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing of the request arrives, the connection ends.
    CutBefore,
    ResetBefore,
    /// Nothing arrives, and nobody says so.
    SilentBefore,
    /// Half of the request arrives.
    CutRequest,
    SlowRequest,
    /// It was done; nothing of the answer comes back.
    CutBeforeAnswer,
    ResetBeforeAnswer,
    SilentAfter,
    /// Half of the answer.
    CutAnswer,
    SlowAnswer,
    /// The answer byte by byte.
    Drip,
    /// Both ways at the speed of a bad modem.
    Throttle,
}

impl Fault {
    pub(super) const ALL: [Self; 12] = [
        Self::CutBefore,
        Self::ResetBefore,
        Self::SilentBefore,
        Self::CutRequest,
        Self::SlowRequest,
        Self::CutBeforeAnswer,
        Self::ResetBeforeAnswer,
        Self::SilentAfter,
        Self::CutAnswer,
        Self::SlowAnswer,
        Self::Drip,
        Self::Throttle,
    ];
}

/// How often each strikes an exchange; fair without any.
#[derive(Debug, Clone, Default)]
pub(super) struct Weather(Vec<(Fault, f64)>);

impl Weather {
    fn of(random: &mut Random) -> Self {
        let on = Fault::ALL.into_iter().filter(|_| random.chance(0.5));
        let on: Vec<_> = on.collect();
        Self(on.into_iter().map(|fault| (fault, rate(random))).collect())
    }

    pub(super) fn draw(&self, random: &mut Random) -> Option<Fault> {
        let all = self.0.iter();
        let mut struck = all.filter_map(|(fault, rate)| random.chance(*rate).then_some(*fault));
        struck.next()
    }
}

/// The four links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    EngineToProvider,
    ProviderToEngine,
    HostToEngine,
    EngineToHost,
}

impl Road {
    pub(super) const ALL: [Self; 4] = [
        Self::EngineToProvider,
        Self::ProviderToEngine,
        Self::HostToEngine,
        Self::EngineToHost,
    ];
}

/// What can happen to the engine's process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    /// kill -9, and so long nobody starts it again.
    Kill,
    /// SIGSTOP for so long: a machine that was suspended.
    Pause,
    /// Stopped for most of the time: a machine without processor time.
    Starve,
    /// No file and no connection more than it has.
    FewFiles,
}

/// What can happen around it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    KillProvider,
    PauseProvider,
    /// Nobody listens at a link's other end.
    Away(Road),
    FullDisk,
}

/// After a wait, something, for so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<T> {
    pub(super) after: Duration,
    pub(super) what: T,
    pub(super) lasts: Duration,
}

/// A whole round.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) weather: Vec<(Road, Weather)>,
    pub(super) blows: Vec<Step<Blow>>,
    pub(super) events: Vec<Step<Event>>,
    /// The provider writes in every documented form.
    pub(super) variants: bool,
    /// What the provider itself does wrong.
    rules: Vec<Value>,
}

impl Plan {
    pub(super) fn of(random: &mut Random, storm: Duration) -> Self {
        let weather = Road::ALL.map(|road| {
            let weather = match random.chance(0.75) {
                true => Weather::of(random),
                false => Weather::default(),
            };
            (road, weather)
        });
        let blows = [Blow::Kill, Blow::Pause, Blow::Starve, Blow::FewFiles];
        let blows: Vec<_> = blows.into_iter().filter(|_| random.chance(0.6)).collect();
        let mut events = vec![Event::KillProvider, Event::PauseProvider, Event::FullDisk];
        events.extend(Road::ALL.map(Event::Away));
        events.retain(|_| random.chance(0.5));
        Self {
            weather: weather.into(),
            blows: steps(random, &blows, storm),
            events: steps(random, &events, storm),
            variants: random.chance(0.5),
            rules: provider_rules(random),
        }
    }

    /// Needs a disk of its own, small enough to be filled.
    pub(super) fn fills_the_disk(&self) -> bool {
        let mut all = self.events.iter();
        all.any(|step| matches!(step.what, Event::FullDisk))
    }

    /// The provider's faults together with what its people do.
    pub(super) fn rules(&self) -> Vec<Value> {
        people().into_iter().chain(self.rules.clone()).collect()
    }
}

fn steps<T: Copy>(random: &mut Random, kinds: &[T], storm: Duration) -> Vec<Step<T>> {
    let (mut steps, mut passed) = (Vec::new(), Duration::ZERO);
    while !kinds.is_empty() {
        let step = Step {
            after: random.millis(50..1_500),
            what: kinds[random.below(kinds.len())],
            lasts: match random.below(4) {
                0 => random.millis(1_000..4_000),
                _ => random.millis(0..800),
            },
        };
        passed += step.after + step.lasts;
        if passed > storm {
            break;
        }
        steps.push(step);
    }
    steps
}

/// Between one in a hundred and three in ten, small rates as often as large ones.
fn rate(random: &mut Random) -> f64 {
    0.01 * 30_f64.powf(random.fraction())
}

/// What people do, and cards: by what the host wrote on the order.
pub(super) fn people() -> Vec<Value> {
    let person = |word: &str, fault: Value| json!({ "id": format!("people-{word}"), "match": { "metadata": { "fate": word } }, "fault": fault });
    vec![
        person(
            "passes",
            json!({ "kind": "idv_person", "outcome": "pass", "after_ms": 400 }),
        ),
        person(
            "is_rejected",
            json!({ "kind": "idv_person", "outcome": "fail", "after_ms": 400 }),
        ),
        person(
            "hesitates",
            json!({ "kind": "idv_person", "outcome": "submit", "after_ms": 200 }),
        ),
        person(
            "no_card",
            json!({ "kind": "card_fails", "failure_code": "BIN_CLOSED" }),
        ),
    ]
}

fn provider_rules(random: &mut Random) -> Vec<Value> {
    let faults = [
        json!({ "kind": "lost_before_effect" }),
        json!({ "kind": "lost_after_effect" }),
        json!({ "kind": "error_before_effect", "status": 502, "body": "<html>Bad Gateway</html>" }),
        json!({ "kind": "error_before_effect", "status": 429, "retry_after": "1", "body": { "code": "too_many_requests", "message": "slow down" } }),
        json!({ "kind": "error_after_effect", "status": 500 }),
        json!({ "kind": "truncated_answer" }),
        json!({ "kind": "processing" }),
        json!({ "kind": "slow", "ms": 2_500, "when": "before" }),
        json!({ "kind": "slow", "ms": 2_500, "when": "after" }),
        json!({ "kind": "orphan_cardholder", "status": 500 }),
        json!({ "kind": "active_at_once" }),
        json!({ "kind": "webhook_early" }),
        json!({ "kind": "webhook_duplicate", "copies": 2 }),
        json!({ "kind": "webhook_late", "ms": 3_000 }),
        json!({ "kind": "webhook_drop" }),
    ];
    let on = faults.into_iter().enumerate();
    let on: Vec<_> = on.filter(|_| random.chance(0.5)).collect();
    on.into_iter()
        .map(|(number, fault)| json!({ "id": format!("fault-{number}"), "fault": fault, "probability": rate(random) }))
        .collect()
}
