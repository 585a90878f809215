//! The invariants by number (reliability §3): what each says, what must be seen to judge it here, and who judges those that
//! no log, ledger or outside history can show.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a checker can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The orders' events.
    Log,
    /// The hash chain they lie in.
    Chain,
    /// The webhooks that were stored.
    Inbox,
    /// What a store derived from the log.
    Projections,
    /// The provider's cards.
    Cards,
    /// The calls the provider received.
    Requests,
    /// What the world outside was told, and when.
    Outside,
    /// A world that was healed and left alone until it came to rest.
    Rest,
    /// The ends of another run of the same orders.
    OtherRun,
}

impl Input {
    /// How it is called in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "the log",
            Self::Chain => "the hash chain",
            Self::Inbox => "the inbox",
            Self::Projections => "the projections",
            Self::Cards => "the provider's cards",
            Self::Requests => "the provider's requests",
            Self::Outside => "the outside history",
            Self::Rest => "a world at rest",
            Self::OtherRun => "a second run",
        }
    }
}

/// By what an invariant is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Here, from these inputs at the least; more of them show more.
    Here(&'static [Input]),
    /// Not here.
    Elsewhere(&'static str),
}

macro_rules! invariants {
    ($($id:ident $title:literal, $basis:expr;)+) => {
        /// One invariant of reliability §3: S for safety, L for liveness, X for security.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant { $(#[doc = $title] $id,)+ }

        impl Invariant {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$id,)+];

            /// Its number.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$id => stringify!($id),)+ }
            }

            /// What it says, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$id => $title,)+ }
            }

            /// By what it is judged.
            #[must_use]
            pub fn basis(self) -> Basis {
                use Basis::{Elsewhere, Here};
                use Input::{Cards, Chain, Inbox, Log, OtherRun, Outside, Projections, Requests, Rest};
                match self { $(Self::$id => $basis,)+ }
            }
        }
    };
}

invariants! {
    S1 "one card for each order", Here(&[Log, Cards]);
    S2 "one cardholder for each order", Here(&[Log, Cards]);
    S3 "an acknowledged command is durable", Here(&[Log, Outside]);
    S4 "an acknowledged webhook is durable", Here(&[Inbox, Outside]);
    S5 "no webhook is taken without authenticity", Here(&[Outside]);
    S6 "intent before effect", Here(&[Log]);
    S7 "one key for one intended effect, one body for one key", Here(&[Log]);
    S8 "a new key only after a refusal or a proof", Here(&[Log]);
    S9 "no old key is sent", Here(&[Log]);
    S10 "what is derived is the fold of the events", Here(&[Log, Projections]);
    S11 "only published transitions", Here(&[Log]);
    S12 "ends absorb", Here(&[Log]);
    S13 "positions rise, versions have no gap", Here(&[Log]);
    S14 "a message or a timer has its effect once", Here(&[Log]);
    S15 "one order for each reference", Here(&[Log]);
    S16 "tenants stay apart", Elsewhere("accounts in the store's and the adapter's own tests");
    S17 "only the leaseholder writes", Elsewhere("one process owns a log (S23); the store's conformance suite");
    S18 "no active order without its active card", Here(&[Log]);
    S19 "no silent contradiction", Here(&[Log, Cards, Rest]);
    S20 "the chain verifies", Here(&[Chain]);
    S21 "nothing personal or secret leaks", Elsewhere("the demo's test reads every file and line it left; tests of domain and server");
    S22 "the first storage error is the last", Elsewhere("fault tests of journal, vault and embedded store");
    S23 "one owner of a data directory", Elsewhere("tests of the journal's ownership");
    S24 "an identity check expires by its own link's time, after a read", Here(&[Log]);
    S25 "an operator's act has a name and a reason, and happens once", Here(&[Log]);
    S26 "the provider's budget is kept", Here(&[Requests]);
    S27 "old logs read the same", Elsewhere("golden events and the tests that read them");
    S28 "ended orders are quiet", Here(&[Log]);
    S29 "everything is bounded", Elsewhere("tests of the server's limits and of the store's bounds");
    S30 "unknown is not failed", Here(&[Log]);
    L1 "an open order has a next step, or a person is called", Here(&[Log]);
    L2 "every order comes to an end or to a person", Here(&[Log, Rest]);
    L3 "the inbox drains", Here(&[Inbox, Rest]);
    L4 "no webhook is needed", Here(&[OtherRun]);
    L5 "one bad order does not hold up the others", Elsewhere("tests of the executor with poisoned orders");
    L6 "timers fire in time", Elsewhere("tests of the executor and of restarts");
    L7 "the token settles after a storm of refusals", Elsewhere("tests of the token's faults");
    L8 "a dead worker's orders are taken over", Elsewhere("tests of leases in the store's conformance suite");
    L9 "a start is bounded or says why not", Elsewhere("tests of the store's opening");
    L10 "a stop is bounded", Elsewhere("tests of the executor's drain and of `serve`");
    L11 "a full disk needs only space", Elsewhere("fault tests of the embedded store");
    L12 "speed returns after overload", Elsewhere("load runs of the whole");
    X1 "secrets are strong and there", Elsewhere("tests of the configuration");
    X2 "operators' routes deny by default", Elsewhere("tests of the server's admin routes");
    X3 "ids are opaque and bounded", Elsewhere("the types of the domain, which parse them");
    X4 "every parser is bounded", Elsewhere("tests of each parser, fuzzed");
    X5 "the provider's card is what was asked for", Here(&[Log, Cards]);
    X6 "calls go only where they may", Elsewhere("tests of the client's base address");
    X7 "no header or log injection", Elsewhere("the types of the domain, and tests of the server");
    X8 "files are private", Elsewhere("tests of the store's files");
}

impl Invariant {
    /// How many there are.
    pub(super) const COUNT: usize = Self::ALL.len();

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id(), self.title())
    }
}

impl Serialize for Invariant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
