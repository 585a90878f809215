//! Proof that the provider has no card of an order: what one complete search saw, and when two are enough (contract §6.5).

use serde::{Deserialize, Serialize};

use crate::ids::CardholderId;
use crate::outbox::Policy;
use crate::planted::{self, Bug};
use crate::time::Timestamp;

/// One complete search that found no card of the order: every page was read, and the cards of the person as well when
/// the person is known. An incomplete search is none of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// When it began, by our clock: what arrived later it may not have seen.
    pub began: Timestamp,
    /// Pages read.
    pub pages: u32,
    /// Different rows read.
    pub rows: u32,
    /// Whoever the provider knows by the e-mail or phone of a one-step request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// A cardholder with the e-mail or phone we sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The provider's name for the person.
    pub id: CardholderId,
    /// Whether it is the person we sent.
    pub likeness: Likeness,
}

/// Whether a cardholder is the person we sent: e-mail, phone, country and both names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// All of them match.
    Ours,
    /// One differs: somebody else.
    Stranger,
    /// None differs, but the provider does not show all of them.
    Unclear,
}

impl Scan {
    /// The person we sent, if the provider has them.
    #[must_use]
    pub fn leftover(&self) -> Option<&CardholderId> {
        self.holder
            .as_ref()
            .filter(|holder| holder.likeness == Likeness::Ours)
            .map(|holder| &holder.id)
    }
}

/// How far the proof is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "absence", rename_all = "snake_case")]
pub enum Absence {
    /// One search found nothing.
    Seen {
        /// Which.
        scan: Scan,
    },
    /// A second one, late enough after the first, found nothing either.
    Proved {
        /// The earlier.
        first: Scan,
        /// The later: the proof's age counts from its beginning.
        second: Scan,
    },
}

impl Absence {
    /// What one more search adds; none when it adds nothing. `arrival` is the last moment at which the call can have
    /// arrived.
    pub(crate) fn after(
        known: Option<&Self>,
        scan: Scan,
        arrival: Timestamp,
        policy: &Policy,
    ) -> Option<Self> {
        let gap = policy.absence_scan_gap;
        if scan.began < arrival.after(gap) {
            return None;
        }
        match known {
            None => Some(Self::Seen { scan }),
            Some(Self::Seen { scan: first })
                if scan.began >= first.began.after(gap) || planted::is(Bug::ScansTooClose) =>
            {
                Some(Self::Proved {
                    first: first.clone(),
                    second: scan,
                })
            }
            // A proof that grew old is renewed, not kept fresh by every search.
            Some(Self::Proved { second, .. })
                if scan.began >= second.began.after(gap.max(policy.absence_proof_life)) =>
            {
                Some(Self::Proved {
                    first: second.clone(),
                    second: scan,
                })
            }
            Some(Self::Seen { .. } | Self::Proved { .. }) => None,
        }
    }

    /// The proof, if it is one and still young.
    pub(crate) fn proof(&self, now: Timestamp, policy: &Policy) -> Option<&Scan> {
        match self {
            Self::Seen { .. } => None,
            Self::Proved { second, .. } => Some(second).filter(|scan| {
                now.since(scan.began) <= policy.absence_proof_life
                    || planted::is(Bug::ProofOutlived)
            }),
        }
    }
}
