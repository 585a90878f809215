//! What can go wrong, by family, and who decides whether it does: chance from the seed, or a list that a run wrote down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rng::mix;

macro_rules! families {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $ids:literal, $low:literal..$high:literal;)+) => {
        /// A kind of fault. Each is off in about half of the seeds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Family {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl Family {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in options, lists and scripts.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The rows of the failure catalogue it injects.
            #[must_use]
            pub fn ids(self) -> &'static str {
                match self { $(Self::$name => $ids),+ }
            }

            /// Between which chances its rate lies when it is on.
            #[must_use]
            pub fn rates(self) -> (f64, f64) {
                match self { $(Self::$name => ($low, $high)),+ }
            }
        }
    };
}

families! {
    /// A process dies between two effects.
    Crash = "crash", "F-004 F-017 F-018 F-078 F-107", 0.0005..0.05;
    /// A process stands still for a while and goes on.
    Pause = "pause", "F-023 F-097 F-098", 0.0005..0.05;
    /// A process stands still while a create call waits to be sent again, until shortly before its key is too old; and
    /// once more between the record of the call and the call, until it is.
    OldKey = "old_key", "F-023 F-037", 0.3..1.0;
    /// The disk fails to sync: the store stops for good.
    SyncFails = "sync_fails", "F-079 F-080", 0.02..0.3;
    /// The disk is full for a while.
    DiskFull = "disk_full", "F-060 F-081", 0.02..0.3;
    /// The queue to the disk is full for a while.
    Overload = "overload", "F-011 F-065 F-091", 0.02..0.3;
    /// The wall clock of a node is set.
    ClockJump = "clock_jump", "F-054 F-071 F-072", 0.02..0.3;
    /// No connection to the provider.
    Refused = "refused", "F-025 F-106", 0.002..0.4;
    /// The request is lost on its way.
    RequestLost = "request_lost", "F-017 F-106", 0.002..0.4;
    /// The provider acts and its answer is lost.
    AnswerLost = "answer_lost", "F-018 F-026 F-105", 0.002..0.4;
    /// The answer takes longer than anybody waits.
    AnswerLate = "answer_late", "F-026 F-044", 0.002..0.2;
    /// The request arrives twice.
    RequestTwice = "request_twice", "F-036 F-106", 0.002..0.2;
    /// An error before anything happened.
    ErrorBefore = "error_before", "F-033 F-039", 0.002..0.3;
    /// An error although it happened.
    ErrorAfter = "error_after", "F-033", 0.002..0.3;
    /// An answer nobody can read: half of it, or a page for people.
    Unreadable = "unreadable", "F-027", 0.002..0.3;
    /// "Your request is being processed."
    Processing = "processing", "F-036", 0.002..0.2;
    /// The effect itself is late; repeats meanwhile hear "processing".
    Slow = "slow", "F-044", 0.002..0.2;
    /// Too many requests.
    TooMany = "too_many", "F-032", 0.002..0.2;
    /// A page instead of an answer before anything happened, with a status that says little.
    Turned = "turned_away", "F-031", 0.002..0.1;
    /// Somebody else mints with our credential.
    Eviction = "eviction", "F-028 F-029 F-030", 0.02..0.5;
    /// The provider is away for a while, maybe for longer than keys live.
    Outage = "outage", "F-045", 0.02..0.2;
    /// The provider forgets the keys it knew.
    ForgottenKeys = "forgotten_keys", "F-038", 0.02..0.2;
    /// A try of a webhook is lost.
    WebhookLost = "webhook_lost", "F-050", 0.01..0.6;
    /// A webhook comes again, the same bytes at another time.
    WebhookAgain = "webhook_again", "F-047 F-048 F-049 F-052 F-053", 0.01..0.6;
    /// A webhook is late.
    WebhookLate = "webhook_late", "F-048 F-049 F-053", 0.01..0.6;
    /// A forged webhook.
    WebhookForged = "webhook_forged", "F-051 F-056", 0.01..0.3;
    /// Our acknowledgement of a webhook is lost.
    AckLost = "ack_lost", "F-058", 0.01..0.5;
    /// A webhook overtakes the answer to the call that caused it.
    WebhookEarly = "webhook_early", "F-046", 0.02..0.5;
    /// The provider makes no card of an order in the end.
    CardFails = "card_fails", "F-048", 0.02..0.3;
    /// The provider never makes up its mind.
    NeverActive = "never_active", "F-066", 0.02..0.15;
    /// The card is active in the answer already.
    ActiveAtOnce = "active_at_once", "F-020", 0.02..0.3;
    /// The provider keeps the person and makes no card.
    Leftover = "leftover", "F-034", 0.02..0.3;
    /// Two orders of one person.
    SamePerson = "same_person", "F-010 F-034", 0.02..0.3;
    /// Answers and webhooks in every documented form.
    Variants = "variants", "F-041 F-042 F-055", 0.3..1.0;
    /// A person fails, leaves, or comes too late.
    PersonFails = "person_fails", "F-067 F-068 F-069", 0.05..0.6;
    /// The host hears nothing of its order and asks again.
    ReplyLost = "reply_lost", "F-004", 0.01..0.4;
    /// The host asks twice at once.
    AskedTwice = "asked_twice", "F-001", 0.01..0.4;
    /// The host asks for something else under the same reference.
    AskedOther = "asked_other", "F-002", 0.01..0.3;
    /// The host cancels.
    Cancel = "cancel", "F-116", 0.02..0.4;
    /// The host was told and does not say so, or not told.
    NoticeLost = "notice_lost", "F-074", 0.01..0.4;
    /// Operators act, rightly or wrongly, within what is allowed.
    Operator = "operator", "F-115 F-118", 0.05..0.8;
    /// Operators click twice.
    DoubleClick = "double_click", "F-114", 0.05..0.5;
    /// A definite no to a first call, for a reason of the provider's own.
    Refusal = "refusal", "F-009 F-035", 0.02..0.3;
    /// No entry: a token that is not taken, a network that is not allowed, a right that is missing.
    NoEntry = "no_entry", "F-028 F-031", 0.002..0.1;
    /// An answer or a message is about another order's card.
    MixUp = "mix_up", "F-040", 0.01..0.3;
    /// A call waits between its record and its first byte, and an operator pauses the order meanwhile.
    Overtaken = "overtaken", "F-023 F-097", 0.02..0.3;
    /// A person comes too late, and a fresh link is asked for while the end of the old one is being acted on.
    LateRefresh = "late_refresh", "F-069", 0.1..0.6;
    /// A word of an answer or a message, or a message's name, is one that nobody documented.
    Strange = "strange", "F-041", 0.01..0.3;
    /// An operator gives no reason.
    NoReason = "no_reason", "F-115", 0.02..0.5;
    /// An order names a person whom the provider knows, as others may; none is made for it.
    KnownPerson = "known_person", "F-010", 0.2..1.0;
    /// The provider signs another body under the id of an earlier message, or one that nobody can read.
    Garbled = "garbled", "F-057", 0.02..0.5;
    /// The answer to a create call is another's, and nothing was done.
    Astray = "astray", "F-040", 0.01..0.5;
    /// The provider takes a cancel and nothing comes of it, so many times; mostly it says so.
    CancelInVain = "cancel_in_vain", "F-116", 0.1..1.0;
    /// Somebody else freezes, blocks or cancels a card, at the provider's portal or by its risk control.
    CardMoved = "card_moved", "F-048 F-116", 0.02..0.5;
}

