//! Known bugs, a line each, that a test can switch on to see whether it would find them (reliability §4.7). Without the
//! feature `planted` each question is a constant `false`, and the compiler removes whoever asks it.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal;)+) => {
        /// A bug that can be switched on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its number; up to B22 they are those of reliability §4.7.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }

            /// What it does, in words.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

bugs! {
    /// A command is answered before its events are durable.
    AnsweredBeforeDurable = "B1";
    /// A webhook is acknowledged before it is durable.
    AcknowledgedBeforeDurable = "B2";
    /// Every attempt has a new key.
    KeyPerAttempt = "B3";
    /// A call leaves before its intent is recorded.
    CallBeforeIntent = "B4";
    /// The age of a key is not looked at when a call is recorded.
    KeyOfAnyAge = "B5";
    /// A webhook that comes again is stored and applied again.
    MessageTwice = "B6";
    /// A webhook that overtakes the answer is dropped.
    EarlyMessageDropped = "B7";
    /// A timeout fails the order.
    TimeoutFails = "B8";
    /// A duplicate e-mail fails the order, though its own call may have left the person.
    LeftoverFails = "B9";
    /// A link expires by a clock that was set.
    ExpiryByWallClock = "B10";
    /// The timer of an earlier link expires the newest.
    StaleTimer = "B11";
    /// An append is not held against the version it was decided on.
    NoFencing = "B12";
    /// A failed sync is tried again.
    SyncAgain = "B13";
    /// What is damaged at the end of the log is skipped.
    DamageSkipped = "B14";
    /// An order read back from the log lacks the last of its events.
    ProjectionOneOff = "B15";
    /// A cancel ends an order whose card may exist.
    CancelWins = "B16";
    /// Each refused token has a new one minted, whichever token it was.
    MintForEachRefusal = "B17";
    /// An order is parked and not listed.
    ParkedUnlisted = "B18";
    /// A restart forgets which webhooks were applied.
    InboxForgets = "B19";
    /// An operator sends an ended order again.
    EndedSentAgain = "B20";
    /// A reader that waited skips what it waited for.
    EventSkipped = "B21";
    /// A body is built anew with other bytes for each attempt.
    BodyPerAttempt = "B22";
    /// The age of a key is not looked at when a call leaves.
    OldKeyLeaves = "B23";
    /// A link expires without a question to the provider.
    ExpiryUnasked = "B24";
    /// The age of a key counts from the last send.
    AgeFromLastSend = "B25";
    /// A timeout counts as a call that was not sent.
    TimeoutNotSent = "B26";
    /// Two searches prove absence however close they are.
    ScansTooClose = "B27";
    /// A new key is made of a proof where two people have to agree to it.
    ProofAlone = "B28";
    /// Whoever asked for a new key approves it, too.
    ApprovedByOne = "B29";
    /// A call is recorded for a paused order.
    SentWhilePaused = "B30";
    /// An order is not read again before its call leaves.
    NotReadAgain = "B31";
    /// Sends take nothing from the budget.
    BudgetUnspent = "B32";
    /// Look-ups follow each other without a wait.
    LookUpsAtOnce = "B33";
    /// The mark on a card is not held against the order.
    MarkIgnored = "B34";
    /// A link expires although the question to the provider had no answer.
    ExpiryUnanswered = "B35";
    /// The provider's wish to wait is believed, however absurd.
    WaitUnbounded = "B36";
    /// A host is not told of a new link.
    LinkUntold = "B37";
    /// An older link takes the place of a newer one.
    OlderLink = "B38";
    /// Absence is proved without a look for the person.
    PersonUnsought = "B39";
    /// An operator ends an order while its call is on its way.
    EndedUnderCall = "B40";
    /// An empty pool is asked again at once.
    PoolAtOnce = "B41";
    /// A person found again is forgotten with the new key.
    PersonForgotten = "B42";
    /// A failure of our own making calls nobody.
    OwnFaultUntold = "B43";
    /// A contradiction calls nobody.
    ContradictionUnlisted = "B44";
    /// A late card is kept where the policy cancels it.
    LateCardKept = "B45";
    /// A card that does not come calls nobody.
    AlarmMissing = "B46";
    /// What an operator decided on an older version is taken.
    StaleActTaken = "B47";
    /// Retention erases before its time.
    ErasedEarly = "B48";
    /// A cancel takes a taken e-mail for a word that there is no card.
    TakenEmailEnds = "B49";
    /// A late card behind an order that was cancelled before it failed calls nobody.
    LateCardOverlooked = "B50";
    /// A pause outlives the failure of its order.
    PauseOutlivesEnd = "B51";
    /// "Request is processing" is taken for a refusal.
    ProcessingRefuses = "B60";
    /// An error in words nobody knows is taken for a refusal.
    UnclearRefuses = "B61";
    /// A taken e-mail is told as data that is wrong.
    TakenIsWrong = "B62";
    /// A message is settled after its events, not with them.
    SettledLater = "B64";
    /// The product that an answer repeats is not held against the order.
    ProductIgnored = "B65";
    /// A status nobody knows is taken for the one its first word names.
    WordGuessed = "B66";
    /// When a link ends is not read.
    LinkEndIgnored = "B67";
    /// A claim that was taken over is given back by who had it before.
    StaleRelease = "B68";
    /// An order is not found by its card.
    CardNotIndexed = "B69";
    /// A message about a card is matched by its person.
    CardByPerson = "B70";
    /// Another body under the id of a message is not kept.
    SecondBodyLost = "B71";
    /// What comes for an order whose data was erased is kept.
    KeptAfterErasure = "B72";
    /// A mix-up is forgotten when a key is spent.
    MixUpForgotten = "B73";
    /// A minute of the budget counts for half.
    HalfMinute = "B74";
    /// A process that starts knows nothing of what the last one spent.
    NothingInherited = "B75";
    /// Reconciliation takes two cards of one order for one.
    TwoCardsUnseen = "B76";
    /// A new key is made of a proof that has grown old.
    ProofOutlived = "B77";
    /// A message without a status says that its card is active.
    NoWordActive = "B78";
    /// Silence to the read of a card says that there is none.
    SilenceIsMissing = "B79";
    /// A card is asked for without the spending controls its host wanted.
    ControlsLost = "B80";
    /// A sub-account's card is asked for in the main account.
    AccountLost = "B81";
    /// An answer that nobody can read is one of a call that did not arrive.
    UnreadableNotSent = "B82";
    /// A late card is cancelled where the policy leaves it to a person.
    LateCardCancelled = "B83";
    /// A fresh link is asked for while one is on its way.
    LinkAskedTwice = "B84";
    /// A fresh link is asked for although nobody wants the card any more.
    LinkUnwanted = "B85";
    /// A message that nobody can read is put aside.
    UnreadableUnseen = "B86";
    /// A host is told of a version that is no news.
    NoticeMisnumbered = "B87";
    /// Somebody else with the same e-mail is taken for the person we sent.
    SomebodyElse = "B88";
    /// A cancel that came to nothing is called done.
    VainCancelDone = "B89";
    /// Nobody is told that no cancel of a card is carried out.
    VainCancelUntold = "B90";
    /// A message that comes after the answer to a cancel, and says that nothing came of it, is dropped.
    VainCancelUnheard = "B91";
    /// The late answer to a cancel that came to nothing is taken for one to the next.
    LateYesToNext = "B92";
    /// A card that is frozen or blocked when it is first read was never active.
    FrozenNeverActive = "B95";
    /// A card that others cancelled before it was known calls nobody.
    OthersCancelUntold = "B96";
    /// A cancel is done once its card is frozen or blocked.
    FrozenIsCancelled = "B97";
    /// An older message brings a card back that others cancelled.
    OthersCancelForgotten = "B98";
    /// A reference is one name for all accounts.
    ReferenceOfAll = "B99";
}

#[cfg(feature = "planted")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Bug;

    const NONE: u8 = u8::MAX;
    static PLANTED: AtomicU8 = AtomicU8::new(NONE);

    /// Switches one bug on in this whole process, or all off.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, |bug| bug as u8), Ordering::SeqCst);
    }

    /// Whether this bug is switched on.
    #[must_use]
    pub fn is(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8
    }
}

#[cfg(feature = "planted")]
pub use switch::{is, plant};

/// Whether this bug is switched on: never, in a build without the feature.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: Bug) -> bool {
    false
}

/// Whether bugs can be switched on in this build at all.
pub const POSSIBLE: bool = cfg!(feature = "planted");
