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
    /// Here, from these inputs at the least, in this way; more of them show more.
    Here(&'static [Input], &'static str),
    /// Not here, but by whom.
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
    S1 "one card for each order", Here(&[Log, Cards],
        "cards whose metadata names the order; one more for each new key that two people approved");
    S2 "one cardholder for each order", Here(&[Log, Cards],
        "people its create calls made and its cards belong to; on the two-step road the person it names and nobody else");
    S3 "an acknowledged command is durable", Here(&[Log, Outside],
        "orders, operators' commands and notices that were acknowledged, and what a start found, are in the log");
    S4 "an acknowledged webhook is durable", Here(&[Inbox, Outside],
        "each acknowledged message is in the inbox");
    S5 "no webhook is taken without authenticity", Here(&[Outside],
        "no delivery that the provider did not sign is acknowledged, and none changes an order");
    S6 "intent before effect", Here(&[Log],
        "no answer, no call and no card without the record that came before it; by times where clocks can be compared");
    S7 "one key for one intended effect, one body for one key", Here(&[Log],
        "key and effect belong to each other alone, in the log and at the provider; one body under a key; each card under its order's key");
    S8 "a new key only after a refusal or a proof", Here(&[Log],
        "a new key follows a refusal that leaves nothing behind, a person found again, or two searches that are a proof; where \
         money is loaded, answers were mixed up or the policy says so, two people made it, of a fresh proof; after a refusal \
         no sooner than the policy says, and a cancel only so often");
    S9 "no old key is sent", Here(&[Log],
        "by our clock when it is recorded, by the provider's when it arrives, two hours later at the most");
    S10 "what is derived is the fold of the events", Here(&[Log, Projections],
        "order and tasks as a store has them against the fold of the events");
    S11 "only published transitions", Here(&[Log],
        "the table of `docs/lifecycle.md`, and the fold agrees with it");
    S12 "ends absorb", Here(&[Log],
        "what follows an end is in the table too, and the end stays");
    S13 "positions rise, versions have no gap", Here(&[Log],
        "over the whole log and for each order");
    S14 "a message or a timer has its effect once", Here(&[Log],
        "a message's facts come from one append, which settles it, and no other does; each link's end is acted on once");
    S15 "one order for each reference", Here(&[Log],
        "in the log, and in what hosts were told");
    S16 "tenants stay apart", Elsewhere("accounts in the store's and the adapter's own tests, and in the simulation");
    S17 "only the leaseholder writes", Elsewhere("one process owns a log (S23); the store's conformance suite");
    S18 "no active order without its active card", Here(&[Log],
        "called active by a read or by the message that announces a card; the card is its own and was active by then; messages \
         that change an order name it, and not by a card's person alone");
    S19 "no silent contradiction", Here(&[Log, Cards, Rest],
        "a live card behind a failed or cancelled order, and a second one beside an active order's, stands in the log as a \
         contradiction; a person is called as long as it stands; a late card is cancelled where the policy says so and nowhere else, and no \
         cancel is called done while its card lives");
    S20 "the chain verifies", Here(&[Chain],
        "line by line to the end");
    S21 "nothing personal or secret leaks", Elsewhere("the demo's test reads every file and line it left; tests of domain and server");
    S22 "the first storage error is the last", Elsewhere("fault tests of journal, vault and embedded store");
    S23 "one owner of a data directory", Elsewhere("tests of the journal's ownership");
    S24 "an identity check expires by its own link's time, after a read", Here(&[Log],
        "not before the newest link's end and its grace; the provider answered a read in between; an older link is never \
         the newest, none is asked for once nobody wants the card, an order fails for the last one only and where the policy \
         says so; retention erases in its time, and nothing a person must decide on");
    S25 "an operator's act has a name and a reason, and happens once", Here(&[Log],
        "actor and reason are there; a new key takes two; nothing is sent, owed or set going while an order is paused, \
         and no ended order is; no link is asked for while one is on its way");
    S26 "the provider's budget is kept", Here(&[Requests],
        "calls of one client in any minute of the provider's clock, where a limit is given");
    S27 "old logs read the same", Elsewhere("golden events and the tests that read them");
    S28 "ended orders are quiet", Here(&[Log],
        "it owes nothing but notices, look-ups and its cancel; no create call is recorded, and none arrives long after; one \
         that failed is not paused, or nobody would look for its card");
    S29 "everything is bounded", Elsewhere("tests of the server's limits and of the store's bounds");
    S30 "unknown is not failed", Here(&[Log],
        "each failure against what ended it: the provider's definite word, a read, proof, a person, or that nothing was sent; \
         each refusal against its status and code, and an end by the card against the card; no person ends it under its \
         call, what only messages report is believed after its wait and sends nobody to a check, and what was said of one key \
         is said of no other");
    L1 "an open order has a next step, or a person is called", Here(&[Log],
        "after each append: a task other than a notice, or a place on the attention list; each call and look-up it should owe, \
         and the time at which a person is called; its host is owed what it must hear, and our own faults call a person");
    L2 "every order comes to an end or to a person", Here(&[Log, Rest],
        "ended and cancelled, or a person is called, or whoever holds the card is waited for, or a pool without cards");
    L3 "the inbox drains", Here(&[Inbox, Rest],
        "no message of a known order is pending or parked");
    L4 "no webhook is needed", Here(&[OtherRun],
        "the ends of two runs by the hosts' references");
    L5 "one bad order does not hold up the others", Elsewhere("tests of the executor with poisoned orders");
    L6 "timers fire in time", Elsewhere("tests of the executor and of restarts");
    L7 "the token settles after a storm of refusals", Elsewhere("tests of the token's faults");
    L8 "a dead worker's orders are taken over", Elsewhere("tests of leases in the store's conformance suite");
    L9 "a start is bounded or says why not", Elsewhere("tests of the store's opening");
    L10 "a stop is bounded", Elsewhere("tests of the executor's drain and of `serve`");
    L11 "a full disk needs only space", Elsewhere("fault tests of the embedded store");
    L12 "speed returns after overload", Elsewhere("nowhere yet; load runs measure it");
    X1 "secrets are strong and there", Elsewhere("tests of the configuration");
    X2 "operators' routes deny by default", Elsewhere("tests of the server's admin routes");
    X3 "ids are opaque and bounded", Elsewhere("the types of the domain, which parse them");
    X4 "every parser is bounded", Elsewhere("tests of each parser, fuzzed");
    X5 "the provider's card is what was asked for", Here(&[Log, Cards],
        "product, currency, limit and person of each card against what was asked");
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
