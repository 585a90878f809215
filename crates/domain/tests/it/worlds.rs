//! However the provider's messages are shuffled, repeated or lost: once a look-up has followed, every order ends in the
//! same place (design §1.7). A world is what the provider did, what it says of it unasked, and what a read shows.

use issuance_domain::{
    CardId, CardStatus, CardholderId, CardholderStatus, Command, Creation, Fact, FailureKind, Link,
    Observation, ProviderIds, Source, State, Verification,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::given::{Given, given};
use crate::sample::*;

struct World {
    name: &'static str,
    /// Answers and messages, in the order they were sent.
    said: Vec<(Fact, Source)>,
    order: &'static str,
    card: Fact,
    person: (CardholderStatus, Option<Link>),
    ends: &'static str,
}

fn worlds() -> Vec<World> {
    let created = |creation| (Fact::Created(creation), answer(1));
    let kyc = |status| (person(status, None), kyc_hook());
    let succeeded = || (Fact::Card(CardStatus::Active), created_hook());
    let failed = || (Fact::CardCreationFailed { code: None }, failed_hook());
    let world = |name, said, order, card, person, ends| World {
        name,
        said,
        order,
        card,
        person,
        ends,
    };
    let (active, pending) = (
        || Fact::Card(CardStatus::Active),
        || Fact::Card(CardStatus::Pending),
    );
    let verified = || (CardholderStatus::Success, None);
    let review = Creation {
        verification: Some(Verification::UnderReview),
        ..creation()
    };
    use CardholderStatus::{Failed, Incomplete, Pending, Success};
    vec![
        world(
            "plain",
            vec![created(creation()), succeeded()],
            "SUCCESS",
            active(),
            verified(),
            "active",
        ),
        world(
            "after the identity check",
            vec![
                created(idv_creation()),
                kyc(Incomplete),
                kyc(Pending),
                kyc(Success),
                succeeded(),
            ],
            "SUCCESS",
            active(),
            verified(),
            "active",
        ),
        world(
            "rejected first, verified then",
            vec![
                created(idv_creation()),
                kyc(Failed),
                kyc(Incomplete),
                kyc(Success),
                succeeded(),
            ],
            "SUCCESS",
            active(),
            verified(),
            "active",
        ),
        world(
            "two messages contradict each other",
            vec![created(creation()), failed(), succeeded()],
            "SUCCESS",
            active(),
            verified(),
            "active",
        ),
        world(
            "creation failed",
            vec![created(creation()), failed()],
            "FAILED",
            Fact::Card(CardStatus::Failed),
            verified(),
            "failed",
        ),
        world(
            "creation failed, the card reads pending for ever",
            vec![created(creation()), failed()],
            "FAILED",
            pending(),
            verified(),
            "failed",
        ),
        world(
            "creation failed, the card is gone",
            vec![created(creation()), failed()],
            "FAILED",
            Fact::CardMissing,
            verified(),
            "failed",
        ),
        world(
            "creation failed after the identity check",
            vec![
                created(idv_creation()),
                kyc(Pending),
                failed(),
                kyc(Success),
            ],
            "FAILED",
            pending(),
            verified(),
            "failed",
        ),
        world(
            "person rejected",
            vec![created(idv_creation()), kyc(Pending), kyc(Failed)],
            "PROCESSING",
            pending(),
            (Failed, None),
            "failed",
        ),
        world(
            "still being made",
            vec![created(creation())],
            "PROCESSING",
            pending(),
            verified(),
            "accepted",
        ),
        world(
            "under review",
            vec![created(review), kyc(Pending)],
            "PENDING",
            pending(),
            (Pending, None),
            "accepted",
        ),
        world(
            "waiting for the person",
            vec![created(idv_creation()), kyc(Incomplete)],
            "PENDING",
            pending(),
            (Incomplete, Some(link(1, 24))),
            "idv_pending",
        ),
        world(
            "the person has done their part",
            vec![created(idv_creation()), kyc(Pending)],
            "PENDING",
            pending(),
            (Pending, Some(link(1, 24))),
            "idv_pending",
        ),
    ]
}

/// Where an order ended, as far as a read can know it.
#[derive(Debug, PartialEq)]
struct End {
    state: &'static str,
    card: Option<CardId>,
    cardholder: Option<CardholderId>,
    failure: Option<FailureKind>,
}

impl World {
    fn hear(&self, life: Given, said: usize) -> Given {
        let (fact, source) = self.said[said].clone();
        life.when(learn(fact, source)).then_on()
    }

    /// Card order, then card, then person: as the adapter reads them.
    fn look_up(&self, life: Given) -> Given {
        let order = Fact::CardOrder {
            status: self.order.into(),
            failure_code: None,
        };
        let (status, link) = self.person.clone();
        [order, self.card.clone(), person(status, link)]
            .into_iter()
            .fold(life, |life, fact| {
                let read = Observation {
                    fact,
                    ids: ids(),
                    echo: Default::default(),
                    source: Source::LookUp,
                };
                life.when(Command::Learn(read)).then_on()
            })
    }

    /// What is confirmed by time needs a second look.
    fn end(&self, life: Given) -> End {
        let life = (0..3).fold(life, |mut life, _| {
            life.now = life.now.after(minutes(1));
            self.look_up(life)
        });
        let order = life.order();
        let ProviderIds {
            card, cardholder, ..
        } = order.ids.clone();
        let failure = match &order.state {
            State::Failed { failure, .. } => Some(failure.kind),
            State::Active { card: active, .. } => {
                assert_eq!(Some(active), card.as_ref());
                None
            }
            _ => None,
        };
        End {
            state: order.state.name(),
            card,
            cardholder,
            failure,
        }
    }

    fn in_order(&self) -> Given {
        (0..self.said.len()).fold(given(sent()), |life, said| self.hear(life, said))
    }
}

#[test]
fn in_order_every_world_ends_as_it_should() {
    for world in worlds() {
        assert_eq!(
            world.end(world.in_order()).state,
            world.ends,
            "{}",
            world.name
        );
    }
}

#[test]
fn with_every_message_lost_a_look_up_is_enough() {
    for world in worlds() {
        assert_eq!(
            world.end(given(sent())),
            world.end(world.in_order()),
            "{}",
            world.name
        );
    }
}

fn any_reception() -> impl Strategy<Value = Vec<(usize, u64)>> {
    // Which message, and the minutes before it: lost, repeated and shuffled at once.
    prop::collection::vec((0..16_usize, 0..40_u64), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shuffled_repeated_or_lost_every_world_ends_the_same(heard in any_reception(), looks in 0..12_usize) {
        for world in worlds() {
            let life = heard.iter().enumerate().fold(given(sent()), |mut life, (index, (said, wait))| {
                life.now = life.now.after(minutes(*wait));
                let life = world.hear(life, said % world.said.len());
                // A look-up may come in between as well.
                if index == looks { world.look_up(life) } else { life }
            });
            same(&world.end(life), &world.end(world.in_order()), world.name)?;
        }
    }
}

fn same(end: &End, expected: &End, name: &str) -> TestCaseResult {
    prop_assert_eq!(end, expected, "{}", name);
    Ok(())
}
