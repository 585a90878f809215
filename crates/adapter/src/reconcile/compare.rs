//! The comparison, and nothing else: what the log says of cards against what the provider lists.

use std::collections::{BTreeMap, HashMap};

use issuance_domain::planted::{self, Bug};
use issuance_domain::{Account, CardId, CardStatus, Echo, Order, OrderId, State};
use serde::Serialize;

/// A card as the provider lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) card: CardId,
    pub(crate) status: CardStatus,
    /// The order whose it is: by its mark, or since the order knows it. None when no order of ours explains it.
    pub(crate) order: Option<OrderId>,
    /// It bears our mark.
    pub(crate) is_marked: bool,
    /// What else it says of whose it is.
    pub(crate) echo: Echo,
}

/// What the log and the provider say differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// An order knows a card that the provider does not list.
    MissingThere {
        /// Whose.
        order: OrderId,
        /// The card.
        card: CardId,
        /// The order has ended: a person asks what became of its card.
        ended: bool,
    },
    /// The provider made a card for an order that knows of none.
    UnknownHere {
        /// Whose.
        order: OrderId,
        /// The card.
        card: CardId,
        /// Its status there.
        status: CardStatus,
    },
    /// The provider made more than one card for an order.
    TwoCards {
        /// Whose.
        order: OrderId,
        /// All of them.
        cards: Vec<CardId>,
    },
    /// The card's status there is none the order's state explains.
    StateDiffers {
        /// Whose.
        order: OrderId,
        /// The card.
        card: CardId,
        /// The order's state.
        here: &'static str,
        /// The card's status.
        there: CardStatus,
    },
    /// A card with our mark, of an order that is not in this log.
    NoSuchOrder {
        /// The card.
        card: CardId,
        /// Its status there.
        status: CardStatus,
    },
    /// A card without our mark that no order knows.
    Unexplained {
        /// The card.
        card: CardId,
        /// Its status there.
        status: CardStatus,
    },
}

/// What should be done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposal {
    /// The order reads the provider's record again.
    LookUp,
    /// The order learns what the provider says, as from any look-up.
    Learn,
    /// A person asks whose card it is. Nothing is done to it.
    Ask,
}

impl Difference {
    /// Whose it is; none when no order explains it.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::MissingThere { order, .. }
            | Self::UnknownHere { order, .. }
            | Self::TwoCards { order, .. }
            | Self::StateDiffers { order, .. } => Some(*order),
            Self::NoSuchOrder { .. } | Self::Unexplained { .. } => None,
        }
    }

    /// Its stored name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::MissingThere { .. } => "missing_there",
            Self::UnknownHere { .. } => "unknown_here",
            Self::TwoCards { .. } => "two_cards",
            Self::StateDiffers { .. } => "state_differs",
            Self::NoSuchOrder { .. } => "no_such_order",
            Self::Unexplained { .. } => "unexplained",
        }
    }

    /// What should be done.
    #[must_use]
    pub fn proposal(&self) -> Proposal {
        match self {
            Self::MissingThere { ended: false, .. } => Proposal::LookUp,
            Self::MissingThere { ended: true, .. }
            | Self::UnknownHere { .. }
            | Self::TwoCards { .. }
            | Self::StateDiffers { .. } => Proposal::Learn,
            Self::NoSuchOrder { .. } | Self::Unexplained { .. } => Proposal::Ask,
        }
    }
}

/// Every difference between orders and cards. Absence counts only of accounts whose list was read to its end.
pub(crate) fn compare(
    orders: &[&Order],
    cards: &[Listed],
    complete: impl Fn(Option<&Account>) -> bool,
) -> Vec<Difference> {
    let mut of_order: BTreeMap<OrderId, Vec<&Listed>> = BTreeMap::new();
    let mut found = Vec::new();
    let known: HashMap<_, _> = orders.iter().map(|order| (order.id, *order)).collect();
    for card in cards {
        let (id, status) = (card.card.clone(), card.status.clone());
        match card.order {
            Some(order) if known.contains_key(&order) => {
                of_order.entry(order).or_default().push(card)
            }
            // An order of this log that is closed and was not asked for.
            Some(_) => {}
            None if card.is_marked => found.push(Difference::NoSuchOrder { card: id, status }),
            None => found.push(Difference::Unexplained { card: id, status }),
        }
    }
    for order in orders {
        let theirs = of_order
            .get(&order.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        found.extend(of_one(
            order,
            theirs,
            complete(order.terms.account.as_ref()),
        ));
    }
    found
}

fn of_one(order: &Order, theirs: &[&Listed], complete: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    // A card that is over is no second one: whoever cancelled it has dealt with it.
    let over = |status: &CardStatus| {
        matches!(
            status,
            CardStatus::PreCancel | CardStatus::Cancelled | CardStatus::Failed
        )
    };
    let live = theirs.iter().filter(|listed| !over(&listed.status));
    let mut cards: Vec<_> = live.map(|listed| listed.card.clone()).collect();
    // Its own card counts whatever became of it: one beside a cancelled card is a second one, too.
    let unnamed = |card: &&CardId| !cards.contains(card);
    cards.extend(order.ids.card.iter().find(unnamed).cloned());
    if cards.len() > 1 && !planted::is(Bug::TwoCardsUnseen) {
        found.push(Difference::TwoCards {
            order: order.id,
            cards,
        });
    }
    let Some(card) = &order.ids.card else {
        if let [only] = theirs {
            let (card, status) = (only.card.clone(), only.status.clone());
            found.push(Difference::UnknownHere {
                order: order.id,
                card,
                status,
            });
        }
        return found;
    };
    match theirs.iter().find(|listed| listed.card == *card) {
        Some(listed) if differs(order, &listed.status) => found.push(Difference::StateDiffers {
            order: order.id,
            card: card.clone(),
            here: order.state.name(),
            there: listed.status.clone(),
        }),
        Some(_) => {}
        None if complete && is_expected(order) => found.push(Difference::MissingThere {
            order: order.id,
            card: card.clone(),
            ended: order.state.is_terminal(),
        }),
        None => {}
    }
    found
}

/// Whether the provider should list the order's card: not one that was never made, nor one that was cancelled.
fn is_expected(order: &Order) -> bool {
    match order.state {
        State::Requested { .. } | State::Accepted { .. } | State::IdvPending { .. } => true,
        State::Active { .. } => order.compensation.is_none(),
        State::Failed { .. } => false,
    }
}

/// Whether the order's state leaves the card's status unexplained.
fn differs(order: &Order, there: &CardStatus) -> bool {
    match (&order.state, there) {
        (_, CardStatus::Unknown(_)) => true,
        (State::Requested { .. } | State::Accepted { .. } | State::IdvPending { .. }, status) => {
            *status != CardStatus::Pending
        }
        // What becomes of a card after it was made is not issuance; that it was never made is.
        (State::Active { .. }, status) => *status == CardStatus::Failed,
        (State::Failed { .. }, CardStatus::Active | CardStatus::Frozen | CardStatus::Blocked) => {
            !order.is_compensating()
        }
        (
            State::Failed { .. },
            CardStatus::Pending
            | CardStatus::Failed
            | CardStatus::PreCancel
            | CardStatus::Cancelled,
        ) => false,
    }
}
