//! The identity check a person has to pass.

use crate::attention::Attention;
use crate::fact::Link;
use crate::order::{Idv, LookUp, Order, State};
use crate::planted::{self, Bug};
use crate::time::Timestamp;

impl Order {
    pub(super) fn idv_required(&mut self, link: Option<&Link>, at: Timestamp) -> Option<()> {
        let version = self.version;
        let State::Accepted { .. } = self.state else {
            return None;
        };
        let idv = Idv {
            since: at,
            link: link.cloned(),
            number: 1,
            submitted_at: None,
            renewal: None,
        };
        self.enter(State::IdvPending { idv }, at);
        // Without a link there is one to be found.
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: link.is_none(),
        });
        self.owe_notice(version, at);
        Some(())
    }

    pub(super) fn idv_link_issued(&mut self, link: &Link, at: Timestamp) -> Option<()> {
        let version = self.version;
        let State::IdvPending { idv } = &mut self.state else {
            return None;
        };
        idv.number += u32::from(idv.link.is_some());
        idv.link = Some(link.clone());
        idv.submitted_at = None;
        idv.renewal = None;
        self.attention = self.attention.take().filter(Attention::outlives_progress);
        if !planted::is(Bug::LinkUntold) {
            self.owe_notice(version, at);
        }
        Some(())
    }

    pub(super) fn idv_submitted(&mut self, at: Timestamp) -> Option<()> {
        match &mut self.state {
            State::IdvPending { idv } => {
                idv.submitted_at.get_or_insert(at);
            }
            State::Accepted { under_review, .. } => *under_review = true,
            State::Requested { .. } | State::Active { .. } | State::Failed { .. } => {
                return None;
            }
        }
        Some(())
    }

    pub(super) fn idv_passed(&mut self, at: Timestamp) -> Option<()> {
        // One message says rejected, another verified: from here only the provider's record decides.
        if let Some(claim) = self.claim.as_mut().filter(|claim| claim.blames_person()) {
            claim.contradicted = true;
        }
        let (State::IdvPending { .. }
        | State::Accepted {
            under_review: true, ..
        }) = self.state
        else {
            return None;
        };
        self.enter(
            State::Accepted {
                since: at,
                under_review: false,
            },
            at,
        );
        Some(())
    }
}