/// One fault that was decided on: which decision of its family, and the number its details come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// The family.
    pub family: Family,
    /// Counts the family's decisions, from 0.
    pub nth: u32,
    /// What the details come from.
    pub details: u64,
}

#[derive(Debug)]
enum Judge {
    Chance { seed: u64, rates: Vec<f64> },
    List(BTreeMap<(Family, u32), u64>),
}

/// After so many the world heals: what these have not broken, more of them seldom do.
const ENOUGH: usize = 150;

/// Decides, and writes down what was decided.
#[derive(Debug)]
pub(crate) struct Faults {
    judge: Judge,
    asked: Vec<u32>,
    pub(crate) decided: Vec<Decided>,
    /// No more faults: the world heals.
    healed: bool,
}

impl Faults {
    /// By chance: each decision depends on the seed, the family and its number, and on nothing else.
    pub(crate) fn by_chance(seed: u64, rate: impl Fn(Family) -> f64) -> Self {
        let rates = Family::ALL.iter().map(|family| rate(*family)).collect();
        Self::new(Judge::Chance { seed, rates })
    }

    /// Exactly these.
    pub(crate) fn by_list(list: &[Decided]) -> Self {
        let known = |fault: &Decided| ((fault.family, fault.nth), fault.details);
        Self::new(Judge::List(list.iter().map(known).collect()))
    }

    fn new(judge: Judge) -> Self {
        Self {
            judge,
            asked: vec![0; Family::ALL.len()],
            decided: Vec::new(),
            healed: false,
        }
    }

    pub(crate) fn heal(&mut self) {
        self.healed = true;
    }

    /// Whether more than enough went wrong.
    pub(crate) fn are_enough(&self, orders: usize) -> bool {
        self.decided.len() >= ENOUGH.max(10 * orders)
    }

    /// Whether a fault of this family happens here; then the number its details come from.
    pub(crate) fn draw(&mut self, family: Family) -> Option<u64> {
        if self.healed {
            return None;
        }
        let place = family as usize;
        let nth = self.asked[place];
        self.asked[place] += 1;
        let details = match &self.judge {
            Judge::Chance { seed, rates } => {
                if rates[place] <= 0.0 {
                    return None;
                }
                let number = mix(mix(seed ^ (place as u64) << 40) ^ u64::from(nth));
                #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
                let chance = (number >> 11) as f64 / (1_u64 << 53) as f64;
                (chance < rates[place]).then(|| mix(number))
            }
            Judge::List(list) => list.get(&(family, nth)).copied(),
        }?;
        self.decided.push(Decided {
            family,
            nth,
            details,
        });
        Some(details)
    }
}
