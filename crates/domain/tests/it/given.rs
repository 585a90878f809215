//! given these events, when this command, then those events: the language of the tables.

use std::time::Duration;

use issuance_domain::{
    Action, AttentionReason, Command, Context, Event, EventBody, OperatorAction, Order, Policy,
    Rejection, Timestamp, decide, evolve, outbox,
};

use crate::sample::{act_of, order_id, start};

/// A history, the time, and the policy.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) order: Option<Order>,
    pub(crate) now: Timestamp,
    pub(crate) policy: Policy,
}

/// What `decide` said.
pub(crate) struct When {
    given: Given,
    said: Result<Vec<EventBody>, Rejection>,
}

/// Events recorded at the start of time.
pub(crate) fn given(history: impl IntoIterator<Item = EventBody>) -> Given {
    Given {
        order: None,
        now: start(),
        policy: Policy::standard(),
    }
    .and(history)
}

impl Given {
    /// This long after the start of time.
    pub(crate) fn at(mut self, after: Duration) -> Self {
        self.now = start().after(after);
        self
    }

    /// More events, recorded now.
    pub(crate) fn and(mut self, history: impl IntoIterator<Item = EventBody>) -> Self {
        for body in history {
            let event = Event { at: self.now, body };
            self.order =
                Some(evolve(order_id(), self.order, &event).expect("a history that can be true"));
        }
        self
    }

    pub(crate) fn under(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(crate) fn order(&self) -> &Order {
        self.order.as_ref().expect("an order")
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            order_id: order_id(),
            now: self.now,
            policy: &self.policy,
        }
    }

    pub(crate) fn when(self, command: Command) -> When {
        let said = decide(self.order.as_ref(), command, &self.context());
        let said = said.map(|events| events.into_iter().map(|event| event.body).collect());
        When { given: self, said }
    }

    /// Somebody approves a new key, on the version they see.
    pub(crate) fn approved_by(self, actor: &str) -> When {
        let expected = Some(self.order().version);
        let act = act_of(actor, OperatorAction::ApproveResubmit);
        self.when(Command::Operate { act, expected })
    }

    #[track_caller]
    pub(crate) fn is(self, state: &str) -> Self {
        assert_eq!(self.order().state.name(), state);
        self
    }

    #[track_caller]
    pub(crate) fn needs(self, reason: impl Into<Option<AttentionReason>>) -> Self {
        let stands = self
            .order()
            .attention
            .as_ref()
            .map(|attention| attention.reason.clone());
        assert_eq!(stands, reason.into());
        self
    }

    /// Exactly these tasks, due this long after the start of time. Notices to the host aside.
    #[track_caller]
    pub(crate) fn owes(self, expected: impl IntoIterator<Item = (Action, Duration)>) -> Self {
        let mut owed: Vec<_> = outbox(self.order(), &self.policy)
            .into_iter()
            .filter(|task| task.id.action != Action::NotifyHost)
            .map(|task| (task.id.action, task.due.since(start())))
            .collect();
        let mut expected: Vec<_> = expected.into_iter().collect();
        owed.sort();
        expected.sort();
        assert_eq!(owed, expected);
        self
    }

    #[track_caller]
    pub(crate) fn owes_a_notice(self, owed: bool) -> Self {
        let notice = outbox(self.order(), &self.policy)
            .iter()
            .any(|task| task.id.action == Action::NotifyHost);
        assert_eq!(notice, owed, "a notice to the host");
        self
    }
}

impl When {
    /// Exactly these events. The history goes on with them.
    #[track_caller]
    pub(crate) fn then(self, expected: impl IntoIterator<Item = EventBody>) -> Given {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(self.said.as_ref(), Ok(&expected));
        self.given.and(expected)
    }

    #[track_caller]
    pub(crate) fn then_nothing(self) -> Given {
        self.then([])
    }

    #[track_caller]
    pub(crate) fn then_rejected(self, expected: Rejection) -> Given {
        assert_eq!(self.said, Err(expected));
        self.given
    }

    /// Any of the operator's noes.
    #[track_caller]
    pub(crate) fn then_not_possible(self) -> Given {
        assert!(
            matches!(self.said, Err(Rejection::NotPossible { .. })),
            "{:?}",
            self.said
        );
        self.given
    }

    /// Whatever it said, the history goes on with it.
    #[track_caller]
    pub(crate) fn then_on(self) -> Given {
        let said = self.said.expect("no rejection");
        self.given.and(said)
    }
}
